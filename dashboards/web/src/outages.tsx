// Outages through time: bars of every link that had trouble, and the list of them.
import { useEffect, useState } from "preact/hooks";
import type { JSX } from "preact";
import { all, get, type LinkTimeline, type Outage, type Page, type Session } from "./api";
import { Axis, Bars, Legend, useWidth } from "./bars";
import { CAUSES, causeName } from "./causes";
import { lasted, time } from "./format";
import { useGet } from "./hooks";
import { lang, t } from "./i18n";
import { Await, linkHref, State } from "./parts";
import { OutageDialog } from "./outage";

const HOURS = [6, 24, 168, 720] as const;

const rangeName = (hours: number): string =>
  new Intl.NumberFormat(lang(), { style: "unit", unit: hours > 24 ? "day" : "hour", unitDisplay: "long" }).format(hours > 24 ? hours / 24 : hours);

export const RangeSwitch = (p: { hours: number; onChange: (hours: number) => void }): JSX.Element => (
  <div class="switch many" role="group" aria-label={t("range")}>{HOURS.map((h) => <button key={h} aria-pressed={p.hours === h} onClick={() => p.onChange(h)}>{rangeName(h)}</button>)}</div>
);

// The end of the range stands still until the page is told to look again.
export function useRange(hours: number, topics: unknown): { from: number; to: number; query: string } {
  const [to, set] = useState(Date.now());
  useEffect(() => set(Date.now()), [hours, topics]);
  const from = to - hours * 3600e3;
  const iso = (ms: number): string => new Date(ms).toISOString();
  return { from, to, query: `from=${iso(from)}&to=${iso(to)}` };
}

export function OutageTable(p: { items: Outage[]; withLink: boolean; onOutage: (id: string) => void }): JSX.Element {
  if (p.items.length === 0) return <p class="quiet">{t("noOutages")}</p>;
  return <div class="scroll"><table class="cardlike"><thead><tr><th>{t("state")}</th>{p.withLink && <th>{t("agency")}</th>}<th>{t("start")}</th><th>{t("end")}</th><th>{t("duration")}</th><th>{t("cause")}</th><th>{t("ticket")}</th></tr></thead>
    <tbody>{p.items.map((o) => <tr key={o.id} data-outage-row={o.id}>
      <td><State of={o.state} /></td>
      {p.withLink && <td><b>{o.agency_name ?? o.agency}</b><br /><a class="small" href={linkHref(o.link)}>{o.link}</a>{o.provider && <span class="quiet small"> · {o.provider}</span>}</td>}
      <td data-label={t("start")}>{time(o.start)}</td>
      <td data-label={t("end")}>{o.open ? <span class="tag warn">{t("stillOpen")}</span> : time(o.end)}</td>
      <td data-label={t("duration")}>{lasted(o.duration_s)} <span class="tag">{t(o.corrected ? "correctedTag" : "estimateTag")}</span></td>
      <td data-label={t("cause")}>{causeName(o.cause)}{o.behind > 0 && <span class="tag">+{o.behind}</span>}</td>
      <td data-label={t("ticket")}>{o.ticket ?? "–"} <button class="link" onClick={() => p.onOutage(o.id)}>{t("details")}</button></td>
    </tr>)}</tbody></table></div>;
}

export function OutagesPage(p: { session: Session }): JSX.Element {
  const [hours, setHours] = useState(24);
  const [provider, setProvider] = useState("");
  const [cause, setCause] = useState("");
  const [agency, setAgency] = useState("");
  const [troubled, setTroubled] = useState(true);
  const [open, setOpen] = useState<string>();
  const tree = useGet<{ items: { id: string; name: string; level: string }[] }>("agency-tree");
  const links = useGet<{ provider: string | null }[]>("links", [], (path) => all(path));
  const range = useRange(hours, provider + agency);
  const filters = (provider && `&provider=${encodeURIComponent(provider)}`) + (agency && `&agency=${encodeURIComponent(agency)}`);
  const bars = useGet<Page<LinkTimeline>>(`timelines?limit=200&${range.query}${filters}${troubled ? "&troubled=true" : ""}`, ["links", "outages"], get);
  const list = useGet<Page<Outage>>(`outages?limit=200&${range.query}${filters}${cause && `&cause=${cause}`}`, ["outages"], get);
  const [box, width] = useWidth();
  const providers = [...new Set((links.data ?? []).map((l) => l.provider).filter((v): v is string => !!v))].sort();
  const label = width > 700 ? 210 : 0, chart = Math.max(0, width - label - 26);
  return <>
    <div class="head"><h1>{t("outages")}</h1><RangeSwitch hours={hours} onChange={setHours} /></div>
    <form class="row filters" onSubmit={(e) => e.preventDefault()}>
      <label>{t("agency")}<select value={agency} onChange={(e) => setAgency(e.currentTarget.value)}><option value="">{t("allStates")}</option>
        {tree.data?.items.filter((a) => a.level !== "commune").map((a) => <option key={a.id} value={a.id}>{a.name}</option>)}</select></label>
      <label>{t("provider")}<select value={provider} onChange={(e) => setProvider(e.currentTarget.value)}><option value="">{t("allProviders")}</option>{providers.map((v) => <option key={v}>{v}</option>)}</select></label>
      <label class="check"><input type="checkbox" checked={troubled} onChange={(e) => setTroubled(e.currentTarget.checked)} /> {t("troubledOnly")}</label>
    </form>
    <section class="card chart" aria-label={t("timeline")}><div ref={box}>
      <Legend />
      <Await of={bars}>{(b) => b.items.length === 0 ? <p class="quiet">{t("noTimeline")}</p> : <>
        <div class="barrow axisrow"><span class="barname" /><Axis from={range.from} to={range.to} width={chart} /></div>
        {b.items.map((l) => <div class="barrow" key={l.link}>
          <span class="barname"><a href={linkHref(l.link)}>{l.agency_name ?? l.agency}</a> <small class="quiet">{l.link}</small></span>
          <Bars link={l.link} spans={l.spans} outages={l.outages} from={range.from} to={range.to} width={chart} onOutage={setOpen} />
        </div>)}
        {(b.next || b.items.some((l) => l.truncated)) && <p class="quiet">{t("truncated")}</p>}
      </>}</Await></div></section>
    <section><div class="head"><h2>{t("outageList")}</h2>
      <label class="inline">{t("cause")} <select value={cause} onChange={(e) => setCause(e.currentTarget.value)}><option value="">{t("allStates")}</option>{CAUSES.map((c) => <option key={c} value={c}>{causeName(c)}</option>)}</select></label></div>
      <Await of={list}>{(o) => <><OutageTable items={o.items} withLink onOutage={setOpen} />{o.next && <p class="quiet">{t("truncated")}</p>}</>}</Await></section>
    {open && <OutageDialog key={open} id={open} session={p.session} onClose={() => setOpen(undefined)} />}
  </>;
}
