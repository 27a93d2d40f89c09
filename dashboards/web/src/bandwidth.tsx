// What is contracted, negotiated, measured and used of one link, side by side per direction; what
// contradicts what; the month day by day. What is unknown is hatched and says why; it is never 0.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Bandwidth, BandwidthDay, Figure, Finding, Way } from "./api";
import { useWidth } from "./bars";
import { number, percent, rate, time } from "./format";
import { useGet } from "./hooks";
import { lang, locale, t, type Key } from "./i18n";
import { Rows } from "./parts";
import { sentence } from "./reasons";

const FOUR = ["contracted", "negotiated", "measured", "used"] as const;
const NAME = { contracted: "contracted", negotiated: "negotiated", measured: "measuredRate", used: "used" } as const;
const ROW = 34, BAR = 14, LABEL = 104, VALUE = 118;
type OnRow = (id: number) => void;

const most = (w: Way): number => Math.max(1, ...FOUR.flatMap((k) => [w[k].value ?? 0, w[k].high ?? 0]));

// One figure: its bar, the interval of a test, the busy hour of what is used.
function Bar(p: { of: Figure; what: (typeof FOUR)[number]; y: number; width: number; top: number }): JSX.Element {
  const f = p.of, room = Math.max(10, p.width - LABEL - VALUE);
  const x = (v: number): number => LABEL + (v / p.top) * room;
  const mid = p.y + ROW / 2;
  const label = f.value === null ? `? ${t("unknown")}` : rate(f.value);
  return <g data-figure={p.what} data-status={f.status}>
    <title>{`${t(NAME[p.what])}: ${label}`}</title>
    <text x={0} y={mid + 4} class="bw-name">{t(NAME[p.what])}</text>
    {f.value === null
      ? <rect x={LABEL} y={mid - BAR / 2} width={room} height={BAR} fill="url(#p-unknown)" />
      : <rect x={LABEL} y={mid - BAR / 2} width={Math.max(2, x(f.value) - LABEL)} height={BAR} class={`bw-${p.what}`} />}
    {f.low != null && f.high != null && <path class="bw-mark" d={`M${x(f.low)} ${mid - 5}v10M${x(f.low)} ${mid}H${x(f.high)}M${x(f.high)} ${mid - 5}v10`} />}
    {f.busy_hour_mean != null && f.value !== null && <path class="bw-mark" d={`M${x(Math.min(f.busy_hour_mean, p.top))} ${mid - BAR / 2 - 3}v${BAR + 6}`}><title>{`${t("busyHour")} ${f.busy_hour} h: ${rate(f.busy_hour_mean)}`}</title></path>}
    <text x={p.width} y={mid + 4} text-anchor="end" class={f.value === null ? "bw-unknown" : "bw-value"}>{label}</text>
  </g>;
}

function Direction(p: { name: "down" | "up"; of: Way; width: number; onRow: OnRow }): JSX.Element {
  const top = most(p.of);
  const text = FOUR.map((k) => `${t(NAME[k])} ${p.of[k].value === null ? t("unknown") : rate(p.of[k].value)}`).join(", ");
  return <div data-way={p.name}>
    <h3>{p.name === "down" ? "↓" : "↑"} {t(p.name === "down" ? "downstream" : "upstream")}</h3>
    <svg width={p.width} height={FOUR.length * ROW} role="img" aria-label={`${t(p.name === "down" ? "downstream" : "upstream")}: ${text}`}>
      {FOUR.map((k, i) => <Bar key={k} of={p.of[k]} what={k} y={i * ROW} width={p.width} top={top} />)}
    </svg>
    <ul class="plain">{FOUR.map((k) => <Source key={k} what={k} of={p.of[k]} onRow={p.onRow} />)}</ul>
  </div>;
}

// Where a figure comes from, or why there is none.
function Source(p: { what: (typeof FOUR)[number]; of: Figure; onRow: OnRow }): JSX.Element {
  const f = p.of;
  if (f.value === null)
    return <li class="why"><b>{t(NAME[p.what])}:</b> {sentence(f.reason ?? "")}. {t("cure")}: {sentence(f.cure ?? "")}.</li>;
  const more = [f.source ? t(f.source as Key) : "", f.agent ?? "", f.at ? time(f.at) : "",
    f.low != null && f.high != null ? `${t("interval")} ${rate(f.low)} – ${rate(f.high)}` : "",
    f.interface ? `${f.interface}${f.interface_why ? ` (${sentence(f.interface_why)})` : ""}` : "",
    f.coverage != null ? `${t("coverage")} ${percent(f.coverage)}` : "",
    f.busy_hour != null ? `${t("busyHour")} ${f.busy_hour}–${f.busy_hour + 1} h: ${rate(f.busy_hour_mean ?? null)}` : "",
    f.confidence != null ? `${t("confidence")} ${percent(f.confidence)}` : ""].filter(Boolean);
  return <li class="why"><b>{t(NAME[p.what])}:</b> {more.join(" · ")} <Rows ids={f.evidence} onRow={p.onRow} /></li>;
}

export const Findings = (p: { of: Finding[] }): JSX.Element | null => p.of.length === 0 ? null :
  <div class="notice bad" data-findings role="note"><b>{t("findings")}</b><ul class="plain">{p.of.map((f) => <li key={f.kind + f.way} data-finding={f.kind}>
    ⚠ {sentence(f.text)}. <span class="quiet">{t("cure")}: {sentence(f.cure)}.</span></li>)}</ul></div>;

// The days of a month: the 95th percentile of each, against what is contracted.
function Days(p: { of: BandwidthDay[]; way: "down" | "up"; contracted: number | null; width: number }): JSX.Element {
  const height = 90, step = p.width / Math.max(28, p.of.length), top = Math.max(1, p.contracted ?? 0, ...p.of.map((d) => d[p.way].p95 ?? 0));
  const y = (v: number): number => height - (v / top) * (height - 4);
  const day = (d: BandwidthDay): string => new Date(d.from).toLocaleDateString(locale(), { timeZone: "Asia/Ho_Chi_Minh", day: "numeric", month: "numeric" });
  const name = (d: BandwidthDay): string => (lang() === "vi" ? d.name_vi : d.name_en) ?? "";
  return <svg width={p.width} height={height + 16} role="img" aria-label={t("usedByDay")} data-days={p.way}>
    {p.of.map((d, i) => {
      const v = d[p.way].p95;
      return <g key={d.from} data-kind={d.kind}><title>{`${day(d)} ${name(d)}${d.provisional ? ` (${t("notDecided")})` : ""} · ${v === null ? t("unknown") : rate(v)} · ${t("coverage")} ${percent(d.coverage)}`}</title>
        {!d.works && <rect x={i * step} y={0} width={step} height={height} class="bw-off" />}
        {v === null ? <rect x={i * step + 1} y={height - 8} width={Math.max(1, step - 2)} height={8} fill="url(#p-unknown)" />
          : <rect x={i * step + 1} y={y(v)} width={Math.max(1, step - 2)} height={height - y(v)} class="bw-used" />}
        {i % 5 === 0 && <text x={i * step + 1} y={height + 13} class="bw-name">{day(d)}</text>}
      </g>;
    })}
    {p.contracted !== null && <path d={`M0 ${y(p.contracted)}H${p.width}`} class="bw-line"><title>{`${t("contracted")} ${rate(p.contracted)}`}</title></path>}
  </svg>;
}

const monthNow = (): string => { const d = new Date(); return `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, "0")}`; };

export function BandwidthSection(p: { link: string; onRow: OnRow }): JSX.Element {
  const [month, setMonth] = useState(monthNow());
  const got = useGet<Bandwidth>(`links/${encodeURIComponent(p.link)}/bandwidth?month=${month}`, ["links"]);
  const [box, width] = useWidth();
  const b = got.data, f = b?.figures;
  return <section class="card" data-bandwidth><div class="head"><h2>{t("bandwidthOfLink")}</h2>
    {f && <span class="quiet">{t("computedAt")} {time(f.computed)}</span>}</div>
    <div ref={box}>
      {!b ? <p class="why">{got.error ? `? ${got.error.detail}` : t("loading")}</p> : !f ? <p class="why">? {t("notCounted")}</p> : <>
        <Findings of={f.findings} />
        {width > 0 && <div class="bw-ways"><Direction name="down" of={f.down} width={way(width)} onRow={p.onRow} /><Direction name="up" of={f.up} width={way(width)} onRow={p.onRow} /></div>}
        {f.newest_test && f.newest_test.status !== "ok" && <p class="why">{t("newestTest")} ({time(f.newest_test.at)}): {f.newest_test.status} <Rows ids={f.newest_test.evidence} onRow={p.onRow} /></p>}
        {f.used_window.gaps.map((g) => <p key={g.reason} class="why">{t("pollGaps")}: {number(g.times)} × {sentence(g.reason)}</p>)}
        <div class="head"><h3>{t("usedByDay")}</h3><label class="inline">{t("month")} <input type="month" value={month} onChange={(e) => e.currentTarget.value && setMonth(e.currentTarget.value)} /></label></div>
        {b.days.length === 0 ? <p class="quiet">{t("noSeries")}</p> : width > 0 && <div class="bw-ways">
          <Days of={b.days} way="down" contracted={f.down.contracted.value} width={way(width)} /><Days of={b.days} way="up" contracted={f.up.contracted.value} width={way(width)} /></div>}
        {b.months.length > 0 && <div class="scroll"><table class="small"><thead><tr><th>{t("month")}</th><th>p95 ↓</th><th>p95 ↑</th><th>{t("busyHour")}</th><th>{t("officeMean")}</th><th>{t("coverage")}</th></tr></thead>
          <tbody>{[...b.months].reverse().map((m) => <tr key={m.month}><td>{m.month}</td><td class="num">{m.down.p95 === null ? t("unknown") : rate(m.down.p95)}</td><td class="num">{m.up.p95 === null ? t("unknown") : rate(m.up.p95)}</td>
            <td class="num">{m.down.busy_hour === null ? "–" : `${m.down.busy_hour} h · ${rate(m.down.busy_hour_mean)}`}</td><td class="num">{rate(m.down.office_mean)}</td><td class="num">{percent(m.coverage)}</td></tr>)}</tbody></table></div>}
      </>}
    </div></section>;
}

// Both directions stand beside each other where there is room.
const way = (width: number): number => (width >= 820 ? Math.floor((width - 32) / 2) : width);
