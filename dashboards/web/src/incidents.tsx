// Incidents: what is open stands first and large: what, since when, who, why, what to do.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { call, get, Problem, type Incident, type Page, type Session } from "./api";
import { causeName, kindName, kindState, why } from "./causes";
import { RowDialog } from "./explain";
import { lasted, number, time } from "./format";
import { useGet, useNow } from "./hooks";
import { lang, t, word } from "./i18n";
import { sentence } from "./reasons";
import { agencyHref, Await, linkHref, Rows, SHAPES } from "./parts";
import { OutageDialog, Steps } from "./outage";

export function OpenCount(): JSX.Element | null {
  const got = useGet<Page<Incident>>("incidents?open=true&limit=100", ["incidents"], get);
  const n = got.data?.items.length ?? 0;
  if (n === 0) return null;
  const waiting = got.data!.items.some((i) => !i.acked && i.severity === "critical");
  return <b class={`count ${waiting ? "hot" : ""}`} title={`${n} ${t("openIncidents")}`}>{number(n)}{got.data!.next && "+"}</b>;
}

const who = (i: Incident): string => i.problem?.agency_name ?? i.problem?.agency ?? i.problem?.subject ?? i.subject;
const title = (i: Incident): string => {
  const told = i.title && (lang() === "vi" ? i.title.vi : i.title.en);
  return told || `${who(i)}: ${kindName(i.problem?.kind ?? i.rule).toLowerCase()}`;
};

function Affected(p: { of: Incident }): JSX.Element | null {
  const i = p.of;
  if (i.n_affected === 0) return null;
  const more = i.n_affected - i.affected.length;
  return <p class="affected"><b>{t("affected")} ({number(i.n_affected)}):</b> <span class="chips">{i.affected.map((a) =>
    <a key={a.id} class={`chip ${a.open ? "" : "well"}`} href={agencyHref(a.id)} title={a.open ? "" : t("recovered")}>{!a.open && "✓ "}{a.name ?? a.id}</a>)}
    {more > 0 && <span class="quiet">{t("andMore")} {number(more)} {t("moreOnes")}</span>}</span></p>;
}

function Ack(p: { of: Incident; may: boolean; onDone: () => void }): JSX.Element {
  const i = p.of;
  const [asking, ask] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const send = async (e: SubmitEvent): Promise<void> => {
    e.preventDefault();
    const note = String(new FormData(e.currentTarget as HTMLFormElement).get("note") ?? "").trim();
    setBusy(true);
    try {
      await call("POST", `incidents/${encodeURIComponent(i.id)}/ack`, note ? { note } : {});
      ask(false);
      p.onDone();
    } catch (x) { setError(x instanceof Problem ? x.detail : String(x)); }
    setBusy(false);
  };
  if (i.acked) return <p class="acked" data-acked={i.id}>✓ {t("ackedBy")}: <b>{i.acked_by}</b> · {time(i.acked)}</p>;
  return <div class="ack">
    {!asking && <p><b class="notyet">{t("notAcked")}</b>{i.escalate && <span class="quiet"> · {t("escalatesAt")} {time(i.escalate)}</span>}</p>}
    {p.may && !asking && <button class="primary large" onClick={() => ask(true)}>{t("acknowledge")}</button>}
    {asking && <form onSubmit={send}>
      <label>{t("ackNote")}<textarea name="note" rows={2} maxLength={500} autofocus /></label>
      <p class="quiet">{t("ackHint")}</p>
      {error && <p class="notice bad" role="alert">{error}</p>}
      <p class="buttons"><button class="primary large" disabled={busy}>{t("ackSend")}</button> <button type="button" class="large" onClick={() => ask(false)}>{t("cancel")}</button></p>
    </form>}
  </div>;
}

function Lead(p: { of: Incident; level: 2 | 3 }): JSX.Element {
  const i = p.of, m = i.problem, state = m ? kindState(m.kind) : "UNKNOWN";
  const now = useNow();
  const seconds = i.open ? (now - Date.parse(i.opened)) / 1000 : i.duration_s;
  const heading = <a href={`#/incidents/${encodeURIComponent(i.id)}`}>{title(i)}</a>;
  return <>
    <p class="bigstate"><span class="shape" aria-hidden="true">{SHAPES[state]}</span> {kindName(m?.kind ?? i.rule)} <small>{word(i.severity)}</small></p>
    {p.level === 2 ? <h1>{title(i)}</h1> : <h3>{heading}</h3>}
    <p class="when">{t("since")} <b>{time(i.opened)}</b> · {i.open ? <>{t("lasting")} <b class="ticking">{lasted(seconds)}</b></> : <>{t("duration").toLowerCase()} <b>{lasted(seconds)}</b>, {t("end").toLowerCase()} {time(i.closed)}</>}</p>
    {m && <p>{m.kind.startsWith("link-") ? <a href={linkHref(m.subject)}>{m.subject}</a> : <code>{m.subject}</code>}{m.provider && ` · ${m.provider}`}</p>}
    <Affected of={i} />
    {m && <p><b>{t("cause")}:</b> {m.cause ? <>{causeName(m.cause)} <span class="quiet">· {sentence(m.cause_reason ?? "")}</span></> : why(m.kind, m.reason)}</p>}
  </>;
}

function Card(p: { of: Incident; may: boolean; onDone: () => void }): JSX.Element {
  const i = p.of, state = i.problem ? kindState(i.problem.kind) : "UNKNOWN";
  return <article class={`card incident st-${state.toLowerCase()}`} data-incident={i.id}>
    <Lead of={i} level={3} />
    {i.problem && <Steps kind={i.problem.kind} cause={i.problem.cause} />}
    <Ack of={i} may={p.may} onDone={p.onDone} />
  </article>;
}

export function IncidentsPage(p: { session: Session }): JSX.Element {
  const open = useGet<Page<Incident>>("incidents?open=true&limit=100", ["incidents", "outages"], get);
  const closed = useGet<Page<Incident>>("incidents?open=false&limit=50", ["incidents"], get);
  const rank = (i: Incident): number => (i.acked ? 10 : 0) + ["critical", "warning", "info"].indexOf(i.severity);
  return <>
    <h1>{t("incidents")}</h1>
    <Await of={open}>{(o) => o.items.length === 0 ? <div class="notice good calm"><p><b>{t("allWell")}</b></p><p class="quiet"><a href="#/board">{t("allWellHint")}</a></p></div> :
      <div class="incidents">{[...o.items].sort((a, b) => rank(a) - rank(b)).map((i) => <Card key={i.id} of={i} may={p.session.role !== "viewer"} onDone={open.reload} />)}
        {o.next && <p class="quiet">{t("truncated")}</p>}</div>}</Await>
    <section><h2>{t("closedOnes")}</h2><Await of={closed}>{(c) => c.items.length === 0 ? <p class="quiet">{t("noneOver")}</p> :
      <div class="scroll"><table class="cardlike"><thead><tr><th>{t("incidents")}</th><th>{t("start")}</th><th>{t("duration")}</th><th>{t("affected")}</th><th>{t("cause")}</th><th>{t("ackedBy")}</th></tr></thead>
        <tbody>{c.items.map((i) => <tr key={i.id}><td><a href={`#/incidents/${encodeURIComponent(i.id)}`}>{title(i)}</a></td><td data-label={t("start")}>{time(i.opened)}</td><td data-label={t("duration")}>{lasted(i.duration_s)}</td>
          <td data-label={t("affected")}>{number(i.n_affected)}</td><td data-label={t("cause")}>{i.problem?.cause ? causeName(i.problem.cause) : "–"}</td><td data-label={t("ackedBy")}>{i.acked_by ?? "–"}</td></tr>)}</tbody></table></div>}</Await></section>
  </>;
}

const messageState = (s: string): string => (s === "failed" ? t("failedMessage") : word(s));

export function IncidentPage(p: { id: string; session: Session }): JSX.Element {
  const got = useGet<Incident>(`incidents/${encodeURIComponent(p.id)}`, ["incidents", "outages"]);
  const [row, setRow] = useState<number>();
  const [outage, setOutage] = useState<string>();
  return <>
    <nav class="crumbs"><a href="#/incidents">{t("incidents")}</a></nav>
    <Await of={got}>{(i) => <>
      <article class={`card incident st-${(i.problem ? kindState(i.problem.kind) : "UNKNOWN").toLowerCase()}`} data-incident={i.id}>
        <Lead of={i} level={2} />
        {i.open && i.problem && <Steps kind={i.problem.kind} cause={i.problem.cause} />}
        {(i.open || i.acked) && <Ack of={i} may={p.session.role !== "viewer"} onDone={got.reload} />}
        <p class="quiet">{t("rule")} {i.rule} · {i.id}{i.level > 0 && ` · ${t("escalationLevel")} ${i.level}`}</p>
      </article>
      <section><h2>{t("members")}</h2><div class="scroll"><table class="cardlike"><thead><tr><th>{t("state")}</th><th>{t("agency")}</th><th>{t("start")}</th><th>{t("end")}</th><th>{t("reason")}</th><th>{t("evidence")}</th></tr></thead>
        <tbody>{i.members?.map((m) => <tr key={m.id}><td>{kindName(m.kind)}</td><td data-label={t("agency")}>{m.agency ? <a href={agencyHref(m.agency)}>{m.agency_name ?? m.agency}</a> : "–"} <small class="quiet">{m.subject}</small></td>
          <td data-label={t("start")}>{time(m.opened)}</td><td data-label={t("end")}>{m.closed ? time(m.closed) : <span class="tag warn">{t("stillOpen")}</span>}</td><td data-label={t("reason")}>{why(m.kind, m.reason)}</td>
          <td data-label={t("evidence")}><Rows ids={m.evidence} onRow={setRow} />{m.outage && <button class="link" onClick={() => setOutage(m.outage!)}>{t("details")}</button>}</td></tr>)}</tbody></table></div></section>
      <section><h2>{t("messages")}</h2>{!i.messages?.length ? <p class="quiet">{t("noMessages")}</p> : <div class="scroll"><table class="cardlike"><thead><tr><th>{t("channel")}</th><th>{t("kind")}</th><th>{t("state")}</th><th>{t("at")}</th></tr></thead>
        <tbody>{i.messages.map((m, n) => <tr key={n}><td><b>{m.channel}</b></td><td data-label={t("kind")}>{word(m.kind)}</td><td data-label={t("state")} class={m.state === "failed" ? "bad" : ""}>{m.state === "sent" ? "✓" : m.state === "failed" ? "✕" : "…"} {messageState(m.state)}{m.last_error && <small class="quiet"> {m.last_error}</small>}</td><td data-label={t("at")}>{time(m.sent ?? m.created)}</td></tr>)}</tbody></table></div>}</section>
      <section><h2>{t("decisions")}</h2>{!i.decisions?.length ? <p class="quiet">{t("noDecisions")}</p> : <ol class="decisions">{i.decisions.map((d, n) => <li key={n}><time>{time(d.at)}</time> <b>{d.decision}</b> <span>{sentence(d.reason)}</span></li>)}</ol>}</section>
    </>}</Await>
    {outage && <OutageDialog key={outage} id={outage} session={p.session} onClose={() => setOutage(undefined)} />}
    {row && <RowDialog key={row} id={row} onClose={() => setRow(undefined)} />}
  </>;
}
