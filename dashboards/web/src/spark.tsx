// A small chart of one series over the last day. Gaps stay gaps.
import { useEffect, useRef } from "preact/hooks";
import type { JSX } from "preact";
import uPlot from "uplot";
import type { Series } from "./api";
import { millis } from "./format";
import { useGet } from "./hooks";
import { t } from "./i18n";

export function Spark(p: { agent: string; name: string; label: string }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const got = useGet<Series>(`series?agent=${encodeURIComponent(p.agent)}&name=${encodeURIComponent(p.name)}&points=240`, ["links"]);
  const s = got.data;
  useEffect(() => {
    if (!s || !box.current) return;
    const colour = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
    const plot = new uPlot({
      width: Math.max(160, box.current.clientWidth), height: 56, legend: { show: false }, cursor: { show: false },
      axes: [{ show: false }, { show: false }], scales: { x: { time: true } },
      padding: [4, 0, 4, 0],
      series: [{}, { stroke: colour, width: 1.5, fill: colour + "22", points: { size: 3 }, spanGaps: false }],
    }, [s.t, s.mean] as uPlot.AlignedData, box.current);
    return () => plot.destroy();
  }, [s]);
  const seen = s?.mean.filter((v): v is number => v !== null) ?? [];
  if (got.error?.status === 404 || (s && seen.length === 0)) return <p class="quiet">{t("noSeries")}</p>;
  const text = seen.length ? `${millis(Math.min(...seen))} – ${millis(Math.max(...seen))}` : "";
  return <figure class="spark"><div ref={box} role="img" aria-label={`${p.label}: ${text}`} /><figcaption class="quiet">{p.label} · {t("lastDay")} · {text}</figcaption></figure>;
}
