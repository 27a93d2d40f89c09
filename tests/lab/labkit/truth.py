"""What was done, folded from the lab's own log: machines that got a lease, rates that
were set, links cut and restored, programs started and killed, filters loaded."""
import json


def read(state):
    topology = json.loads((state / "topology.json").read_text(encoding="utf-8"))
    agencies = {"core": {"name": "core", "level": "province", "parent": None, "servants": topology["servants"],
                         "machines": [], "firewall": False}}
    for row in topology["sites"]:
        # Names and headcounts are what the registry was told; the rest comes from the log.
        agencies[row["id"]] = {"name": row["name"], "level": row["level"], "parent": row["parent"] or "core",
                               "servants": row.get("servants"), "machines": [], "firewall": False}
    links, processes, events = {}, {}, []
    for line in (state / "truth.jsonl").read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        did = event["did"]
        if did == "link":
            links[event["link"]] = {k: event[k] for k in ("agency", "kind", "down_bps", "up_bps")} | {"up": True, "cuts": []}
        elif did == "machine":
            agencies[event["agency"]]["machines"].append({k: event[k] for k in ("kind", "mac", "ipv4", "hostname")})
        elif did == "firewall":
            agencies[event["agency"]]["firewall"] = True
        elif did == "cut":
            links[event["link"]]["up"] = False
            links[event["link"]]["cuts"].append([event["at"], None])
        elif did == "restore":
            links[event["link"]]["up"] = True
            if links[event["link"]]["cuts"]:
                links[event["link"]]["cuts"][-1][1] = event["at"]
        elif did in ("start", "kill"):
            processes[event["name"]] = did
        events.append(event)
    return {"lab": topology["name"], "agencies": agencies, "links": links, "processes": processes,
            "events": len(events)}


def below(truth, agency):
    """The agency and all below it."""
    out = {agency}
    while True:
        more = {a for a, row in truth["agencies"].items() if row["parent"] in out} - out
        if not more:
            return out
        out |= more
