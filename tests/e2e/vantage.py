"""A vantage on one machine: broker, server and an agent with the probe `reach`, in namespaces
of their own whose loopback has as many targets as one likes; a packet filter cuts them off.

    with vantage(folder, n=500, parents=20) as v:      # inside `unshare -Urnm`
        v.cut([3, 4]); v.until_state({3: "down", 4: "down"}); v.restore([3, 4])

`inside(function name, *arguments)` runs a function of this file there and returns what it
returns (JSON); tests/e2e/test_reach.py and tests/bench/reach do so."""
import contextlib
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
FILTER = """\
table inet cut {
  set gone { type ipv4_addr; }
  chain in { type filter hook input priority 0; ip daddr @gone icmp type echo-request drop; }
}
"""
SELF = ["127.9.0.1", "127.9.0.2"]


def inside(function, *arguments, timeout=300):
    done = subprocess.run(
        ["unshare", "-Urnm", sys.executable, __file__, function, json.dumps(arguments)],
        capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


def address(i):
    return f"127.1.{i // 250}.{i % 250 + 1}"


def nft(*words):
    subprocess.run(["nft", *words], check=True, capture_output=True)


class Vantage:
    def __init__(self, office, n, parents, self_check):
        self.office, self.n = office, n
        self.seen, self.lock = [], threading.Lock()  # (arrived, time, name, value)
        self.first = 0
        self.newest = {}  # since then: target -> (time, state)
        items = [f"{{ id: l{i}, address: {address(i)}"
                 + (f", parents: [l{i % parents}]" if i >= parents > 0 else "") + " }"
                 for i in range(n)]
        probes = ("  - { probe: reach, id: core, every: 1s, self: [" + ", ".join(self_check)
                  + "], targets: [" + ",\n      ".join(items) + "] }\n")
        self.agent = office.agent("a1", probes, env={"HATANG_CLOCK": "synchronised"})

    def watch(self):
        import paho.mqtt.client as paho
        from parts import json_records

        def message(client, user, m):
            now = time.time()
            new = [(now, r["t"], r["n"][len("a1/reach/"):],
                    next(r[k] for k in ("v", "vs", "vb") if k in r))
                   for r in json_records(m.payload) if r["n"].startswith("a1/reach/")]
            with self.lock:
                self.seen += new
                for _, t, name, value in new:
                    link, quantity = name.split("/")
                    if quantity == "state" and t >= self.newest.get(link, (0, ""))[0]:
                        self.newest[link] = (t, value)

        self.eye = paho.Client(client_id="eye", protocol=paho.MQTTv5)
        self.eye.on_message = message
        self.eye.connect("127.0.0.1", self.office.broker.plain_port)
        self.eye.subscribe([("hatang/v1/a1/data", 1), ("hatang/v1/a1/hist", 1)])
        self.eye.loop_start()

    def all(self, pattern=".*"):
        """What arrived since the last mark()."""
        with self.lock:
            return [x for x in self.seen[self.first:] if re.fullmatch(pattern, x[2])]

    def mark(self):
        with self.lock:
            self.first = len(self.seen)
            self.newest = {}

    def states(self, since=0.0):
        """Of each target the newest that was said at or after a moment."""
        with self.lock:
            return {link: value for link, (t, value) in self.newest.items() if t >= since}

    def until_states(self, wanted, since=0.0, seconds=20):
        from broker import until
        until(f"states {str(wanted)[:100]}",
              lambda: wanted.items() <= self.states(since).items(), seconds)

    def said(self, link, state, since):
        """When it arrived, and the reading's own time."""
        return next((a, t) for a, t, name, v in self.all(f"{link}/state")
                    if v == state and t >= since)

    def cut(self, addresses):
        nft("add", "element", "inet", "cut", "gone", "{" + ",".join(addresses) + "}")
        return time.time()

    def restore(self, addresses):
        nft("delete", "element", "inet", "cut", "gone", "{" + ",".join(addresses) + "}")
        return time.time()

    def cpu_s(self):
        """Of the agent's main process."""
        fields = pathlib.Path(f"/proc/{self.agent.process.pid}/stat").read_text().rsplit(")", 1)[1]
        return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def vantage(folder, n, parents=0, self_check=SELF):
    from parts import Office
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["nft", "-f", "-"], input=FILTER, text=True, check=True)
    office = Office(pathlib.Path(folder))
    try:
        office.start()
        v = Vantage(office, n, parents, self_check)
        v.watch()
        v.agent.start()
        yield v
    finally:
        office.stop()


# ── Scenarios: each runs inside and returns JSON ─────────────────────────────────────


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def cuts(folder, n, cycles, seconds):
    """Cut and restore one link after the other at random phases; first be quiet a while."""
    out = {"down": [], "up": [], "sent": []}
    with vantage(folder, n, parents=min(20, n // 2)) as v:
        v.until_states({f"l{i}": "up" for i in range(n)}, seconds=30)
        cpu, began = v.cpu_s(), time.time()
        v.mark()
        time.sleep(seconds)  # the measurement itself
        out["cpu"] = (v.cpu_s() - cpu) / (time.time() - began)
        out["changes_while_quiet"] = len(v.all("l[0-9]+/state"))
        for _ in range(cycles):
            link = random.randrange(n // 2, n)
            v.mark()
            time.sleep(random.random())
            at = v.cut([address(link)])
            v.until_states({f"l{link}": "down"}, at)
            arrived, said = v.said(f"l{link}", "down", at)
            out["down"].append(arrived - at)
            out["sent"].append(arrived - said)
            at = v.restore([address(link)])
            v.until_states({f"l{link}": "up"}, at)
            arrived, said = v.said(f"l{link}", "up", at)
            out["up"].append(arrived - at)
            out["sent"].append(arrived - said)
        # A minute of every target: what the vantage itself lost.
        from broker import until
        until("every target's minute", lambda: len({x[2] for x in v.all("l[0-9]+/sent")}) > 0, 70)
        with v.lock:
            quiet = [x for x in v.seen if x[1] < began + seconds]
        out["pings"] = sum(x[3] for x in quiet if x[2].endswith("/sent"))
        out["answers"] = sum(x[3] for x in quiet if x[2].endswith("/received"))
        out["exit"] = v.agent.stop()
    return out


def many(folder, n):
    """As many as a vantage can have: all are told, whatever the disk does."""
    with vantage(folder, n) as v:
        v.until_states({f"l{i}": "up" for i in range(n)}, seconds=60)
        return {"told": len(v.all("l[0-9]+/state")), "exit": v.agent.stop(),
                "lost": [x[2:] for x in v.all("core/(unsent|dropped|ignored)") if x[3]],
                "log": v.agent.log.read_text()}


def storm(folder, n, parents):
    """Parents fall silent, and all behind them: who is told when, and in which order."""
    with vantage(folder, n, parents) as v:
        v.until_states({f"l{i}": "up" for i in range(n)}, seconds=30)
        v.mark()
        at = v.cut([address(i) for i in range(n)])
        v.until_states({f"l{i}": "down" for i in range(n)}, at)
        order = [(name.split("/")[0], arrived - at, t - at)
                 for arrived, t, name, value in v.all("l[0-9]+/state") if value == "down"]
        return {"order": order, "blind": [x[3] for x in v.all("core/blind")]}


def blind(folder, n):
    """Own trouble: everything is silent, the self-check too; then all but one is back."""
    from broker import until
    everyone = [address(i) for i in range(n)] + SELF
    out = {}
    with vantage(folder, n) as v:
        v.until_states({f"l{i}": "up" for i in range(n)}, seconds=30)
        v.mark()
        at = v.cut(everyone)
        until("it says that it is blind", lambda: any(x[3] for x in v.all("core/blind")))
        out["blind_after"] = v.all("core/blind")[0][0] - at
        out["reason"] = v.all("core/blind-reason")[0][3]
        time.sleep(3)  # and it stays so
        out["down_while_blind"] = sum(x[3] == "down" for x in v.all("l[0-9]+/state"))
        v.mark()
        at = v.restore(everyone[1:])
        v.until_states({f"l{i}": "up" for i in range(1, n)} | {"l0": "down"}, at)
        out["sees"] = [x[3] for x in v.all("core/blind")]
        # A restart tells all states anew, and invents none.
        v.agent.stop()
        v.mark()
        at = time.time()
        v.agent.start()
        v.until_states({f"l{i}": "up" for i in range(1, n)} | {"l0": "down"}, at)
        out["after_restart"] = sorted({x[3] for x in v.all("l[1-9][0-9]*/state")})
        # Stopped for a while: nothing becomes down from our own silence.
        v.mark()
        v.agent.signal(19)
        time.sleep(4)
        v.agent.signal(18)
        time.sleep(5)
        out["after_stop"] = [x[2:] for x in v.all("l[0-9]+/state")]
    return out


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    print(json.dumps(globals()[sys.argv[1]](*json.loads(sys.argv[2]))))
