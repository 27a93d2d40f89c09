// Reading the API inside components: load, load again when the server says so.
import { useCallback, useEffect, useState } from "preact/hooks";
import { get, Problem } from "./api";

export interface Loaded<T> { data?: T; error?: Problem; reload: () => void }

const listeners = new Map<string, Set<() => void>>();

// Called by the event stream.
export function changed(topics: string[]): void {
  const seen = new Set<() => void>();
  for (const topic of topics) for (const f of listeners.get(topic) ?? []) seen.add(f);
  for (const f of seen) f();
}

export function useOn(topics: string[], f: () => void): void {
  useEffect(() => {
    for (const topic of topics) {
      if (!listeners.has(topic)) listeners.set(topic, new Set());
      listeners.get(topic)!.add(f);
    }
    return () => { for (const topic of topics) listeners.get(topic)?.delete(f); };
  }, [f, topics.join()]);
}

// `path` undefined: nothing to load yet.
export function useGet<T>(path: string | undefined, topics: string[] = [],
  load: (path: string) => Promise<T> = get): Loaded<T> {
  const [state, set] = useState<{ path?: string; data?: T; error?: Problem }>({});
  const [n, again] = useState(0);
  const reload = useCallback(() => again((k) => k + 1), []);
  useOn(topics, reload);
  useEffect(() => {
    if (path === undefined) return;
    let live = true;
    load(path).then(
      (data) => live && set({ path, data }),
      (e) => live && set((old) => ({ path, data: old.path === path ? old.data : undefined,
        error: e instanceof Problem ? e : new Problem(0, String(e), "") })));
    return () => { live = false; };
  }, [path, n]);
  return { data: state.path === path ? state.data : undefined, error: state.path === path ? state.error : undefined, reload };
}

// The place in the address: "#/agency/bat-xat" is ["agency", "bat-xat"].
export function usePlace(): string[] {
  const read = (): string[] => location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  const [place, set] = useState(read());
  useEffect(() => {
    const on = (): void => { set(read()); window.scrollTo(0, 0); };
    window.addEventListener("hashchange", on);
    return () => window.removeEventListener("hashchange", on);
  }, []);
  return place;
}

// The time, again each `every` ms, for what counts up.
export function useNow(every = 1000): number {
  const [now, set] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => set(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}
