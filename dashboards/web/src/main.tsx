// The pages' frame: login, navigation, language, theme, the event stream.
import { render, type JSX } from "preact";
import { useEffect, useReducer, useState } from "preact/hooks";
import { call, get, listen, Problem, setCsrf, type Session } from "./api";
import { AgencyPage } from "./agency";
import { AgentsPage } from "./agents";
import { changed, usePlace } from "./hooks";
import { lang, setLang, t } from "./i18n";
import { Overview } from "./overview";
import { BoardPage } from "./board";
import { IncidentPage, IncidentsPage } from "./incidents";
import { LinkPage } from "./link";
import { MaintenancePage } from "./maintenance";
import { OutagesPage } from "./outages";
import { Patterns } from "./bars";
import { OpenCount } from "./incidents";

function theme(next?: string): string {
  if (next) localStorage.setItem("hatang.theme", next);
  const chosen = localStorage.getItem("hatang.theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = chosen;
  return chosen;
}

function Tools(p: { onChange: () => void }): JSX.Element {
  const other = lang() === "vi" ? "en" : "vi";
  return <span class="tools">
    <button lang={other} aria-label={t("languageLabel")} data-lang-switch onClick={() => { setLang(other); p.onChange(); }}>{t("language")}</button>
    <button onClick={() => { theme(theme() === "dark" ? "light" : "dark"); p.onChange(); }} aria-label={t("theme")} title={t("theme")}>◐</button>
  </span>;
}

function Login(p: { onIn: (s: Session) => void; onChange: () => void }): JSX.Element {
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (e: SubmitEvent): Promise<void> => {
    e.preventDefault();
    const form = new FormData(e.currentTarget as HTMLFormElement);
    setBusy(true);
    try {
      const s = await call<Session>("POST", "session", { account: form.get("account"), password: form.get("password") });
      setCsrf(s.csrf);
      p.onIn(s);
    } catch (x) { setError(x instanceof Problem ? x.detail || x.message : String(x)); setBusy(false); }
  };
  return (
    <main class="login">
      <form class="card" onSubmit={submit}>
        <h1><img src="/icon.svg" alt="" width="40" height="40" /> {t("title")}</h1>
        <label>{t("account")}<input name="account" autocomplete="username" required autofocus maxLength={64} /></label>
        <label>{t("password")}<input name="password" type="password" autocomplete="current-password" required maxLength={256} /></label>
        {error && <p class="notice bad" role="alert">{error}</p>}
        <button class="primary" disabled={busy}>{t("login")}</button>
        <p class="quiet">{t("loginHint")}</p>
        <Tools onChange={p.onChange} />
      </form>
    </main>
  );
}

const PAGES = ["", "incidents", "board", "outages", "maintenance", "agents"] as const;

function Page(p: { place: string[]; session: Session }): JSX.Element {
  const [first, id] = p.place;
  if (first === "agency" && id) return <AgencyPage key={id} id={id} session={p.session} />;
  if (first === "incidents") return id ? <IncidentPage key={id} id={id} session={p.session} /> : <IncidentsPage session={p.session} />;
  if (first === "board") return <BoardPage />;
  if (first === "outages") return <OutagesPage session={p.session} />;
  if (first === "link" && id) return <LinkPage key={id} id={id} session={p.session} />;
  if (first === "maintenance") return <MaintenancePage session={p.session} />;
  if (first === "agents") return <AgentsPage session={p.session} />;
  return <Overview />;
}

function Frame(p: { session: Session; onOut: () => void; onChange: () => void }): JSX.Element {
  const place = usePlace();
  const [alive, setAlive] = useState(true);
  useEffect(() => listen(changed, setAlive), []);
  const out = async (): Promise<void> => { await call("DELETE", "session").catch(() => undefined); setCsrf(undefined); p.onOut(); };
  const here = (name: string): "page" | undefined => ((place[0] ?? "") === name ? "page" : undefined);
  return (
    <>
      <a class="skip" href="#main" onClick={(e) => { e.preventDefault(); document.getElementById("main")?.focus(); }}>{t("skip")}</a>
      <header class="top">
        <a class="brand" href="#/"><img src="/icon.svg" alt="" width="28" height="28" /> hạ tầng</a>
        <nav>{PAGES.map((page) => <a key={page} href={`#/${page}`} aria-current={here(page)}>{t(page || "overview")}{page === "incidents" && <OpenCount />}</a>)}</nav>
        <span class={`live ${alive ? "on" : "off"}`} role="status">{alive ? "●" : "○"} <span>{t(alive ? "live" : "notLive")}</span></span>
        <Tools onChange={p.onChange} />
        <span class="who">{p.session.account} <button onClick={out}>{t("logout")}</button></span>
      </header>
      <Patterns />
      <main id="main" tabIndex={-1} class={place[0] === "board" ? "wide" : ""}><Page place={place} session={p.session} /></main>
    </>
  );
}

function App(): JSX.Element {
  const [session, setSession] = useState<Session | null>();
  const [, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const out = (): void => setSession(null);
    window.addEventListener("hatang-login", out);
    get<Session>("session").then((s) => { setCsrf(s.csrf); setSession(s); }, out);
    return () => window.removeEventListener("hatang-login", out);
  }, []);
  document.title = t("title");
  if (session === undefined) return <p class="quiet pad">{t("loading")}</p>;
  if (session === null) return <Login onIn={setSession} onChange={() => again(0)} />;
  return <Frame key={lang()} session={session} onOut={() => setSession(null)} onChange={() => again(0)} />;
}

setLang(lang());
theme();
render(<App />, document.getElementById("app")!);
