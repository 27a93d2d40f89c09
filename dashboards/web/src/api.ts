// The HTTP API: types of what the pages read, and one function to call it.
export interface Part { value: number | null; unit: string | null }
export interface Value {
  definition: string; indicator: string; scope: string; own: boolean;
  status: "known" | "partial" | "unknown"; value: number | null; unit: string | null;
  low: number | null; high: number | null; numerator: Part; denominator: Part;
  coverage: number; confidence: number; source: "measured" | "declared" | "mixed" | "none";
  reason: string; cure: string; evidence: number[]; computed: string; explain?: unknown;
}
export interface Agency {
  id: string; name: string; level: "province" | "district" | "commune"; parent: string | null;
  servants: number | null; servants_as_of: string | null; state: string;
  links: { total: number; up: number }; agents: { total: number; online: number };
  on_backup: boolean | null; state_since: string | null; state_reason: string | null;
  children: number; evidence: number[]; index?: Value[]; index_own?: Value[]; wan?: Wan | null;
}
export interface Rate { down: number | null; up: number | null }
export interface Link {
  id: string; agency: string; role: string; kind: string; line_type: string | null;
  provider: string | null; router_address: string | null; agent: string | null; state: string;
  agency_name: string | null; why: string | null;
  reason: string; since: string | null; measured: string | null; loss: number | null;
  rtt_s: number | null; contracted: Rate; negotiated: Rate; used: Rate;
  series: { rtt_avg: string; loss: string }; evidence: number[];
  throughput: Rate; used_p95: Rate; findings: Finding[]; wan?: WanLink | null;
}
export interface Finding { kind: string; way: "down" | "up" | null; text: string; cure: string; contradicts: boolean }
export interface Figure {
  status: "known" | "unknown"; value: number | null; unit: string; source: string | null; reason: string | null; cure: string | null;
  at: string | null; agent: string | null; evidence: number[]; confidence: number | null; coverage?: number | null;
  low?: number | null; high?: number | null; interface?: string | null; interface_why?: string | null;
  busy_hour?: number | null; busy_hour_mean?: number | null; endpoint?: string | null;
}
export interface Way { contracted: Figure; negotiated: Figure; measured: Figure; used: Figure }
export interface UsedWay { p95: number | null; mean: number | null; peak: number | null; office_mean: number | null; busy_hour: number | null; busy_hour_mean: number | null }
export interface BandwidthMonth { month: string; coverage: number | null; down: UsedWay; up: UsedWay }
export interface BandwidthDay {
  from: string; kind: string; works: boolean; provisional: boolean; name_vi: string | null; name_en: string | null;
  coverage: number | null; down: UsedWay; up: UsedWay;
}
export interface Bandwidth {
  link: string; agency: string; month: string; days: BandwidthDay[]; months: BandwidthMonth[];
  figures: {
    computed: string; down: Way; up: Way; findings: Finding[];
    used_window: { observed: number; declared: number; gaps: { reason: string; times: number }[] };
    newest_test: { at: string; status: string; evidence: number[] } | null;
  } | null;
}
export interface WanLink {
  link: string; kind: string; answer: string; confidence: number; reason: string; cure?: string; state: string; since?: string;
  rounds: number; answered: number; up_share: number | null; evidence: number[];
  path: { network: string; answer: string; reason: string; at: string; agent: string; target?: string; trace?: string } | null;
  inside: { probe: string; agent: string; at: string; target?: string } | null;
}
export interface Wan { answer: string; confidence: number; reason: string; cure: string; as_of: string; links: WanLink[] }
export interface Clock {
  start: string | null; start_uncertainty_s: number | null; end: string | null; end_uncertainty_s: number | null;
}
export interface Outage {
  id: string; link: string; agency: string; agency_name: string | null; provider: string | null;
  state: "DOWN" | "UNREACHABLE"; root: string | null; open: boolean; start: string; end: string | null;
  duration_s: number; corrected: boolean; estimate: Clock; edge: (Clock & { agent: string | null }) | null;
  cause: string; cause_reason: string; behind: number; ticket: string | null; note: string | null; evidence: number[] | null;
  behind_it?: { id: string; link: string; agency: string; agency_name: string | null; start: string; end: string | null }[];
}
export interface Span { from: string; to: string | null; state: string; why: string; reason?: string; agent?: string | null; evidence?: number }
export interface Window {
  id: string; scope: string; subject: string | null; agency_name?: string | null; from: string; to: string; reason: string;
  actor: string; entered: string; afterwards?: boolean; removed?: string | null; state?: string;
}
export interface Timeline { link: string; from: string; to: string; spans: Span[]; outages: Outage[]; maintenance: Window[]; truncated: boolean }
export interface LinkTimeline {
  link: string; agency: string; agency_name: string | null; agency_parent: string | null; role: string; provider: string | null;
  spans: Span[]; outages: Outage[]; truncated: boolean;
}
export interface Member {
  id: string; kind: string; subject: string; agency: string | null; agency_name: string | null; provider: string | null;
  root: string | null; reason: string; outage: string | null; cause: string | null; cause_reason: string | null;
  opened: string; closed: string | null; joined: string; left: string | null; facts: Record<string, unknown> | null; evidence: number[];
}
export interface Incident {
  id: string; rule: string; severity: "info" | "warning" | "critical"; group_by: string; subject: string; opened: string;
  closed: string | null; announce: string | null; announced: string | null; acked: string | null; acked_by: string | null;
  escalate: string | null; level: number; open: boolean; duration_s: number; title: { vi: string; en: string | null } | null;
  problem: Member | null; affected: { id: string; name: string | null; since: string; problems: number; open: number }[];
  n_affected: number; n_open: number; members?: Member[];
  messages?: { channel: string; kind: string; state: string; created: string; attempts: number; sent: string | null; last_error?: string | null }[];
  decisions?: { at: string; decision: string; reason: string; problem: string | null }[];
}
export interface Machine {
  id: string; class: string; confidence: number; random_mac: boolean; hostname: string | null;
  vendor: string | null; first: string; last: string; why: string; evidence: number[];
  correction: { class: string | null; same_as: string | null } | null;
  nics: { mac: string; ipv4: string | null; seen_by: string }[];
}
export interface Machines extends Page<Machine> {
  classes: { class: string; machines: number; random_mac: number }[];
  subnets: { subnet: string; targets: number; probed: number; hours: number }[];
}
export interface Posture {
  findings: { agent: string; check: string; answer: string; seen: string | null; count: number | null; at: string; evidence: number }[];
  declarations: { solution: string; answer: string; document: string | null; signer: string | null; declared: string; expires: string | null; expired: boolean; evidence: number }[];
}
export interface Agent {
  id: string; agency: string; agency_name: string | null; vantage: boolean; enrolled: string | null;
  revoked: string | null; fingerprint: string | null; os: string | null; config_in_force: boolean;
  presence: { state: string; since: string; last: string; version: string | null; clock: string | null; fingerprint: string | null } | null;
  gaps: { ranges: number; packs: number }; aside: number; queued: number | null;
  proposal: { at: string; evidence: number; first: boolean; config?: string } | null;
  approved_config?: string | null;
}
export interface Clone {
  agent: string; fingerprint: string | null; reason: string; packs: number; first: string; last: string;
  owner_fingerprint: string | null;
}
export interface Token { id: string; agency: string; agent: string | null; created_by: string; expires: string; state: string }
export interface Session { account: string; role: "viewer" | "operator" | "admin"; agency: string | null; csrf?: string }
export interface Page<T> { items: T[]; next: string | null }
export interface EvidenceRow { id: number; source: string; kind: string; agent: string | null; received: string; actor: string | null; bytes: number }
export interface Explanation { value: Value; evidence_rows: EvidenceRow[] }
export interface Evidence extends EvidenceRow {
  content_type: string | null; epoch: string | null; seq: number | null; undecodable?: string;
  records?: { name: string; unit: string | null; time: number; value: number | string | boolean }[];
  hidden?: number; content?: unknown;
}
export interface Series { t: number[]; min: (number | null)[]; mean: (number | null)[]; max: (number | null)[]; unit: string | null; coverage: number }

export class Problem extends Error {
  constructor(readonly status: number, title: string, readonly detail: string) {
    super(title);
  }
}

let csrf = "";
export const setCsrf = (token: string | undefined): void => { csrf = token ?? ""; };

export async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf) headers["X-CSRF-Token"] = csrf;
  const reply = await fetch("/api/v1/" + path, {
    method, headers, credentials: "same-origin",
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (reply.status === 204) return undefined as T;
  const type = reply.headers.get("Content-Type") ?? "";
  const content = type.includes("json") ? await reply.json() : {};
  if (!reply.ok) {
    if (reply.status === 401) window.dispatchEvent(new Event("hatang-login"));
    throw new Problem(reply.status, content.title ?? reply.statusText, content.detail ?? "");
  }
  return content as T;
}

export const get = <T>(path: string): Promise<T> => call<T>("GET", path);

// Every page of a list.
export async function all<T>(path: string): Promise<T[]> {
  const items: T[] = [];
  let after = "";
  do {
    const sep = path.includes("?") ? "&" : "?";
    const page = await get<Page<T>>(path + sep + "limit=1000" + (after && "&after=" + encodeURIComponent(after)));
    items.push(...page.items);
    after = page.next ?? "";
  } while (after);
  return items;
}

// One event stream a browser: the tab that holds the lock listens and tells the others.
export function listen(changed: (topics: string[]) => void, alive: (on: boolean) => void): () => void {
  const channel = new BroadcastChannel("hatang-events");
  const stop = new AbortController();
  let source: EventSource | undefined;
  const tell = (message: { topics?: string[]; alive?: boolean }): void => {
    if (message.topics) changed(message.topics);
    if (message.alive !== undefined) alive(message.alive);
  };
  const both = (message: { topics?: string[]; alive?: boolean }): void => {
    tell(message);
    channel.postMessage(message);
  };
  const everything = ["links", "outages", "incidents", "maintenance", "presence", "index"];
  const open = (): Promise<void> => new Promise((done) => {
    source = new EventSource("/api/v1/events");
    source.addEventListener("hello", () => both({ alive: true, topics: everything }));
    source.addEventListener("reset", () => both({ topics: everything }));
    source.addEventListener("change", (e) => both({ topics: JSON.parse((e as MessageEvent).data).changed, alive: true }));
    source.onerror = () => both({ alive: false });
    stop.signal.addEventListener("abort", () => { source?.close(); done(); });
  });
  channel.onmessage = (e) => tell(e.data);
  if (navigator.locks) navigator.locks.request("hatang-events", { signal: stop.signal }, open).catch(() => undefined);
  else void open();
  return () => { stop.abort(); source?.close(); channel.close(); };
}
