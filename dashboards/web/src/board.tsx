// The live board: every office on one screen, by district. Trouble is strong, what is well
// is quiet; unknown is neither.
import { useMemo, useState } from "preact/hooks";
import type { JSX } from "preact";
import { all, type Agency, type Link } from "./api";
import { why } from "./causes";
import { ago, number, plain } from "./format";
import { useGet } from "./hooks";
import { t, word } from "./i18n";
import { agencyHref, Await, linkHref, SHAPES, STATES } from "./parts";

interface Tile { id: string; name: string; state: string; backup: boolean; group: string; href: string; hint: string; provider: string | null }

const short = (name: string): string => name.replace(/^(Xã|Phường|Thị trấn|Huyện|Thị xã|Thành phố|UBND)\s+(?=\S)/, "");

// Below which district an agency stands; a district stands in its own group.
function groups(list: Agency[]): Map<string, string> {
  const by = new Map(list.map((a) => [a.id, a]));
  const out = new Map<string, string>();
  for (const a of list) {
    let at: Agency | undefined = a;
    for (let depth = 0; at && at.level !== "district" && depth < 8; depth++) at = at.parent ? by.get(at.parent) : undefined;
    out.set(a.id, at?.id ?? "");
  }
  return out;
}

const agencyTiles = (list: Agency[], group: Map<string, string>): Tile[] => list
  .filter((a) => a.links.total > 0 || a.children === 0)
  .map((a) => ({ id: a.id, name: a.name, state: a.state, backup: a.on_backup === true, group: group.get(a.id) ?? "", href: agencyHref(a.id), provider: null,
    hint: [a.links.total === 0 ? t("noLinkRegistered") : a.state_reason && why(null, a.state_reason), a.on_backup && t("onBackup"), a.state_since && `${t("since")} ${ago(a.state_since)}`].filter(Boolean).join("\n") }));

const linkTiles = (list: Link[], group: Map<string, string>): Tile[] => list.map((l) => ({
  id: l.id, name: l.agency_name ?? l.id, state: l.state, backup: false, group: group.get(l.agency) ?? "", href: linkHref(l.id), provider: l.provider,
  hint: [l.id, `${word(l.role)}${l.provider ? " · " + l.provider : ""}`, why(l.why, l.reason), l.since && `${t("since")} ${ago(l.since)}`].filter(Boolean).join("\n") }));

const rank = (x: Tile): number => { const i = STATES.indexOf(x.state as typeof STATES[number]); return i < 0 ? 3 : x.state === "UP" && x.backup ? 2 : i; };

function Group(p: { name: string; tiles: Tile[]; total: number }): JSX.Element {
  const bad = p.tiles.filter((x) => x.state === "DOWN" || x.state === "UNREACHABLE").length;
  return <section class={`district ${bad ? "hurt" : ""}`} aria-label={p.name}>
    <h2>{p.name} <small>{bad > 0 && <b class="state down">✕ {number(bad)}</b>} {number(p.total)}</small></h2>
    <div class="tiles">{p.tiles.map((x) => <a key={x.id} href={x.href} class={`tile st-${x.state.toLowerCase()} ${x.backup ? "backup" : ""}`} data-tile={x.id} data-state={x.state}
      title={`${x.name}: ${word(x.state)}\n${x.hint}`}><span class="shape" aria-hidden="true">{x.backup ? SHAPES.BACKUP : SHAPES[x.state] ?? "?"}</span><span class="label">{short(x.name)}</span><span class="sr">: {word(x.state)}{x.backup && `, ${t("onBackup")}`}</span></a>)}</div>
  </section>;
}

export function BoardPage(): JSX.Element {
  const [byLink, setByLink] = useState(false);
  const [state, setState] = useState("");
  const [search, setSearch] = useState("");
  const [provider, setProvider] = useState("");
  const agencies = useGet<Agency[]>("agencies", ["links"], (path) => all<Agency>(path));
  const links = useGet<Link[]>(byLink ? "links" : undefined, ["links"], (path) => all<Link>(path));
  const group = useMemo(() => groups(agencies.data ?? []), [agencies.data]);
  const tiles = useMemo(() => byLink ? linkTiles(links.data ?? [], group) : agencyTiles(agencies.data ?? [], group), [byLink, links.data, agencies.data, group]);
  const counts = new Map<string, number>();
  for (const x of tiles) counts.set(x.state, (counts.get(x.state) ?? 0) + 1);
  const backups = tiles.filter((x) => x.backup).length;
  const wanted = plain(search.trim());
  const shown = tiles.filter((x) => (!state || (state === "BACKUP" ? x.backup : x.state === state)) && (!provider || x.provider === provider) && (!wanted || plain(`${x.name} ${x.id}`).includes(wanted)));
  const names = new Map((agencies.data ?? []).map((a) => [a.id, a.name]));
  const order = [...new Set(tiles.map((x) => x.group))].sort((a, b) => (names.get(a) ?? "").localeCompare(names.get(b) ?? "", "vi", { numeric: true }));
  const providers = [...new Set((links.data ?? []).map((l) => l.provider).filter((v): v is string => !!v))].sort();
  const chip = (key: string, n: number, label: string): JSX.Element => <button key={key} class={`pick st-${key.toLowerCase()}`} aria-pressed={state === key} disabled={n === 0 && state !== key} data-filter={key} onClick={() => setState(state === key ? "" : key)}><span class="shape" aria-hidden="true">{SHAPES[key]}</span> <b>{number(n)}</b> {label}</button>;
  return <>
    <div class="head"><h1>{t("board")}</h1>
      <div class="switch" role="group"><button aria-pressed={!byLink} onClick={() => setByLink(false)}>{t("byAgency")}</button><button aria-pressed={byLink} onClick={() => setByLink(true)}>{t("byLink")}</button></div></div>
    <div class="boardbar">
      <div class="picks" role="group" aria-label={t("filter")}>{STATES.map((s) => chip(s, counts.get(s) ?? 0, word(s)))}{!byLink && chip("BACKUP", backups, t("onBackupShort"))}</div>
      {byLink && <select aria-label={t("provider")} value={provider} onChange={(e) => setProvider(e.currentTarget.value)}><option value="">{t("allProviders")}</option>{providers.map((v) => <option key={v}>{v}</option>)}</select>}
      <input type="search" placeholder={t("search")} aria-label={t("search")} value={search} onInput={(e) => setSearch(e.currentTarget.value)} />
    </div>
    <Await of={agencies}>{() => shown.length === 0 ? <p class="quiet">{byLink && !links.data ? t("loading") : t("noTiles")}</p> :
      <div class="districts">{order.map((g) => {
        const here = shown.filter((x) => x.group === g).sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, "vi", { numeric: true }));
        return here.length > 0 && <Group key={g} name={g ? names.get(g) ?? g : t("provincial")} tiles={here} total={tiles.filter((x) => x.group === g).length} />;
      })}</div>}</Await>
  </>;
}
