"""The lab's one long-lived process, inside the lab's namespaces: builds the province,
starts its parts, obeys `lab`'s commands over a unix socket, and writes down what was done.
Truth is what was done, not what the topology said."""
import json
import os
import random
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import traceback
import uuid

from . import hosts, net, parts

SOCKET, TRUTH, READY, LOG = "lab.sock", "truth.jsonl", "ready.json", "lab.log"


class Lab:
    def __init__(self, topology, state, build, listener):
        self.topology, self.state, self.build, self.listener = topology, state, build, listener
        self.sites, self.links = {}, {}
        self.processes = {}        # name -> (Popen, argv, namespace, environment)
        self.log = open(os.path.join(state, LOG), "a", encoding="utf-8", buffering=1)
        self.truth_file = open(os.path.join(state, TRUTH), "a", encoding="utf-8", buffering=1)

    # ── truth ─────────────────────────────────────────────────────────────────────────
    def did(self, what, **facts):
        self.truth_file.write(json.dumps({"at": time.time(), "did": what, **facts}, ensure_ascii=False) + "\n")

    def say(self, text):
        print(text, flush=True)

    # ── processes ─────────────────────────────────────────────────────────────────────
    def start(self, name, argv, ns, env=None):
        out = open(os.path.join(self.state, f"{name}.log"), "ab")
        p = subprocess.Popen(["nsenter", f"--net=/run/netns/{ns}", *argv],
                             stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                             env={**os.environ, **(env or {})}, start_new_session=True)
        self.processes[name] = (p, argv, ns, env)
        self.did("start", name=name)
        return p

    def kill(self, name, sig=signal.SIGKILL):
        p = self.processes[name][0]
        try:
            os.killpg(p.pid, sig)
        except ProcessLookupError:
            pass
        p.wait()
        self.did("kill", name=name, signal=int(sig))

    def restart(self, name):
        _, argv, ns, env = self.processes[name]
        self.start(name, argv, ns, env)

    # ── building ──────────────────────────────────────────────────────────────────────
    def build_network(self):
        t0 = time.monotonic()
        net.build_core()
        for n, row in enumerate(self.topology["sites"], 1):
            site = net.Site(n, row, self.sites)
            self.sites[site.id] = self.links[row["link"]["id"]] = site
            site.build_link()
            self.did("link", link=row["link"]["id"], agency=site.id, kind=row["link"]["kind"], down_bps=row["link"]["down_bps"],
                     up_bps=row["link"]["up_bps"])
            machines = hosts.make(site, self.topology["name"])
            agent_mac = "3c:52:82:%02x:%02x:01" % (n // 256, n % 256) if row["agent"] else None
            site.plug(machines, agent_mac)
            if row["agent"] and row["firewall"]:
                net.run("nft", "-f", "-", ns=site.agent_ns, input=FIREWALL)
                self.did("firewall", agency=site.id)
            if machines:
                self.start(f"dnsmasq-{site.id}", hosts.dnsmasq(site, self.state), site.ns)
            if row["snmp"]:
                self.start(f"snmpd-{site.id}", parts.snmpd(site, self.state), site.ns,
                           {"MIBS": "", "SNMP_PERSISTENT_DIR": os.path.join(self.state, f"snmp-{site.id}")})
            self.say(f"  {site.id}: {len(machines)} machines behind {row['link']['id']}")
        if self.topology["targets"]:
            net.build_further()
        self.start_hosts()
        self.say(f"  network ready after {time.monotonic() - t0:.1f} s")

    def start_hosts(self):
        """Fork the process that plays the machines; wait until every one has its lease."""
        sites = list(self.sites.values())
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                hosts.play(sites, writing)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        os.close(writing)
        self.hosts_pid = pid
        if not select.select([reading], [], [], 60)[0] or not os.read(reading, 1):
            raise RuntimeError("not every machine got its lease within 60 s; see dnsmasq-*.log")
        os.close(reading)
        for site in sites:
            for m in site.machines:
                self.did("machine", agency=site.id, **{k: m[k] for k in ("kind", "mac", "ipv4", "hostname")})

    # ── the way in: the dashboard's address on the outer machine ──────────────────────
    def relay(self):
        """Plain HTTP on the outer loopback; towards the server TLS, checked by its CA."""
        trust = ssl.create_default_context(cafile=self.facts["ca"])

        def pump(a, b):
            try:
                while data := a.recv(65536):
                    b.sendall(data)
            except OSError:
                pass
            for s in (a, b):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

        while True:
            client, _ = self.listener.accept()
            try:
                server = trust.wrap_socket(socket.create_connection((net.CORE_ADDRESS, parts.HTTP_PORT), 5),
                                           server_hostname=net.CORE_ADDRESS)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    # ── commands ──────────────────────────────────────────────────────────────────────
    def link(self, name):
        if name not in self.links:
            raise KeyError(f"no link '{name}'; there are {', '.join(sorted(self.links))}")
        return self.links[name]

    def site(self, name):
        if name not in self.sites:
            raise KeyError(f"no site '{name}'; there are {', '.join(sorted(self.sites))}")
        return self.sites[name]

    def power(self, site, on):
        """Router and agent's machine go together; the machine comes back with a new boot id."""
        agent = f"agent-{site.id}"
        site.router_down(not on)
        if agent not in self.processes:
            return
        if on:
            self.processes[agent][3]["HATANG_BOOT_ID"] = str(uuid.uuid4())
            self.restart(agent)
        else:
            self.kill(agent)

    def command(self, words):
        verb, *rest = words
        if verb in ("cut", "restore"):
            link, began = self.link(rest[0]), time.time()
            link.cut(verb == "cut")
            self.did(verb, at=began, until=time.time(), link=rest[0])
        elif verb in ("router-down", "router-up"):
            site, began = self.site(rest[0]), time.time()
            site.router_down(verb == "router-down")
            self.did(verb, at=began, until=time.time(), site=site.id, link=site.row["link"]["id"])
        elif verb in ("power-off", "power-on"):
            site, began = self.site(rest[0]), time.time()
            self.power(site, verb == "power-on")
            self.did(verb, at=began, until=time.time(), site=site.id, link=site.row["link"]["id"])
        elif verb == "drop":
            self.link(rest[1]).drop(float(rest[0]))
            self.did("drop", link=rest[1], share=float(rest[0]))
        elif verb in ("kill", "start"):
            if rest[0] not in self.processes:
                raise KeyError(f"no process '{rest[0]}'; there are {', '.join(sorted(self.processes))}")
            (self.kill if verb == "kill" else self.restart)(rest[0])
        elif verb == "status":
            return {n: "running" if p[0].poll() is None else f"ended {p[0].returncode}"
                    for n, p in sorted(self.processes.items())}
        elif verb == "exec":     # for tests: a command in a namespace of the lab
            r = net.run(*rest[1:], ns=rest[0], check=False)
            return {"code": r.returncode, "out": r.stdout, "err": r.stderr}
        else:
            raise KeyError(f"no command '{verb}'")
        return "done"

    def serve(self):
        path = os.path.join(self.state, SOCKET)
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen(8)
        while True:
            conn, _ = server.accept()
            with conn, conn.makefile("rw", encoding="utf-8") as f:
                words = json.loads(f.readline() or "[]")
                if words == ["down"]:
                    self.down()
                    os.unlink(path)
                    f.write(json.dumps({"ok": "down"}) + "\n")
                    return
                try:
                    answer = {"ok": self.command(words)}
                except (KeyError, IndexError, ValueError, subprocess.CalledProcessError) as e:
                    text = e.args[0] if isinstance(e, KeyError) else getattr(e, "stderr", None) or str(e)
                    answer = {"error": str(text)}
                f.write(json.dumps(answer, ensure_ascii=False) + "\n")

    def down(self):
        """Agents first, so that they say goodbye; then all else. The kernel takes the
        namespaces away with the last process."""
        order = sorted(self.processes, key=lambda n: not n.startswith("agent-"))
        for name in order:
            p = self.processes[name][0]
            if p.poll() is None:
                os.killpg(p.pid, signal.SIGTERM)
        deadline = time.monotonic() + 12
        for name in order:
            p = self.processes[name][0]
            try:
                p.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self.say(f"{name} did not end within 12 s: killed")
                os.killpg(p.pid, signal.SIGKILL)
        if getattr(self, "hosts_pid", None):
            os.kill(self.hosts_pid, signal.SIGKILL)


FIREWALL = """
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iif lo accept
    ip protocol icmp accept
    tcp dport 22 accept
  }
}
"""


def main(argv):
    topology_file, state, build, listen_fd = argv
    os.environ["HATANG_LAB"] = "1"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    os.makedirs("/run/netns")
    with open(topology_file, encoding="utf-8") as f:
        topology = json.load(f)
    random.seed(topology["name"])
    lab = Lab(topology, state, build, socket.socket(fileno=int(listen_fd)))
    try:
        lab.build_network()
        lab.facts = parts.start_all(lab)
        threading.Thread(target=lab.relay, daemon=True).start()
        with open(os.path.join(state, READY + ".new"), "w", encoding="utf-8") as f:
            json.dump({"pid": os.getpid(), **lab.facts}, f)
        os.rename(os.path.join(state, READY + ".new"), os.path.join(state, READY))
        lab.serve()
    except subprocess.CalledProcessError as e:
        print(f"lab: {' '.join(map(str, e.cmd))}: {e.stderr or e.returncode}", file=sys.stderr)
        lab.down()
        return 1
    except BaseException as e:
        if not isinstance(e, SystemExit):
            traceback.print_exc()
        lab.down()
        return 1
    return 0
