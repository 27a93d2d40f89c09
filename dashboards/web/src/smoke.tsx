// A smoke graph: percentiles of a link's round trips through time, and what was lost. Where
// nothing was measured it stays blank.
import type { JSX } from "preact";
import { Axis, useWidth } from "./bars";
import { millis, percent, time } from "./format";
import { useGet } from "./hooks";
import { t } from "./i18n";

interface Part { at: string; sent: number; received: number; loss: number | null; p5: number | null; p25: number | null; p50: number | null; p75: number | null; p95: number | null }
interface Round { link: string; agent: string | null; agents: string[]; step_s: number; from: string; to: string; parts: Part[] }
const HEIGHT = 130;

export function Smoke(p: { link: string; hours: number }): JSX.Element {
  const to = Math.floor(Date.now() / 60000) * 60000, from = to - Math.min(p.hours, 192) * 3600e3;
  const iso = (ms: number): string => encodeURIComponent(new Date(ms).toISOString());
  const got = useGet<Round>(`links/${encodeURIComponent(p.link)}/smoke?from=${iso(from)}&to=${iso(to)}`, []);
  const [box, width] = useWidth();
  const r = got.data, parts = r?.parts.filter((x) => x.p50 !== null) ?? [];
  const top = Math.max(1e-3, ...parts.map((x) => x.p95 ?? 0)) * 1.1;
  const x = (at: string): number => ((new Date(at).getTime() - from) / (to - from)) * width;
  const y = (v: number | null): number => HEIGHT - ((v ?? 0) / top) * HEIGHT;
  const step = r ? (r.step_s * 1000 / (to - from)) * width : 0;
  return <section class="card chart" data-smoke><div class="head"><h2>{t("smoke")}</h2>{r?.agent && <span class="quiet">{r.agent}</span>}</div>
    <div ref={box}>
      {!r ? <p class="quiet">{got.error ? got.error.detail : t("loading")}</p> : r.parts.length === 0 ? <p class="quiet">{t("noSeries")}</p> : width > 0 && <>
        <Axis from={from} to={to} width={width} />
        <svg width={width} height={HEIGHT} role="img" aria-label={`${t("smoke")}: ${millis(Math.min(...parts.map((q) => q.p50!)))} – ${millis(top / 1.1)}`}>
          {r.parts.map((q) => <g key={q.at} data-part><title>{`${time(q.at)} · ${millis(q.p5)} / ${millis(q.p50)} / ${millis(q.p95)} · ${t("loss")} ${percent(q.loss)}`}</title>
            {q.p50 !== null && <><rect x={x(q.at)} width={Math.max(1, step)} y={y(q.p95)} height={Math.max(1, y(q.p5) - y(q.p95))} class="smoke-wide" />
              <rect x={x(q.at)} width={Math.max(1, step)} y={y(q.p75)} height={Math.max(1, y(q.p25) - y(q.p75))} class="smoke-half" />
              <rect x={x(q.at)} width={Math.max(1, step)} y={y(q.p50) - 1} height={2} class="smoke-mid" /></>}
            {q.loss !== null && q.loss > 0 && <circle cx={x(q.at) + step / 2} cy={6} r={Math.max(1.5, Math.min(5, 1.5 + q.loss * 10))} class="smoke-loss" />}</g>)}
          <text x={2} y={12} class="bw-name">{millis(top)}</text>
        </svg>
        <p class="quiet">{t("smokeHint")}</p></>}
    </div></section>;
}
