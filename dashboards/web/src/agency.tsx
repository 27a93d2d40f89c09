// One agency: its four values, links, machines, posture and agents, each with its evidence.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { call, Problem, type Agency, type Agent, type Link, type Machine, type Machines, type Page, type Posture, type Session, type Value } from "./api";
import { ago, date, millis, number, percent, rates, time } from "./format";
import { useGet } from "./hooks";
import { t, word, type Key } from "./i18n";
import { Await, linkHref, Rows, State, Values } from "./parts";
import { why } from "./causes";
import { Explain, RowDialog } from "./explain";
import { AgentTable } from "./agents";
import { Spark } from "./spark";
import { Findings } from "./bandwidth";
import { WanSection } from "./wan";

type OnRow = (id: number) => void;
const CLASSES = ["computer", "server", "printer", "phone", "mobile", "camera", "network", "storage", "ups", "iot", "unknown"];
const className = (c: string): string => (c === "unknown" ? t("unknownClass") : word(c));

function LinkCard(p: { of: Link; onRow: OnRow }): JSX.Element {
  const l = p.of;
  return (
    <article class="card linkcard" data-link={l.id}>
      <header><h3><a href={linkHref(l.id)}>{l.id}</a></h3><State of={l.state} /></header>
      <p class="quiet">{word(l.kind)} · {word(l.role)}{l.provider && ` · ${l.provider}`}{l.line_type && ` · ${l.line_type}`}</p>
      <p class={l.state === "UNKNOWN" ? "why" : "quiet"}>{why(l.why, l.reason)}{l.since && ` (${t("since")} ${time(l.since)})`}</p>
      <dl class="facts">
        <div><dt>{t("rtt")}</dt><dd>{millis(l.rtt_s)}</dd></div>
        <div><dt>{t("loss")}</dt><dd>{percent(l.loss)}</dd></div>
        <div><dt>{t("contracted")}</dt><dd>{rates(l.contracted)}</dd></div>
        <div><dt>{t("negotiated")}</dt><dd>{rates(l.negotiated)}</dd></div>
        <div><dt>{t("measuredRate")}</dt><dd>{rates(l.throughput)}</dd></div>
        <div><dt>{t("used")} (p95)</dt><dd>{rates(l.used_p95)}</dd></div>
      </dl>
      <Findings of={l.findings} />
      {l.agent && <Spark agent={l.agent} name={l.series.rtt_avg} label={t("rtt")} />}
      <footer><span class="quiet">{l.agent} · {ago(l.measured)}</span> <Rows ids={l.evidence} onRow={p.onRow} /></footer>
    </article>
  );
}

function MachineRow(p: { of: Machine; agency: string; may: boolean; onRow: OnRow; onChange: () => void }): JSX.Element {
  const m = p.of;
  const [error, setError] = useState("");
  const correct = async (cls: string): Promise<void> => {
    try {
      await call("PUT", `machines/${p.agency}/${encodeURIComponent(m.id)}`, { class: cls });
      p.onChange();
    } catch (e) { setError(e instanceof Problem ? e.detail : String(e)); }
  };
  return (
    <tr data-machine={m.id}>
      <td data-label={t("class")} title={m.why}>{className(m.class)} <small class="quiet">{percent(m.confidence)}</small>{m.correction && <span class="tag">{t("corrected")}</span>}
        {p.may && <select aria-label={`${t("correct")}: ${m.hostname ?? m.id}`} value="" onChange={(e) => { const c = e.currentTarget.value; if (c) void correct(c); }}>
          <option value="">{t("correct")}…</option>{CLASSES.filter((c) => c !== m.class && c !== "unknown").map((c) => <option key={c} value={c}>{className(c)}</option>)}</select>}
        {error && <p class="notice bad" role="alert">{error}</p>}</td>
      <td data-label={t("name")}>{m.hostname ?? <span class="quiet">–</span>}</td>
      <td data-label={t("vendor")}>{m.vendor ?? <span class="quiet">–</span>}{m.random_mac && <span class="tag">{t("randomMac")}</span>}</td>
      <td data-label={t("addresses")}><code>{m.nics.map((n) => n.ipv4 ?? n.mac).join(", ")}</code></td>
      <td data-label={t("lastSeen")}>{ago(m.last)} <Rows ids={m.evidence} onRow={p.onRow} /></td>
    </tr>
  );
}

function MachineList(p: { agency: string; may: boolean; onRow: OnRow }): JSX.Element {
  const [after, setAfter] = useState("");
  const got = useGet<Machines>(`machines?agency=${p.agency}&limit=100${after && "&after=" + encodeURIComponent(after)}`, ["index"]);
  return (
    <Await of={got}>{(m) => m.classes.length === 0 ? <p class="quiet">{t("noMachines")}</p> : <>
      <p class="chips">{m.classes.map((c) => <span key={c.class} class="chip"><b>{number(c.machines)}</b> {className(c.class)}</span>)}</p>
      {m.subnets.map((s) => <p key={s.subnet} class="quiet">{t("subnet")} <code>{s.subnet}</code>: {s.probed}/{s.targets} {t("probed")}</p>)}
      <div class="scroll"><table><thead><tr><th>{t("class")}</th><th>{t("name")}</th><th>{t("vendor")}</th><th>{t("addresses")}</th><th>{t("lastSeen")}</th></tr></thead>
        <tbody>{m.items.map((x) => <MachineRow key={x.id} of={x} agency={p.agency} may={p.may} onRow={p.onRow} onChange={got.reload} />)}</tbody></table></div>
      {m.next && <button onClick={() => setAfter(m.next!)}>{t("more")}</button>}
    </>}</Await>
  );
}

function PostureList(p: { agency: string; onRow: OnRow }): JSX.Element {
  const got = useGet<Posture>(`posture?agency=${p.agency}`, ["index"]);
  const answer = (a: string): JSX.Element => <span class={`answer ${a}`}>{a === "yes" ? "✓" : a === "no" ? "✕" : "?"} {word(a)}</span>;
  return (
    <Await of={got}>{(x) => x.findings.length + x.declarations.length === 0 ? <p class="quiet">{t("noPosture")}</p> :
      <div class="scroll"><table><thead><tr><th>{t("check")}</th><th>{t("answer")}</th><th>{t("seen")}</th><th>{t("source")}</th></tr></thead><tbody>
        {x.findings.map((f) => <tr key={f.agent + f.check}><td>{f.check}</td><td>{answer(f.answer)}</td><td>{f.seen}{f.count !== null && ` (${number(f.count)})`}</td>
          <td>{t("measured")} · {f.agent} · {ago(f.at)} <Rows ids={[f.evidence]} onRow={p.onRow} /></td></tr>)}
        {x.declarations.map((d) => <tr key={"d" + d.solution}><td>{d.solution}</td><td>{answer(d.answer)} {d.expired && <span class="tag warn">{t("expired")}</span>}</td>
          <td>{[d.document, d.signer].filter(Boolean).join(" · ")}</td><td>{t("declared")} · {date(d.declared)} <Rows ids={[d.evidence]} onRow={p.onRow} /></td></tr>)}
      </tbody></table></div>}</Await>
  );
}

export function AgencyPage(p: { id: string; session: Session }): JSX.Element {
  const topics = ["index", "links", "presence"];
  const agency = useGet<Agency>(`agencies/${encodeURIComponent(p.id)}`, topics);
  const links = useGet<Page<Link>>(`links?agency=${encodeURIComponent(p.id)}`, ["links"]);
  const agents = useGet<Page<Agent>>(`agents?agency=${encodeURIComponent(p.id)}`, ["presence", "index"]);
  const [own, setOwn] = useState(false);
  const [explained, explain] = useState<Value>();
  const [row, setRow] = useState<number>();
  return (
    <Await of={agency}>{(a) => <>
      <nav class="crumbs"><a href="#/">{t("overview")}</a>{a.parent && <> / <a href={`#/agency/${encodeURIComponent(a.parent)}`}>{a.parent}</a></>}</nav>
      <div class="head"><h1>{a.name} <small class="quiet">{t(a.level as Key)}</small></h1><span>{a.on_backup && <span class="tag warn">⇄ {t("onBackup")}</span>} <State of={a.state} /></span></div>
      <p class="quiet">{a.servants === null ? t("unknown") : number(a.servants)} {t("servants")}{a.servants_as_of && `, ${t("asOf")} ${date(a.servants_as_of)}`} <Rows ids={a.evidence} onRow={setRow} /></p>
      {a.children > 0 && <div class="switch" role="group">
        <button aria-pressed={!own} onClick={() => setOwn(false)}>{t("withBelow")}</button>
        <button aria-pressed={own} onClick={() => setOwn(true)}>{t("ownAlone")}</button></div>}
      <Values values={(own ? a.index_own : a.index) ?? []} onExplain={explain} />
      <p class="quiet">{t("provisional")}</p>
      <section><h2>{t("links")}</h2><Await of={links}>{(l) => l.items.length === 0 ? <p class="quiet">{t("noLinks")}</p> :
        <div class="cards">{l.items.map((x) => <LinkCard key={x.id} of={x} onRow={setRow} />)}</div>}</Await></section>
      <WanSection of={a.wan} onRow={setRow} />
      <section><h2>{t("machines")}</h2><MachineList key={a.id} agency={a.id} may={p.session.role !== "viewer"} onRow={setRow} /></section>
      <section><h2>{t("posture")}</h2><PostureList agency={a.id} onRow={setRow} /></section>
      <section><h2>{t("agents")}</h2><Await of={agents}>{(g) => <AgentTable agents={g.items} />}</Await></section>
      {explained && <Explain of={explained} onClose={() => explain(undefined)} />}
      {row && <RowDialog key={row} id={row} onClose={() => setRow(undefined)} />}
    </>}</Await>
  );
}
