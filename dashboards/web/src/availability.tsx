// The month's availability of a link, with the rules it was counted by. What is unknown and
// what was maintenance stand apart: they are neither up nor down.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { lasted, number } from "./format";
import { useGet } from "./hooks";
import { lang, locale, t } from "./i18n";

interface Figures {
  up_s: number; degraded_s: number; down_s: number; unreachable_s: number; unknown_s: number; maintenance_s: number;
  outages: number; outage_minutes: number; availability: number | null; service_availability: number | null;
  coverage: number | null; mttr_s: number | null; mtbf_s: number | null;
}
interface Month { month: string; counted_to: string; truncated: boolean; total: Figures; rules: { vi: string; en: string }[] }

// Never rounded up to 100 %.
const share = (v: number | null): string => v === null ? t("UNKNOWN") :
  new Intl.NumberFormat(locale(), { style: "percent", minimumFractionDigits: 3, maximumFractionDigits: 3 }).format(Math.floor(v * 1e5) / 1e5);

// This month where the person sits.
const thisMonth = (): string => { const d = new Date(); return `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, "0")}`; };

export function Availability(p: { link: string }): JSX.Element {
  const [month, setMonth] = useState(thisMonth());
  const got = useGet<Month>(`availability?scope=link&id=${encodeURIComponent(p.link)}&month=${month}`, ["outages", "maintenance"]);
  const f = got.data?.total;
  const span = (s: number | null): string => (s === null ? "–" : lasted(s));
  const parts: [string, number][] = f ? [["UP", f.up_s], ["DEGRADED", f.degraded_s], ["DOWN", f.down_s], ["UNREACHABLE", f.unreachable_s], ["UNKNOWN", f.unknown_s], ["MAINTENANCE", f.maintenance_s]] : [];
  return <section class="card" data-availability><div class="head"><h2>{t("availability")}</h2>
    <label class="inline">{t("month")} <input type="month" value={month} onChange={(e) => e.currentTarget.value && setMonth(e.currentTarget.value)} /></label></div>
    {!f ? <p class="why">? {got.error?.detail || t("notCounted")}</p> : <>
      <p class="bigshare">{share(f.availability)} <small class="quiet">{t("coverage")} {share(f.coverage)}</small></p>
      <dl class="facts">
        <div><dt>{t("outagesCount")}</dt><dd>{number(f.outages)}</dd></div>
        <div><dt>{t("downMinutes")}</dt><dd>{number(f.outage_minutes, 1)}</dd></div>
        <div><dt>{t("serviceShare")}</dt><dd>{share(f.service_availability)}</dd></div>
        <div><dt>MTTR</dt><dd>{span(f.mttr_s)}</dd></div><div><dt>MTBF</dt><dd>{span(f.mtbf_s)}</dd></div>
      </dl>
      <p class="chips">{parts.filter(([, s]) => s > 0).map(([state, s]) => <span key={state} class={`chip state ${state.toLowerCase()}`}>{t(state as "UP")}: {lasted(s)}</span>)}</p>
      <details open><summary>{t("accountingRules")}</summary><ol>{got.data!.rules.map((r) => <li key={r.en}>{lang() === "vi" ? r.vi : r.en}</li>)}</ol></details>
      {got.data!.truncated && <p class="why">{t("truncated")}</p>}
    </>}</section>;
}
