// Maintenance windows: enter one (also afterwards), see them, remove one.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { all, call, get, Problem, type Page, type Session, type Window } from "./api";
import { time } from "./format";
import { useGet } from "./hooks";
import { t, word, type Key } from "./i18n";
import { Await } from "./parts";

const SCOPES = ["link", "agency", "provider", "all"] as const;

// What an <input type=datetime-local> holds, in the browser's own zone.
const local = (ms: number): string => new Date(ms - new Date(ms).getTimezoneOffset() * 60e3).toISOString().slice(0, 16);

function Form(p: { onDone: () => void; scoped: boolean }): JSX.Element {
  const tree = useGet<{ items: { id: string; name: string }[] }>("agency-tree");
  const links = useGet<{ id: string; agency_name: string | null; provider: string | null }[]>("links", [], (path) => all(path));
  const [scope, setScope] = useState<typeof SCOPES[number]>("agency");
  const [note, setNote] = useState<[string, boolean]>();
  const hour = Math.ceil(Date.now() / 3600e3) * 3600e3;
  const providers = [...new Set((links.data ?? []).map((l) => l.provider).filter((v): v is string => !!v))].sort();
  const subjects: { id: string; name: string }[] = scope === "agency" ? tree.data?.items ?? []
    : scope === "link" ? (links.data ?? []).map((l) => ({ id: l.id, name: `${l.agency_name ?? ""} · ${l.id}` })) : providers.map((v) => ({ id: v, name: v }));
  const submit = async (e: SubmitEvent): Promise<void> => {
    e.preventDefault();
    const form = e.currentTarget as HTMLFormElement, data = new FormData(form);
    const at = (name: string): string => new Date(String(data.get(name))).toISOString();
    try {
      await call("POST", "maintenance", { scope, ...(scope !== "all" && { subject: data.get("subject") }), from: at("from"), to: at("to"), reason: String(data.get("reason")).trim() });
      setNote([t("saved"), true]);
      form.reset();
      p.onDone();
    } catch (x) { setNote([x instanceof Problem ? x.detail || x.message : String(x), false]); }
  };
  return <form class="card stack" onSubmit={submit} data-maintenance-form>
    <h2>{t("newMaintenance")}</h2>
    <p class="quiet">{t("maintenanceHint")}</p>
    <div class="row">
      <label>{t("scope")}<select value={scope} onChange={(e) => setScope(e.currentTarget.value as typeof SCOPES[number])}>{SCOPES.filter((s) => !p.scoped || s === "link" || s === "agency").map((s) => <option key={s} value={s}>{t(`scope-${s}` as Key)}</option>)}</select></label>
      {scope !== "all" && <label class="grow">{t("subject")}<select name="subject" required key={scope}><option value="">{t("choose")}</option>{subjects.map((s) => <option key={s.id} value={s.id}>{s.name}</option>)}</select></label>}
      <label>{t("from")}<input type="datetime-local" name="from" required defaultValue={local(hour)} /></label>
      <label>{t("to")}<input type="datetime-local" name="to" required defaultValue={local(hour + 7200e3)} /></label>
      <label class="grow">{t("maintenanceReason")}<input name="reason" required maxLength={500} /></label>
      <button class="primary large">{t("enter")}</button>
    </div>
    {note && <p class={`notice ${note[1] ? "good" : "bad"}`} role={note[1] ? "status" : "alert"}>{note[0]}</p>}
  </form>;
}

export function MaintenancePage(p: { session: Session }): JSX.Element {
  const [removed, setRemoved] = useState(false);
  const [error, setError] = useState("");
  const got = useGet<Page<Window>>(`maintenance?limit=200${removed ? "&removed=true" : ""}`, ["maintenance"], get);
  const may = p.session.role !== "viewer";
  const remove = async (id: string): Promise<void> => {
    try { await call("DELETE", `maintenance/${encodeURIComponent(id)}`); setError(""); got.reload(); }
    catch (x) { setError(x instanceof Problem ? x.detail : String(x)); }
  };
  return <>
    <h1>{t("maintenance")}</h1>
    {may && <Form onDone={got.reload} scoped={p.session.agency !== null} />}
    <section>
      <label class="check"><input type="checkbox" checked={removed} onChange={(e) => setRemoved(e.currentTarget.checked)} /> {t("showRemoved")}</label>
      {error && <p class="notice bad" role="alert">{error}</p>}
      <Await of={got}>{(w) => w.items.length === 0 ? <p class="quiet">{t("noMaintenance")}</p> :
        <div class="scroll"><table class="cardlike"><thead><tr><th>{t("state")}</th><th>{t("subject")}</th><th>{t("from")}</th><th>{t("to")}</th><th>{t("maintenanceReason")}</th><th>{t("enteredBy")}</th><th /></tr></thead>
          <tbody>{w.items.map((x) => <tr key={x.id} data-window={x.id} class={x.removed ? "gone" : ""}>
            <td><span class={`tag w-${x.state}`}>{x.state === "running" && "⚒ "}{word(x.state ?? "")}</span></td>
            <td data-label={t("subject")}><b>{x.agency_name ?? x.subject ?? ""}</b> <small class="quiet">{t(`scope-${x.scope}` as Key)}{x.scope === "link" && ` · ${x.subject}`}</small></td>
            <td data-label={t("from")}>{time(x.from)}</td><td data-label={t("to")}>{time(x.to)}</td><td data-label={t("maintenanceReason")}>{x.reason}</td>
            <td data-label={t("enteredBy")}>{x.actor} <small class="quiet">{time(x.entered)}</small>{x.afterwards && <span class="tag warn">{t("afterwards")}</span>}</td>
            <td>{may && !x.removed && <button onClick={() => remove(x.id)}>{t("remove")}</button>}</td></tr>)}</tbody></table></div>}</Await>
    </section>
  </>;
}
