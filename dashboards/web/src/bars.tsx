// States through time as bars: what the core saw, and over it what the edge wrote down.
// Told apart by height and pattern as well as by colour (Okabe and Ito's, which the
// colour-blind can tell apart). Nothing recorded is drawn as unknown, never as well.
import { useEffect, useRef, useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Outage, Span } from "./api";
import { causeName, why } from "./causes";
import { clock, lasted, time } from "./format";
import { lang, locale, t, word } from "./i18n";
import { sentence } from "./reasons";
import { SHAPES, STATES } from "./parts";

const HEIGHT = 30, BAR = 22, MIN_PX = 3;
// Share of a bar's height: trouble stands tall, what is well lies low.
const TALL: Record<string, number> = { UP: 0.3, DEGRADED: 0.62, DOWN: 1, UNREACHABLE: 1, UNKNOWN: 0.82, MAINTENANCE: 0.62 };

// Once a page; every chart fills from these.
export const Patterns = (): JSX.Element => (
  <svg width="0" height="0" class="patterns" aria-hidden="true"><defs>
    <pattern id="p-unreachable" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7" class="f-unreachable" /><rect width="2.5" height="7" class="f-line" /></pattern>
    <pattern id="p-unknown" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(-45)"><rect width="6" height="6" class="f-unknown-bg" /><rect width="1.6" height="6" class="f-unknown" /></pattern>
    <pattern id="p-maintenance" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" class="f-maintenance" /><rect width="6" height="2" class="f-line" /></pattern>
    <pattern id="p-degraded" width="6" height="6" patternUnits="userSpaceOnUse"><rect width="6" height="6" class="f-degraded" /><circle cx="3" cy="3" r="1.3" class="f-line" /></pattern>
  </defs></svg>
);

const PATTERNED = new Set(["UNREACHABLE", "UNKNOWN", "MAINTENANCE", "DEGRADED"]);
const fill = (state: string): { fill?: string; class?: string } =>
  PATTERNED.has(state) ? { fill: `url(#p-${state.toLowerCase()})` } : { class: `f-${state.toLowerCase()}` };

export const Legend = (): JSX.Element => (
  <p class="legend" aria-label={t("legend")}>{STATES.map((s) => <span key={s}>
    <svg width="18" height="14" aria-hidden="true"><rect y={14 * (1 - TALL[s])} width="18" height={14 * TALL[s]} {...fill(s)} /></svg> {SHAPES[s]} {word(s)}</span>)}
    <span><svg width="18" height="14" aria-hidden="true"><path d="M1 4v8M1 8h16M17 4v8" class="edge-mark" /></svg> {t("edgeMark")}</span>
  </p>
);

export function useWidth(): [{ current: HTMLDivElement | null }, number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, set] = useState(0);
  useEffect(() => {
    if (!ref.current) return;
    const watch = new ResizeObserver((all) => set(Math.floor(all[0].contentRect.width)));
    watch.observe(ref.current);
    return () => watch.disconnect();
  }, []);
  return [ref, width];
}

interface Tick { at: number; label: string; strong: boolean }

// Hours, or days: as many as there is room for.
function ticks(from: number, to: number, width: number): Tick[] {
  const hour = 3600e3, steps = [hour, 3 * hour, 6 * hour, 12 * hour, 24 * hour, 48 * hour, 168 * hour];
  const room = Math.max(2, width / 70);
  const step = steps.find((s) => (to - from) / s <= room) ?? steps[steps.length - 1];
  const start = new Date(from);
  start.setHours(0, 0, 0, 0);
  const out: Tick[] = [];
  for (let at = start.getTime(); at < to; at += step) {
    if (at < from) continue;
    const d = new Date(at), midnight = d.getHours() === 0;
    out.push({ at, strong: midnight, label: step >= 24 * hour || midnight
      ? d.toLocaleDateString(locale(), { day: "numeric", month: "numeric" })
      : d.toLocaleTimeString(locale(), { hour: "2-digit", minute: "2-digit", hour12: false }) });
  }
  return out;
}

export function Axis(p: { from: number; to: number; width: number }): JSX.Element {
  const x = (at: number): number => ((at - p.from) / (p.to - p.from)) * p.width;
  return <svg class="axis" width={p.width} height="20" aria-hidden="true">
    {ticks(p.from, p.to, p.width).map((k) => <g key={k.at}><line x1={x(k.at)} x2={x(k.at)} y1="14" y2="20" /><text x={Math.min(x(k.at), p.width - 42) + 3} y="12" class={k.strong ? "strong" : ""}>{k.label}</text></g>)}
  </svg>;
}

interface Told { x: number; y: number; span?: Span; outage?: Outage }

function Tip(p: Told): JSX.Element {
  const o = p.outage, state = o?.state ?? p.span!.state;
  const from = o?.start ?? p.span!.from, to = o ? o.end : p.span!.to;
  const seconds = ((to === null ? Date.now() : Date.parse(to)) - Date.parse(from)) / 1000;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const w = el.offsetWidth, h = el.offsetHeight;
    el.style.left = `${Math.max(8, Math.min(p.x + 14, innerWidth - w - 8))}px`;
    el.style.top = `${p.y + 18 + h > innerHeight ? Math.max(8, p.y - h - 12) : p.y + 18}px`;
  });
  return <div class="tip" role="tooltip" ref={box}>
    <b class={`state ${state.toLowerCase()}`}>{SHAPES[state]} {word(state)}</b> <span class="quiet">{lasted(seconds)}</span>
    <p>{time(from)} – {to === null ? t("stillOpen") : time(to)}</p>
    {o ? <>
      <p><b>{t("cause")}:</b> {causeName(o.cause)} <span class="quiet">· {sentence(o.cause_reason)}</span></p>
      {o.edge ? <table><tbody>
        <tr><th>{t("estimateTag")}</th><td>{clock(o.estimate.start, null)}</td><td>{clock(o.estimate.end, null)}</td></tr>
        <tr><th>{t("correctedTag")}</th><td>{clock(o.edge.start, null)}</td><td>{clock(o.edge.end, null)}</td></tr></tbody></table>
        : <p class="quiet">{t("noCorrection")}</p>}
      {(o.evidence ?? []).length > 0 && <p class="quiet">{t("evidence")}: {(o.evidence ?? []).slice(0, 4).map((id) => `#${id}`).join(" ")}</p>}
    </> : <p class="quiet">{why(p.span!.why, p.span!.reason ?? word(state))}</p>}
  </div>;
}

// One link's bars. `onOutage` is asked for when an outage is chosen.
export function Bars(p: { link: string; spans: Span[]; outages: Outage[]; from: number; to: number; width: number;
  onOutage?: (id: string) => void }): JSX.Element {
  const [told, tell] = useState<Told>();
  if (p.width < 20) return <></>;
  const x = (at: number): number => Math.max(0, Math.min(1, (at - p.from) / (p.to - p.from))) * p.width;
  const now = Math.min(p.to, Date.now());
  const place = (from: string, to: string | null): [number, number] => {
    const a = x(Date.parse(from)), b = x(to === null ? now : Date.parse(to));
    return [Math.min(a, p.width - MIN_PX), Math.max(MIN_PX, b - a)];
  };
  const outageOf = (s: Span): Outage | undefined => p.outages.find((o) => (s.state === "DOWN" || s.state === "UNREACHABLE")
    && Date.parse(o.estimate.start!) < (s.to === null ? Infinity : Date.parse(s.to)) && (o.estimate.end === null || Date.parse(o.estimate.end) > Date.parse(s.from)));
  const events = (m: Omit<Told, "x" | "y">): { onPointerMove: (e: PointerEvent) => void; onPointerLeave: () => void; onClick: () => void } => ({
    onPointerMove: (e) => tell({ ...m, x: e.clientX, y: e.clientY }),
    onPointerLeave: () => tell(undefined),
    onClick: () => { if (m.outage) { tell(undefined); p.onOutage?.(m.outage.id); } },
  });
  // Trouble is drawn last, so that what is short is not hidden.
  const spans = [...p.spans].sort((a, b) => TALL[a.state] - TALL[b.state]);
  const summary = `${p.link}: ${p.outages.length} ${t("outagesCount").toLowerCase()}`;
  return <div class="bars" data-bars={p.link}>
    <svg width={p.width} height={HEIGHT} role="img" aria-label={summary} lang={lang()}>
      <rect x="0" y={BAR * (1 - TALL.UNKNOWN)} width={x(now)} height={BAR * TALL.UNKNOWN} {...fill("UNKNOWN")} opacity=".55" {...events({ span: { from: new Date(p.from).toISOString(), to: null, state: "UNKNOWN", why: "", reason: t("noSpans") } })} />
      {spans.map((s) => {
        const [at, w] = place(s.from, s.to), o = outageOf(s);
        return <g key={s.from} {...events(o ? { span: s, outage: o } : { span: s })} class={o ? "pick" : ""}>
          <rect x={at} y="0" width={w} height={BAR} class="f-clear" />
          <rect x={at} y={BAR * (1 - TALL[s.state])} width={w} height={BAR * TALL[s.state]} {...fill(s.state)} data-state={s.state} data-outage={o?.id} />
        </g>;
      })}
      {p.outages.filter((o) => o.edge).map((o) => {
        const [at, w] = place(o.start, o.end);
        return <path key={o.id} class="edge-mark" data-edge={o.id} d={`M${at} ${BAR + 1}v6M${at} ${BAR + 4}h${w}M${at + w} ${BAR + 1}v6`} />;
      })}
    </svg>
    {told && <Tip {...told} />}
  </div>;
}
