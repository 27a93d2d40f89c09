// One outage: both clocks, cause, what to check, evidence, the carrier's ticket.
import { useState } from "preact/hooks";
import type { JSX } from "preact";
import { call, Problem, type Outage, type Session } from "./api";
import { causeName, nextSteps } from "./causes";
import { RowDialog } from "./explain";
import { clock, lasted } from "./format";
import { useGet, useNow } from "./hooks";
import { t } from "./i18n";
import { sentence } from "./reasons";
import { agencyHref, Await, Dialog, linkHref, Rows, State } from "./parts";

export const Steps = (p: { kind: string; cause?: string | null }): JSX.Element => (
  <div class="steps"><h4>{t("checkNext")}</h4><ol>{nextSteps(p.kind, p.cause).map((s) => <li key={s}>{s}</li>)}</ol></div>
);

function Ticket(p: { of: Outage; onSaved: () => void }): JSX.Element {
  const [note, setNote] = useState<[string, boolean]>();
  const save = async (e: SubmitEvent): Promise<void> => {
    e.preventDefault();
    const form = new FormData(e.currentTarget as HTMLFormElement);
    const text = (name: string): string | null => String(form.get(name) ?? "").trim() || null;
    try {
      await call("PUT", `outages/${encodeURIComponent(p.of.id)}/note`, { ticket: text("ticket"), note: text("note") });
      setNote([t("saved"), true]);
      p.onSaved();
    } catch (x) { setNote([x instanceof Problem ? x.detail : String(x), false]); }
  };
  return <form class="row" onSubmit={save} data-ticket>
    <label>{t("ticket")}<input name="ticket" maxLength={120} defaultValue={p.of.ticket ?? ""} /></label>
    <label class="grow">{t("note")}<input name="note" maxLength={500} defaultValue={p.of.note ?? ""} /></label>
    <button>{t("save")}</button>
    {note && <p class={`notice ${note[1] ? "good" : "bad"}`} role="status">{note[0]}</p>}
  </form>;
}

export function OutageDialog(p: { id: string; session: Session; onClose: () => void }): JSX.Element {
  const got = useGet<Outage>(`outages/${encodeURIComponent(p.id)}`, ["outages"]);
  const [row, setRow] = useState<number>();
  const now = useNow();
  return <>
    <Dialog title={`${t("outages")}: ${got.data?.agency_name ?? got.data?.agency ?? p.id}`} onClose={p.onClose}>
      <Await of={got}>{(o) => {
        const seconds = o.open ? (now - Date.parse(o.start)) / 1000 : o.duration_s;
        return <div data-outage-page={o.id}>
          <p class="lead"><State of={o.state} /> · {o.open ? t("lasting") : t("duration").toLowerCase()} <b>{lasted(seconds)}</b> {o.open && <span class="tag warn">{t("stillOpen")}</span>}</p>
          <p><a href={linkHref(o.link)}>{o.link}</a> · <a href={agencyHref(o.agency)}>{o.agency_name ?? o.agency}</a>{o.provider && ` · ${o.provider}`}</p>
          <p><b>{t("cause")}:</b> {causeName(o.cause)} <span class="quiet">· {sentence(o.cause_reason)}</span></p>
          {o.root && <p><b>{t("explainedBy")}:</b> <code>{o.root}</code></p>}
          <div class="scroll"><table class="small clocks"><thead><tr><th /><th>{t("start")}</th><th>{t("end")}</th></tr></thead><tbody>
            <tr><th>{t("estimate")}</th><td>{clock(o.estimate.start, o.estimate.start_uncertainty_s)}</td><td>{o.open ? t("stillOpen") : clock(o.estimate.end, o.estimate.end_uncertainty_s)}</td></tr>
            {o.edge && <tr class="counts"><th>{t("correction")}{o.edge.agent && ` · ${o.edge.agent}`}</th><td>{clock(o.edge.start, o.edge.start_uncertainty_s)}</td><td>{clock(o.edge.end, o.edge.end_uncertainty_s)}</td></tr>}
          </tbody></table></div>
          {!o.edge && <p class="quiet">{t("noCorrection")}</p>}
          {o.open && <Steps kind={o.state === "DOWN" ? "link-down" : "link-unreachable"} cause={o.cause} />}
          {o.behind_it && o.behind_it.length > 0 && <><h3>{t("behindIt")} ({o.behind_it.length})</h3>
            <p class="chips">{o.behind_it.map((b) => <a key={b.id} class="chip" href={agencyHref(b.agency)}>{b.agency_name ?? b.agency}</a>)}</p></>}
          <p><b>{t("evidence")}:</b> <Rows ids={o.evidence} onRow={setRow} /></p>
          {p.session.role !== "viewer" ? <Ticket of={o} onSaved={got.reload} /> : o.ticket && <p><b>{t("ticket")}:</b> {o.ticket}</p>}
          <p><a class="button" target="_blank" rel="noopener" href={`/api/v1/outages/${encodeURIComponent(o.id)}/dispute?format=html`}>{t("dispute")}</a> <span class="quiet">{t("disputeHint")}</span></p>
        </div>;
      }}</Await>
    </Dialog>
    {row && <RowDialog key={row} id={row} onClose={() => setRow(undefined)} />}
  </>;
}
