// Agents: presence, proposals to approve, clones to decide, tokens to enrol new ones.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { all, call, Problem, type Agent, type Clone, type Page, type Session, type Token } from "./api";
import { ago, number, time } from "./format";
import { useGet } from "./hooks";
import { t, word, type Key } from "./i18n";
import { Await, Copy, Dialog } from "./parts";

const Presence = (p: { of: Agent }): JSX.Element => {
  const state = p.of.revoked ? "revoked" : p.of.presence?.state ?? "never";
  return <span class={`presence ${state}`}><span aria-hidden="true">{state === "online" ? "●" : state === "lost" || state === "revoked" ? "✕" : "○"}</span> {word(state)}
    {p.of.presence && <small class="quiet"> {t("since")} {ago(p.of.presence.since)}</small>}</span>;
};

export function AgentTable(p: { agents: Agent[]; onReview?: (a: Agent) => void }): JSX.Element {
  if (p.agents.length === 0) return <p class="quiet">{t("noAgents")}</p>;
  return (
    <div class="scroll"><table><thead><tr><th>{t("agents")}</th><th>{t("agency")}</th><th>{t("presence")}</th><th>{t("clock")}</th><th class="num">{t("queued")}</th><th class="num">{t("gaps")}</th><th>{t("version")}</th><th /></tr></thead>
      <tbody>{p.agents.map((a) => <tr key={a.id} data-agent={a.id}>
        <td><b>{a.id}</b> {a.vantage && <span class="tag">{t("vantage")}</span>}<br /><small class="quiet">{a.os}</small></td>
        <td data-label={t("agency")}><a href={`#/agency/${encodeURIComponent(a.agency)}`}>{a.agency_name ?? a.agency}</a></td>
        <td data-label={t("presence")}><Presence of={a} /></td>
        <td data-label={t("clock")}>{a.presence?.clock ? <span class={a.presence.clock === "free" ? "tag warn" : ""}>{word(a.presence.clock)}</span> : "–"}</td>
        <td data-label={t("queued")} class="num">{a.queued === null ? "–" : number(a.queued)}</td>
        <td data-label={t("gaps")} class="num">{a.gaps.packs ? <span class="tag warn">{number(a.gaps.packs)}</span> : "0"}</td>
        <td data-label={t("version")}>{a.presence?.version ?? "–"}</td>
        <td>{a.proposal && (p.onReview ? <button onClick={() => p.onReview!(a)}>{t("review")}</button> : <a class="tag warn" href="#/agents">{t("proposal")}</a>)}</td>
      </tr>)}</tbody></table></div>
  );
}

function Review(p: { id: string; may: boolean; onClose: () => void }): JSX.Element {
  const got = useGet<Agent>(`agents/${p.id}`);
  const [text, setText] = useState<string>();
  const [note, setNote] = useState<[string, boolean]>();
  const approve = async (config: string): Promise<void> => {
    try {
      await call("POST", `agents/${p.id}/approve`, { config });
      setNote([t("approved"), true]);
    } catch (e) { setNote([e instanceof Problem ? e.detail : String(e), false]); }
  };
  return (
    <Dialog title={`${t("proposals")}: ${p.id}`} onClose={p.onClose}>
      <Await of={got}>{(a) => {
        const value = text ?? a.proposal?.config ?? "";
        return <>
          {a.approved_config && <details><summary>{t("approve")} · {t("owner")}</summary><pre>{a.approved_config}</pre></details>}
          <textarea class="yaml" spellcheck={false} aria-label={t("proposals")} value={value} onInput={(e) => setText(e.currentTarget.value)} rows={18} />
          {note && <p class={`notice ${note[1] ? "good" : "bad"}`} role="status">{note[0]}</p>}
          {p.may && !note?.[1] && <button class="primary" onClick={() => approve(value)}>{t("approve")}</button>}
        </>;
      }}</Await>
    </Dialog>
  );
}

function Clones(p: { may: boolean }): JSX.Element | null {
  const got = useGet<Page<Clone>>("clones", ["presence"]);
  const [error, setError] = useState("");
  const claim = async (agent: string, fingerprint: string): Promise<void> => {
    try { await call("POST", `agents/${agent}/claim`, { fingerprint }); got.reload(); setError(""); }
    catch (e) { setError(e instanceof Problem ? e.detail : String(e)); }
  };
  if (!got.data?.items.length) return null;
  return (
    <section><h2>{t("clones")}</h2><p class="quiet">{t("cloneHint")}</p>
      {error && <p class="notice bad" role="alert">{error}</p>}
      <div class="scroll"><table><tbody>{got.data.items.map((c) => <tr key={c.agent + c.fingerprint + c.reason}>
        <td><b>{c.agent}</b></td><td><code>{c.fingerprint?.slice(0, 16) ?? "–"}</code>{c.reason === "conflict" && ` ${t("conflict")}`}</td>
        <td class="num">{number(c.packs)} {t("packs")}</td><td>{time(c.first)} – {time(c.last)}</td>
        <td>{p.may && c.reason === "clone" && c.fingerprint && <>
          <button onClick={() => claim(c.agent, c.fingerprint!)}>{t("isOwner")}</button>{" "}
          {c.owner_fingerprint && <button onClick={() => claim(c.agent, c.owner_fingerprint!)}>{t("owner")}: {c.owner_fingerprint.slice(0, 8)}</button>}
        </>}</td></tr>)}</tbody></table></div></section>
  );
}

function Tokens(): JSX.Element {
  const tree = useGet<{ items: { id: string; name: string }[] }>("agency-tree");
  const got = useGet<Page<Token>>("tokens");
  const [agency, setAgency] = useState("");
  const [agent, setAgent] = useState("");
  const [valid, setValid] = useState(86400);
  const [made, setMade] = useState<{ token: string; expires: string }>();
  const [error, setError] = useState("");
  const create = async (e: Event): Promise<void> => {
    e.preventDefault();
    try {
      setMade(await call("POST", "tokens", { agency, valid_s: valid, ...(agent && { agent }) }));
      setError("");
      got.reload();
    } catch (x) { setMade(undefined); setError(x instanceof Problem ? x.detail : String(x)); }
  };
  const state = (s: string): string => t((s === "open" ? "open" : s === "used" ? "usedToken" : "expiredToken") as Key);
  return (
    <section><h2>{t("tokens")}</h2>
      <form class="row" onSubmit={create}>
        <label>{t("agency")}<select required value={agency} onChange={(e) => setAgency(e.currentTarget.value)}><option value="">{t("choose")}</option>
          {tree.data?.items.map((a) => <option key={a.id} value={a.id}>{a.name}</option>)}</select></label>
        <label>{t("agentId")}<input value={agent} pattern="[A-Za-z0-9][A-Za-z0-9._:\-]*" maxLength={64} onInput={(e) => setAgent(e.currentTarget.value)} /></label>
        <label>{t("validFor")}<select value={valid} onChange={(e) => setValid(Number(e.currentTarget.value))}>
          <option value={3600}>{t("hour")}</option><option value={86400}>{t("day")}</option><option value={604800}>{t("week")}</option></select></label>
        <button class="primary">{t("createToken")}</button>
      </form>
      {error && <p class="notice bad" role="alert">{error}</p>}
      {made && <div class="notice good"><p>{t("tokenOnce")}</p><Copy text={`hatang-agent enroll --server ${location.origin} --token ${made.token}`} /></div>}
      <Await of={got}>{(x) => x.items.length === 0 ? <></> : <div class="scroll"><table class="small"><tbody>{x.items.map((k) => <tr key={k.id}><td><code>{k.id}</code></td><td>{k.agency}</td><td>{k.agent ?? ""}</td><td>{k.created_by}</td><td>{t("expires")} {time(k.expires)}</td><td>{state(k.state)}</td></tr>)}</tbody></table></div>}</Await>
    </section>
  );
}

export function AgentsPage(p: { session: Session }): JSX.Element {
  const got = useGet<Agent[]>("agents", ["presence"], (path) => all<Agent>(path));
  const [review, setReview] = useState<string>();
  const admin = p.session.role === "admin";
  return (
    <>
      <h1>{t("agents")}</h1>
      <Clones may={admin} />
      <Await of={got}>{(list) => {
        const waiting = list.filter((a) => a.proposal);
        return <>
          {waiting.length > 0 && <p class="notice">{t("proposals")}: <b>{waiting.map((a) => a.id).join(", ")}</b></p>}
          <AgentTable agents={list} onReview={(a) => setReview(a.id)} />
        </>;
      }}</Await>
      {admin && <Tokens />}
      {review && <Review id={review} may={admin} onClose={() => { setReview(undefined); got.reload(); }} />}
    </>
  );
}
