// From a value down to the bytes that were sent: value → inputs → journal rows → one row.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import type { Evidence, Explanation, Value } from "./api";
import { number, part, time } from "./format";
import { useGet } from "./hooks";
import { t, word, type Key } from "./i18n";
import { Await, Dialog, ValueCard } from "./parts";

const flat = (v: unknown): boolean => v === null || typeof v !== "object";
const show = (v: unknown): string =>
  v === null || v === undefined ? "–" : typeof v === "number" ? number(v, 4) : typeof v === "boolean" ? (v ? t("yes") : t("no")) : word(String(v));

// Any JSON as lists and tables: what the score says about its inputs.
function Json(p: { of: unknown; onRow?: (id: number) => void }): JSX.Element {
  const v = p.of;
  if (flat(v)) return <span>{show(v)}</span>;
  if (Array.isArray(v)) {
    if (v.length === 0) return <span class="quiet">–</span>;
    if (v.every((x) => !flat(x) && !Array.isArray(x))) {
      const keys = [...new Set(v.flatMap((x) => Object.keys(x as object)))];
      return (
        <div class="scroll"><table class="small"><thead><tr>{keys.map((k) => <th key={k}>{k}</th>)}</tr></thead>
          <tbody>{v.map((x, i) => <tr key={i}>{keys.map((k) => <td key={k}><Item name={k} of={(x as Record<string, unknown>)[k]} onRow={p.onRow} /></td>)}</tr>)}</tbody></table></div>
      );
    }
    return <span>{v.map((x, i) => <span key={i}>{i > 0 && ", "}<Json of={x} onRow={p.onRow} /></span>)}</span>;
  }
  return <dl>{Object.entries(v as object).map(([k, x]) => <div key={k}><dt>{k}</dt><dd><Item name={k} of={x} onRow={p.onRow} /></dd></div>)}</dl>;
}

// Journal ids become buttons.
function Item(p: { name: string; of: unknown; onRow?: (id: number) => void }): JSX.Element {
  const ids = p.name === "evidence" || p.name === "journal_id" ? (Array.isArray(p.of) ? p.of : [p.of]) : null;
  if (ids && p.onRow && ids.every((x) => typeof x === "number"))
    return <>{ids.slice(0, 6).map((id) => <button key={id} class="link" onClick={() => p.onRow!(id)}>#{id}</button>)}{ids.length > 6 && ` +${ids.length - 6}`}</>;
  return <Json of={p.of} onRow={p.onRow} />;
}

export function Row(p: { id: number }): JSX.Element {
  const row = useGet<Evidence>(`evidence/${p.id}`);
  return (
    <Await of={row}>{(r) => <>
      <dl class="facts">
        <div><dt>{t("kind")}</dt><dd>{r.source} · {r.kind}</dd></div>
        <div><dt>{t("sentBy")}</dt><dd>{r.agent ?? r.actor ?? "–"}</dd></div>
        <div><dt>{t("received")}</dt><dd>{time(r.received)}</dd></div>
        {r.epoch && <div><dt>epoch / seq</dt><dd><code>{r.epoch} / {r.seq}</code></dd></div>}
        <div><dt>{t("bytes")}</dt><dd>{r.bytes}{r.content_type && <> · <code>{r.content_type}</code></>}</dd></div>
      </dl>
      {r.undecodable && <p class="notice bad">{r.undecodable}</p>}
      {r.records && <div class="scroll"><table class="small"><tbody>{r.records.map((x, i) =>
        <tr key={i}><td><code>{x.name}</code></td><td class="num">{String(x.value)} {x.unit ?? ""}</td></tr>)}</tbody></table></div>}
      {!!r.hidden && <p class="quiet">{r.hidden} {t("hiddenRecords")}</p>}
      {r.content !== undefined && r.content !== null && <pre>{JSON.stringify(r.content, null, 2)}</pre>}
    </>}</Await>
  );
}

export function RowDialog(p: { id: number; onClose: () => void }): JSX.Element {
  return <Dialog title={`${t("journalRow")} ${p.id}`} onClose={p.onClose}><Row id={p.id} /></Dialog>;
}

export function Explain(p: { of: Value; onClose: () => void }): JSX.Element {
  const [row, setRow] = useState<number>();
  const v = p.of;
  const got = useGet<Explanation>(`index/${v.scope}/${v.indicator}?own=${v.own}`, ["index"]);
  return (
    <Dialog title={row ? `${t("journalRow")} ${row}` : t("explanation")} onClose={p.onClose}>
      {row ? <><p><button onClick={() => setRow(undefined)}>← {t("back")}</button></p><Row id={row} /></> :
        <Await of={got}>{(x) => <>
          <ValueCard indicator={x.value.indicator} value={x.value} />
          <dl class="facts">
            <div><dt>{t("numerator")}</dt><dd>{part(x.value.numerator)}</dd></div>
            <div><dt>{t("denominator")}</dt><dd>{part(x.value.denominator)}</dd></div>
            <div><dt>{t("source")}</dt><dd>{t(x.value.source as Key)}</dd></div>
            <div><dt>{t("computedAt")}</dt><dd>{time(x.value.computed)}</dd></div>
          </dl>
          <p class="quiet">{t("provisional")}</p>
          {x.value.explain != null && <><h3>{t("inputs")}</h3><Json of={x.value.explain} onRow={setRow} /></>}
          <h3>{t("evidence")}</h3>
          {x.evidence_rows.length === 0 ? <p class="quiet">{t("noEvidence")}</p> : <>
            <p class="quiet">{t("evidenceHint")}</p>
            <div class="scroll"><table class="small" data-evidence><tbody>{x.evidence_rows.map((r) =>
              <tr key={r.id}><td><button class="link" onClick={() => setRow(r.id)}>#{r.id}</button></td><td>{r.kind}</td><td>{r.agent ?? r.actor ?? "–"}</td><td>{time(r.received)}</td></tr>)}</tbody></table></div>
          </>}
        </>}</Await>}
    </Dialog>
  );
}
