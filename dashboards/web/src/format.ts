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
