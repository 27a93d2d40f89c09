// One link: its state, its time line, the month's availability, its outages.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Link, Session, Timeline } from "./api";
import { Axis, Bars, Legend, useWidth } from "./bars";
import { why } from "./causes";
import { ago, millis, percent, rates, time } from "./format";
import { useGet } from "./hooks";
import { t, word } from "./i18n";
import { agencyHref, Await, Rows, State } from "./parts";
import { RowDialog } from "./explain";
import { OutageDialog } from "./outage";
import { OutageTable, RangeSwitch, useRange } from "./outages";
import { Availability } from "./availability";
import { BandwidthSection } from "./bandwidth";
import { WanEvidence } from "./wan";
import { Smoke } from "./smoke";
import { Spark } from "./spark";

export function LinkPage(p: { id: string; session: Session }): JSX.Element {
  const [hours, setHours] = useState(168);
  const range = useRange(hours, p.id);
  const link = useGet<Link>(`links/${encodeURIComponent(p.id)}`, ["links"]);
  const got = useGet<Timeline>(`links/${encodeURIComponent(p.id)}/timeline?${range.query}`, ["links", "outages", "maintenance"]);
  const [open, setOpen] = useState<string>();
  const [row, setRow] = useState<number>();
  const [box, width] = useWidth();
  return <>
    <Await of={link}>{(l) => <>
      <nav class="crumbs"><a href="#/board">{t("board")}</a> / <a href={agencyHref(l.agency)}>{l.agency_name ?? l.agency}</a></nav>
      <div class="head"><h1>{l.id} <small class="quiet">{word(l.kind)} · {word(l.role)}{l.provider && ` · ${l.provider}`}</small></h1><span class="bigger"><State of={l.state} /></span></div>
      <p class={l.state === "UP" ? "quiet" : "why"}>{why(l.why, l.reason)}{l.since && ` (${t("since")} ${time(l.since)})`} <Rows ids={l.evidence} onRow={setRow} /></p>
    </>}</Await>
    <section class="card chart"><div class="head"><h2>{t("timeline")}</h2><RangeSwitch hours={hours} onChange={setHours} /></div>
      <div ref={box}><Legend />
        <Await of={got}>{(x) => <>
          <Axis from={range.from} to={range.to} width={width} />
          <Bars link={x.link} spans={x.spans} outages={x.outages} from={range.from} to={range.to} width={width} onOutage={setOpen} />
          {x.spans.length === 0 && <p class="why">? {t("noSpans")}</p>}
          {x.truncated && <p class="quiet">{t("truncated")}</p>}
          {x.maintenance.map((m) => <p key={m.id} class="quiet">⚒ {t("maintenance")}: {time(m.from)} – {time(m.to)} · {m.reason} ({m.actor})</p>)}
        </>}</Await></div></section>
    <section><h2>{t("outages")}</h2><Await of={got}>{(x) => <OutageTable items={[...x.outages].reverse()} withLink={false} onOutage={setOpen} />}</Await></section>
    <BandwidthSection link={p.id} onRow={setRow} />
    <Await of={link}>{(l) => l.wan ? <section class="card" data-wan={l.wan.answer}><h2>{t("wanConnected")}</h2><WanEvidence of={l.wan} onRow={setRow} /></section> : <></>}</Await>
    <Smoke link={p.id} hours={hours} />
    <Availability link={p.id} />
    <Await of={link}>{(l) => <section class="card"><dl class="facts">
      <div><dt>{t("rtt")}</dt><dd>{millis(l.rtt_s)}</dd></div><div><dt>{t("loss")}</dt><dd>{percent(l.loss)}</dd></div>
      <div><dt>{t("usedNow")}</dt><dd>{rates(l.used)}</dd></div>
      <div><dt>{t("measured")}</dt><dd>{l.agent} · {ago(l.measured)}</dd></div></dl>
      {l.agent && <Spark agent={l.agent} name={l.series.rtt_avg} label={t("rtt")} />}</section>}</Await>
    {open && <OutageDialog key={open} id={open} session={p.session} onClose={() => setOpen(undefined)} />}
    {row && <RowDialog key={row} id={row} onClose={() => setRow(undefined)} />}
  </>;
}
