// Connected to the WAN: the answer, what it rests on, and what would make it sure.
import type { JSX } from "preact";
import type { Wan, WanLink } from "./api";
import { number, percent, time } from "./format";
import { t, word, type Key } from "./i18n";
import { linkHref, Rows, State } from "./parts";
import { sentence } from "./reasons";

type OnRow = (id: number) => void;
const SIGN: Record<string, string> = { yes: "✓", no: "✕", unknown: "?" };

export const Answer = (p: { of: string }): JSX.Element =>
  <span class={`answer ${p.of === "unknown" ? "not-observable" : p.of}`}><span aria-hidden="true">{SIGN[p.of] ?? "?"}</span> {p.of === "unknown" ? t("unknown") : t((p.of === "yes" ? "wanYes" : "wanNo") as Key)}</span>;

// One link's evidence: reachable, over which network, by whose word.
export function WanEvidence(p: { of: WanLink; onRow: OnRow; named?: boolean }): JSX.Element {
  const l = p.of;
  return <div data-wan-link={l.link}>
    <p class={l.answer === "yes" ? "quiet" : "why"}>{p.named && <a href={linkHref(l.link)}>{l.link}</a>} <Answer of={l.answer} /> {sentence(l.reason)} <Rows ids={l.evidence} onRow={p.onRow} /></p>
    {l.cure && <p class="why"><b>{t("cure")}:</b> {sentence(l.cure)}</p>}
    <dl class="facts">
      <div><dt>{t("reachable")}</dt><dd><State of={l.state} />{l.since && ` · ${t("since")} ${time(l.since)}`}{l.rounds > 0 && ` · ${number(l.answered)}/${number(l.rounds)} ${t("roundsAnswered")}`}{l.up_share != null && ` · ${percent(l.up_share)}`}</dd></div>
      {l.inside && <div><dt>{t("insideAddress")}</dt><dd>{l.inside.probe} <code>{l.inside.target ?? ""}</code> · {l.inside.agent} · {time(l.inside.at)}</dd></div>}
      <div><dt>{t("pathOver")}</dt><dd>{l.path ? <>{word(l.path.network)} · {l.path.reason} · {l.path.agent} · {time(l.path.at)}<br /><code>{l.path.trace}</code></> : <span class="quiet">? {t("neverTraced")}</span>}</dd></div>
    </dl>
  </div>;
}

export const WanSection = (p: { of: Wan | null | undefined; onRow: OnRow }): JSX.Element | null => !p.of ? null :
  <section class="card" data-wan={p.of.answer}><div class="head"><h2>{t("wanConnected")}</h2><span class="bigger"><Answer of={p.of.answer} /></span></div>
    <p class={p.of.answer === "yes" ? "quiet" : "why"}>{sentence(p.of.reason)} · {t("confidence")} {percent(p.of.confidence)} · {t("asOf")} {time(p.of.as_of)}</p>
    {p.of.cure && <p class="why"><b>{t("cure")}:</b> {sentence(p.of.cure)}</p>}
    {p.of.links.map((l) => <WanEvidence key={l.link} of={l} onRow={p.onRow} named />)}</section>;
