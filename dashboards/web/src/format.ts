// Numbers and times for people, in the language chosen.
import { lang, locale, t } from "./i18n";
import type { Value } from "./api";

export const number = (v: number, digits = 2): string =>
  new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(v);

export const percent = (v: number | null): string =>
  v === null ? "–" : new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: v < 0.1 && v > 0 ? 1 : 0 }).format(v);

export function rate(v: number | null): string {
  if (v === null) return "–";
  const units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
  let i = 0;
  while (v >= 1000 && i < units.length - 1) { v /= 1000; i++; }
  return number(v, v < 10 ? 2 : v < 100 ? 1 : 0) + " " + units[i];
}

export const rates = (r: { down: number | null; up: number | null }): string =>
  r.down === null && r.up === null ? "–" : `${rate(r.down)} ↓  ${rate(r.up)} ↑`;

export const millis = (s: number | null): string => (s === null ? "–" : number(s * 1000, s < 0.01 ? 2 : 1) + " ms");

export const time = (iso: string | null): string =>
  iso === null ? "–" : new Date(iso).toLocaleString(locale(), { dateStyle: "short", timeStyle: "medium" });

export const date = (iso: string | null): string =>
  iso === null ? "–" : new Date(iso).toLocaleDateString(locale(), { timeZone: "UTC" });

export function ago(iso: string | null): string {
  if (iso === null) return "–";
  const s = (Date.now() - new Date(iso).getTime()) / 1000;
  const f = new Intl.RelativeTimeFormat(lang(), { numeric: "auto", style: "short" });
  if (s < 90) return f.format(-Math.max(0, Math.round(s)), "second");
  if (s < 5400) return f.format(-Math.round(s / 60), "minute");
  if (s < 129600) return f.format(-Math.round(s / 3600), "hour");
  return f.format(-Math.round(s / 86400), "day");
}

// "2 giờ 3 phút": two units at most.
export function lasted(seconds: number): string {
  const units: [number, string][] = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  let rest = Math.max(0, Math.round(seconds)), first = units.findIndex(([size]) => rest >= size);
  if (first < 0) first = 3;
  return units.slice(first, first + 2).map(([size, unit]) => {
    const n = Math.floor(rest / size);
    rest -= n * size;
    return n || size === units[first][0] ? new Intl.NumberFormat(locale(), { style: "unit", unit, unitDisplay: "long" }).format(n) : "";
  }).filter(Boolean).join(" ");
}

// With milliseconds: what an outage's clocks are told in.
export const clock = (iso: string | null, uncertainty: number | null): string => {
  if (iso === null) return "–";
  const d = new Date(iso);
  const text = d.toLocaleDateString(locale()) + " " + d.toLocaleTimeString(locale(), { hour12: false }) + "," + String(d.getMilliseconds()).padStart(3, "0");
  return uncertainty === null ? text : `${text} ± ${number(uncertainty, 3)} s`;
};

const isRate = (unit: string | null): boolean => !!unit && unit.startsWith("bit/s");
const isShare = (indicator: string): boolean => indicator === "wan" || indicator === "security";

// The value itself, large, and its unit.
export function headline(v: Value): [string, string] {
  if (v.value === null) return [t("unknown"), ""];
  if (isRate(v.unit)) {
    const [n, u] = rate(v.value).split(" ");
    return [n, u + t("bandwidthUnit")];
  }
  if (isShare(v.indicator)) return [percent(v.value), ""];
  return [number(v.value), v.indicator === "computers" ? t("computersUnit") : v.unit && v.unit !== "/" ? v.unit : ""];
}

export function part(p: { value: number | null; unit: string | null }): string {
  if (p.value === null) return "?";
  return isRate(p.unit) ? rate(p.value) : number(p.value, 1);
}

export function interval(v: Value): string | null {
  if (v.low === null || v.high === null || v.low === v.high) return null;
  const one = (n: number): string => (isRate(v.unit) ? rate(n) : isShare(v.indicator) ? percent(n) : number(n));
  return `${one(v.low)} – ${one(v.high)}`;
}

// Letters without marks, for searching: "Bát Xát" is found by "bat xat".
export const plain = (s: string): string =>
  s.normalize("NFD").replace(/[\u0300-\u036f]/g, "").replace(/đ/gi, "d").toLowerCase();
