// The province at a glance: four values, and every agency below with its own.
import { useMemo, useState } from "preact/hooks";
import type { JSX } from "preact";
import { all, type Agency, type Value } from "./api";
import { plain } from "./format";
import { useGet } from "./hooks";
import { t, word, type Key } from "./i18n";
import { Await, CellValue, INDICATORS, State, Values } from "./parts";
import { Explain } from "./explain";

const PAGE = 200;

interface Branch { agency: Agency; depth: number }

// The tree as rows: what is open, or everything that matches (with no folding).
function rows(list: Agency[], open: Set<string>, search: string): Branch[] {
  if (search) return list.filter((a) => plain(a.name + " " + a.id).includes(plain(search))).map((agency) => ({ agency, depth: 0 }));
  const below = new Map<string | null, Agency[]>();
  const ids = new Set(list.map((a) => a.id));
  for (const a of list) {
    const parent = a.parent && ids.has(a.parent) ? a.parent : null;
    below.set(parent, [...(below.get(parent) ?? []), a]);
  }
  const out: Branch[] = [];
  const walk = (parent: string | null, depth: number): void => {
    for (const agency of below.get(parent) ?? []) {
      out.push({ agency, depth });
      if (open.has(agency.id) && depth < 8) walk(agency.id, depth + 1);
    }
  };
  walk(null, 0);
  return out;
}

function AgencyRow(p: { of: Branch; open: boolean; onToggle: () => void }): JSX.Element {
  const a = p.of.agency;
  return (
    <tr data-agency={a.id}>
      <td class={`name depth${Math.min(p.of.depth, 3)}`}>
        {a.children > 0 ? <button class="fold" aria-expanded={p.open} aria-label={`${t("expand")}: ${a.name}`} onClick={p.onToggle}>{p.open ? "▾" : "▸"}</button> : <span class="fold" />}
        <a href={`#/agency/${encodeURIComponent(a.id)}`}>{a.name}</a> <small class="quiet">{t(a.level)}</small>
      </td>
      <td data-label={t("state")}><State of={a.state} /></td>
      <td data-label={t("agents")} class="num">{a.agents.total ? `${a.agents.online}/${a.agents.total}` : "–"}</td>
      {INDICATORS.map((i) => <td key={i} data-label={t((i + "Short") as Key)} class="num"><CellValue value={a.index?.find((v) => v.indicator === i)} /></td>)}
    </tr>
  );
}

export function Overview(): JSX.Element {
  const got = useGet<Agency[]>("agencies?values=true", ["index", "links", "presence"], (path) => all<Agency>(path));
  const [search, setSearch] = useState("");
  const [open, setOpen] = useState<Set<string>>();
  const [limit, setLimit] = useState(PAGE);
  const [explained, explain] = useState<Value>();
  const list = got.data ?? [];
  const top = useMemo(() => list.find((a) => !a.parent || !list.some((b) => b.id === a.parent)), [list]);
  const opened = open ?? new Set(list.filter((a) => a.level === "province" || !a.parent).map((a) => a.id));
  const toggle = (id: string): void => {
    const next = new Set(opened);
    if (!next.delete(id)) next.add(id);
    setOpen(next);
  };
  const shown = rows(list, opened, search);
  return (
    <Await of={got}>{() => list.length === 0 ? <div class="notice"><p>{t("noAgencies")}</p><code>hatang agency import co-quan.csv --dry-run</code></div> : <>
      {top && <section aria-label={top.name}>
        <h1><a href={`#/agency/${encodeURIComponent(top.id)}`}>{top.name}</a> <small class="quiet">{list.length} {t("agencies").toLowerCase()}</small></h1>
        <Values values={top.index ?? []} onExplain={explain} />
        <p class="quiet">{t("provisional")}</p>
      </section>}
      <section>
        <div class="head"><h2>{t("agencies")}</h2>
          <input type="search" placeholder={t("search")} aria-label={t("search")} value={search} onInput={(e) => { setSearch(e.currentTarget.value); setLimit(PAGE); }} /></div>
        <div class="scroll"><table class="agencies">
          <thead><tr><th>{t("agency")}</th><th>{t("state")}</th><th class="num">{t("agents")}</th>{INDICATORS.map((i) => <th key={i} class="num">{t((i + "Short") as Key)}</th>)}</tr></thead>
          <tbody>{shown.slice(0, limit).map((b) => <AgencyRow key={b.agency.id} of={b} open={opened.has(b.agency.id)} onToggle={() => toggle(b.agency.id)} />)}</tbody>
        </table></div>
        {shown.length === 0 && <p class="quiet">{t("noMatch")}</p>}
        {shown.length > limit && <button onClick={() => setLimit(limit + PAGE)}>{t("more")} ({shown.length - limit})</button>}
      </section>
      {explained && <Explain key={explained.indicator} of={explained} onClose={() => explain(undefined)} />}
      <p class="sr" aria-live="polite">{word(top?.state ?? "UNKNOWN")}</p>
    </>}</Await>
  );
}
