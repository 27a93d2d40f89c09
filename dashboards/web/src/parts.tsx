// Small pieces that the pages share.
import { useEffect, useRef, useState } from "preact/hooks";
import type { ComponentChildren, JSX } from "preact";
import type { Loaded } from "./hooks";
import type { Value } from "./api";
import { headline, interval, part, percent } from "./format";
import { t, word, type Key } from "./i18n";
import { sentence } from "./reasons";

export const INDICATORS = ["computers", "bandwidth", "wan", "security"] as const;

export function Await<T>(p: { of: Loaded<T>; children: (data: T) => ComponentChildren }): JSX.Element {
  if (p.of.data !== undefined) return <>{p.children(p.of.data)}</>;
  if (p.of.error)
    return (
      <div class="notice bad" role="alert">
        <strong>{t("failed")}: {p.of.error.message}</strong> <span>{p.of.error.detail}</span>{" "}
        <button onClick={p.of.reload}>{t("retry")}</button>
      </div>
    );
  return <p class="quiet" aria-busy="true">{t("loading")}</p>;
}

export const STATES = ["DOWN", "UNREACHABLE", "DEGRADED", "UNKNOWN", "MAINTENANCE", "UP"] as const;
export const SHAPES: Record<string, string> = { UP: "●", DEGRADED: "◐", DOWN: "✕", UNREACHABLE: "◇", UNKNOWN: "?", MAINTENANCE: "⚒", BACKUP: "⇄" };

export const agencyHref = (id: string): string => `#/agency/${encodeURIComponent(id)}`;
export const linkHref = (id: string): string => `#/link/${encodeURIComponent(id)}`;

// Never colour alone: a shape and a word as well.
export const State = (p: { of: string; short?: boolean }): JSX.Element => (
  <span class={`state ${p.of.toLowerCase()}`} title={word(p.of)}>
    <span aria-hidden="true">{SHAPES[p.of] ?? "?"}</span> {p.short ? <span class="sr">{word(p.of)}</span> : word(p.of)}
  </span>
);

export const Rows = (p: { ids: number[] | null | undefined; onRow: (id: number) => void }): JSX.Element => (
  <>{(p.ids ?? []).slice(0, 5).map((id) => <button key={id} class="link" onClick={() => p.onRow(id)}>#{id}</button>)}</>
);

export const Meter = (p: { label: string; value: number }): JSX.Element => (
  <div class="meter">
    <span>{p.label}</span>
    <span class="bar" aria-hidden="true"><i ref={(el) => { if (el) el.style.width = `${Math.round(p.value * 100)}%`; }} /></span>
    <b>{percent(p.value)}</b>
  </div>
);

export function ValueCard(p: { indicator: string; value?: Value; onExplain?: (v: Value) => void }): JSX.Element {
  const v = p.value;
  const unknown = !v || v.value === null;
  const [big, unit] = v ? headline(v) : [t("unknown"), ""];
  return (
    <article class={`card value ${unknown ? "unknown" : v.status}`} data-indicator={p.indicator} data-status={v?.status ?? "unknown"}>
      <h3>{t(p.indicator as Key)}</h3>
      <p class="big">{big} <small>{unit}</small></p>
      {v && <p class="fraction">{part(v.numerator)} / {part(v.denominator)} {p.indicator === "computers" || p.indicator === "bandwidth" ? t("servants") : ""}
        {interval(v) && <span class="quiet"> · {t("interval")} {interval(v)}</span>}</p>}
      {v && <>
        <Meter label={t("coverage")} value={v.coverage} />
        <Meter label={t("confidence")} value={v.confidence} />
      </>}
      {v && v.status !== "known" && v.reason && <p class="why"><b>{t("reason")}:</b> {sentence(v.reason)}</p>}
      {v && v.status !== "known" && v.cure && <p class="why"><b>{t("cure")}:</b> {sentence(v.cure)}</p>}
      {v && <footer>
        <span class="tag">{word(v.source)}</span> {v.status === "partial" && <span class="tag warn">{t("partial")}</span>}
        {p.onExplain && <button class="link" onClick={() => p.onExplain!(v)}>{t("explain")} →</button>}
      </footer>}
    </article>
  );
}

export const Values = (p: { values: Value[]; onExplain?: (v: Value) => void }): JSX.Element => (
  <div class="values">
    {INDICATORS.map((i) => <ValueCard key={i} indicator={i} value={p.values.find((v) => v.indicator === i)} onExplain={p.onExplain} />)}
  </div>
);

export const CellValue = (p: { value?: Value }): JSX.Element => {
  if (!p.value || p.value.value === null)
    return <span class="quiet" title={p.value ? `${sentence(p.value.reason)}\n${sentence(p.value.cure)}` : ""}>{t("unknown")}</span>;
  const [big, unit] = headline(p.value);
  return <span class={p.value.status} title={`${t("coverage")} ${percent(p.value.coverage)}`}>{big}<small> {unit}</small></span>;
};

// A dialog that keeps the keyboard inside; Escape and the shade close it.
export function Dialog(p: { title: string; onClose: () => void; children: ComponentChildren }): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => { if (!ref.current?.open) ref.current?.showModal(); }, []);
  return (
    <dialog ref={ref} onClose={p.onClose} aria-label={p.title} onClick={(e) => { if (e.target === ref.current) ref.current?.close(); }}>
      <header><h2>{p.title}</h2><button onClick={() => ref.current?.close()}>{t("close")}</button></header>
      <div class="body">{p.children}</div>
    </dialog>
  );
}

export function Copy(p: { text: string }): JSX.Element {
  const [done, set] = useState(false);
  const box = useRef<HTMLElement>(null);
  const copy = async (): Promise<void> => {
    try { await navigator.clipboard.writeText(p.text); } catch {
      // Without a secure context: select it, the person copies.
      const range = document.createRange();
      range.selectNodeContents(box.current!);
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
      return;
    }
    set(true);
  };
  return <div class="copy"><code ref={box}>{p.text}</code><button onClick={copy}>{done ? t("copied") : t("copy")}</button></div>;
}
