"""The real parts that the lab starts: snmpd, mosquitto, hatang-server, hatang-agent. They
are set up as an admin would do it: import, token, enrol, approve."""
import json
import os
import pathlib
import subprocess
import time
import uuid

from . import net

HTTP_PORT, MQTT_PORT, RECEIVER_PORT = 8443, 8883, 9000
BODY = ('{"kind":"{{kind}}","key":"{{key}}","incident":"{{incident}}","rule":"{{rule}}","subject":"{{subject}}",'
        '"cause":"{{cause}}","opened":"{{opened}}","closed":"{{closed}}",'
        '"affected":[{{#affected}}{{^first}},{{/first}}"{{id}}"{{/affected}}]}')
CHANNELS = f"""\
channels:
  - id: receiver
    kind: webhook
    url: "http://127.0.0.1:{RECEIVER_PORT}/"
    per_minute: 6000
    content_type: application/json
    body: '{BODY}'
"""
# Every link for itself and without a limit: what is measured is the way, not the grouping.
RULES = """\
version: 1
time_zone: Asia/Ho_Chi_Minh
rules:
  - id: wan-outage
    kinds: [link-down, link-unreachable]
    severity: critical
    limit: { messages: 10000, per: 1m }
"""


def snmpd(site, state):
    """A real snmpd in the office's router; community lab-<site>."""
    path = os.path.join(state, f"snmpd-{site.id}.conf")
    os.makedirs(os.path.join(state, f"snmp-{site.id}"), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"rocommunity lab-{site.id}\nagentaddress udp:161\nsysName {site.id}-router\n"
                "sysDescr Linux router of the lab\n")
    return ["snmpd", "-f", "-Lo", "-C", "-c", path]


def until(seconds, what, test):
    """Poll until `test` holds; its answer, or an error that says what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if answer := test():
                return answer
        except (OSError, subprocess.CalledProcessError, ValueError):
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not come within {seconds} s")
        time.sleep(0.1)


class Province:
    """Broker, server and agents of one lab."""

    def __init__(self, lab):
        self.lab, self.state = lab, pathlib.Path(lab.state)
        self.every = lab.topology["every_s"]
        build = pathlib.Path(lab.build)
        self.server_bin, self.agent_bin, self.cli_bin = (
            build / "server/hatang-server", build / "agent/hatang-agent", build / "cli/hatang")
        self.share = build / "share"
        self.server_state = self.state / "server"
        self.url = f"https://{net.CORE_ADDRESS}:{HTTP_PORT}"
        self.env = {"HATANG_URL": self.url, "HATANG_CA": str(self.server_state / "ca/ca.crt"),
                    "HATANG_TOKEN_FILE": str(self.server_state / "admin.token"),
                    "HATANG_CLOCK": "synchronised"}

    def hatang(self, *words, **kw):
        """The command line, in the core. Its JSON answer where it has one."""
        r = net.run(str(self.cli_bin), *words, ns=net.CORE, env={**os.environ, **self.env}, **kw)
        return json.loads(r.stdout) if "--json" in words else r.stdout

    # ── who is told ───────────────────────────────────────────────────────────────────
    def start_receiver(self):
        """A webhook receiver, and the channel and rules by which it is told."""
        told = self.state / "receiver"
        told.mkdir()
        here = pathlib.Path(__file__).resolve().parent
        self.lab.start("receiver", ["/usr/bin/python3", str(here / "receiver.py"), str(RECEIVER_PORT), str(told)],
                       net.CORE)
        channels, rules = self.state / "channels.yaml", self.state / "rules.yaml"
        channels.touch(mode=0o600)
        channels.write_text(CHANNELS, encoding="utf-8")
        rules.write_text(RULES, encoding="utf-8")
        return f"alerts: {{ channels: {channels}, rules: {rules} }}\n"

    # ── server and broker ─────────────────────────────────────────────────────────────
    def start_server(self):
        config = self.state / "server.yaml"
        broker = self.state / "broker"
        config.write_text(f"""\
server: {{ state_dir: {self.server_state}, share_dir: {self.share} }}
mqtt:   {{ host: 127.0.0.1, port: {MQTT_PORT}, public_host: {net.CORE_ADDRESS} }}
http:   {{ listen: 0.0.0.0, port: {HTTP_PORT}, tls: yes }}
broker: {{ config_dir: {broker}, pid_file: {broker}/mosquitto.pid }}
reach:  {{ self: [{net.OUTSIDE_ADDRESS}] }}
""", encoding="utf-8")
        with open(config, "a", encoding="utf-8") as f:
            f.write(self.start_receiver())
        net.run(str(self.server_bin), "init", "--config", str(config), ns=net.CORE)
        # In a namespace of one user mosquitto has nobody else to become.
        conf = broker / "mosquitto.conf"
        if "\nuser " not in conf.read_text():
            conf.write_text(conf.read_text() + "\nuser root\n")
        self.lab.start("mosquitto", ["mosquitto", "-c", str(conf)], net.CORE)
        self.lab.start("server", [str(self.server_bin), "run", "--config", str(config)], net.CORE, self.env)
        until(30, "the server", lambda: self.hatang("agency", "list", "--json") is not None)

    def import_registry(self):
        rows = ["id,name,level,parent,servants,servants_as_of,link_id,role,kind,line_type,provider,"
                "contracted_down,contracted_up,router_address,parents"]
        day = time.strftime("%Y-%m-%d", time.gmtime())
        # The core is the data centre itself: it has no line to anywhere.
        rows.append(f"core,UBND tỉnh,province,,{self.lab.topology['servants']},{day},,,,,,,,,")
        for site in self.lab.sites.values():
            row, link = site.row, site.row["link"]
            rows.append(",".join(str(c) for c in (
                site.id, row["name"], row["level"], row["parent"] or "core", row.get("servants", ""),
                day if "servants" in row else "", link["id"], "primary", link["kind"], link["line_type"],
                link["provider"], link["contracted_down_bps"], link["contracted_up_bps"], site.address,
                site.parent.row["link"]["id"] if site.parent else "")))
        for i in range(self.lab.topology["targets"]):
            head = "far,Xa,province,core,," if i == 0 else "far,,,,,"
            rows.append(f"{head},far-{i:05},backup,province-wan,ftth,VNPT,10M,10M,{net.further(i)},")
        path = self.state / "registry.csv"
        path.write_text("\n".join(rows) + "\n", encoding="utf-8")
        self.lab.say("  " + self.hatang("agency", "import", str(path)).strip().replace("\n", "\n  "))

    # ── agents ────────────────────────────────────────────────────────────────────────
    def agent_env(self, name):
        """Agents of the lab share one kernel: each gets a machine of its own."""
        return {"HATANG_CLOCK": "synchronised",
                "HATANG_BOOT_ID": str(uuid.uuid5(uuid.NAMESPACE_OID, f"boot/{name}")),
                "HATANG_FINGERPRINT": uuid.uuid5(uuid.NAMESPACE_OID, f"machine/{name}").hex * 2}

    def enroll(self, agency, ns):
        """Token, enrolment over the WAN, and the agent's configuration."""
        name = f"agent-{agency}"
        folder = self.state / name
        folder.mkdir(mode=0o700)
        token = self.state / f"{name}.token"
        token.touch(mode=0o600)
        token.write_text(self.hatang("token", "create", "--agency", agency, "--agent", agency))
        env = {**os.environ, **self.agent_env(name)}
        net.run(str(self.agent_bin), "enroll", "--server", self.url, "--token", f"@{token}",
                "--dir", str(folder), "--config", str(folder / "agent.yaml"), ns=ns, env=env)
        token.unlink()
        return name, folder

    def start_agent(self, agency, ns, approved):
        name, folder = self.enroll(agency, ns)
        self.lab.start(name, [str(self.agent_bin), "run", "--config", str(folder / "agent.yaml")],
                       ns, self.agent_env(name))
        config = self.state / f"{name}.approved.yaml"
        config.write_text(approved, encoding="utf-8")
        self.hatang("agents", "approve", agency, "--file", str(config))

    def office_config(self, site):
        return f"""\
site:
  subnets: [{site.lan}]
  interfaces: [eth0]
  packets_per_s: 200
probes:
  - {{ probe: icmp, id: {site.row['link']['id']}, every: {self.every}s, target: {net.CORE_ADDRESS}, count: 5, spacing: 100ms }}
  - {{ probe: lan.arp, id: lan, every: 1m }}
  - {{ probe: lan.passive, id: lan-passive, every: 20s }}
  - {{ probe: posture.host, id: host, every: 2m, timeout: 1m }}
"""

    def vantage_config(self):
        probes = ["  - { probe: posture.host, id: host, every: 2m, timeout: 1m }"]
        for site in self.lab.sites.values():
            link = site.row["link"]["id"]
            probes.append(f"  - {{ probe: icmp, id: {link}, every: {self.every}s, target: {site.address}, count: 5, spacing: 100ms }}")
            if site.row["snmp"]:
                secret = self.state / f"community-{site.id}"
                secret.touch(mode=0o600)
                secret.write_text(f"lab-{site.id}\n")
                probes.append(f"  - {{ probe: snmp.interfaces, id: {link}, every: {2 * self.every}s, target: {site.address},"
                              f" community_file: {secret}, link_interface: wan }}")
        return "probes:\n" + "\n".join(probes) + "\n"

    def start(self):
        t0 = time.monotonic()
        self.start_server()
        self.import_registry()
        self.start_agent("core", net.CORE, self.vantage_config())
        self.hatang("agents", "vantage", "core")
        for site in self.lab.sites.values():
            if site.row["agent"]:
                self.start_agent(site.id, site.agent_ns, self.office_config(site))
        self.lab.say(f"  server and agents ready after {time.monotonic() - t0:.1f} s")
        first = (self.server_state / "first-password").read_text().split()
        return {"user": first[0], "password": first[-1], "env": self.env,
                "ca": str(self.server_state / "ca/ca.crt")}


def start_all(lab):
    return Province(lab).start()
