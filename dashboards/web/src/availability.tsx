// The month's availability of a link, with the rules it was counted by.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { useGet } from "./hooks";
import { locale, t } from "./i18n";
import { number } from "./format";

interface Figures { items: Record<string, unknown>[]; rules?: unknown }

export function Availability(p: { link: string }): JSX.Element | null {
  const [month, setMonth] = useState(new Date().toISOString().slice(0, 7));
  const got = useGet<Figures>(`availability?link=${encodeURIComponent(p.link)}&month=${month}`, ["outages", "maintenance"]);
  void number; void locale;
  return <section class="card" data-availability><div class="head"><h2>{t("availability")}</h2>
    <label class="inline">{t("month")} <input type="month" value={month} onChange={(e) => e.currentTarget.value && setMonth(e.currentTarget.value)} /></label></div>
    {got.data ? <pre>{JSON.stringify(got.data, null, 1)}</pre> : <p class="why">? {t("notCounted")}</p>}</section>;
}
