#!/usr/bin/python3
"""A province in namespaces of its own, for test_path.py: an office, its router, a WAN of
three hops with two balanced ways in its middle, an Internet of two hops with a tunnel's
end behind it, and the core with the inside address.

    ag 192.168.10.5 ── r0 ── p1 ═╦═ p2a ═╦═ p3 ── core 10.20.0.1, fd20::1
                        │        ╚═ p2b ═╝         │
                        └────── i1 ────── i2 ──────┘

usage (inside `unshare -Urnm -pf --mount-proc`): path_net.py BUILD SCENARIO
Prints one JSON object: what the probe said."""
import json
import os
import socket
import struct
import subprocess
import sys
import threading

from broker import until
from province import REGISTRY, Province

TARGET = {4: "10.20.0.1", 6: "fd20::1"}
# Links: (a, b, IPv4 network, IPv6 network); a has .1, b has .2.
LINKS = [
    ("ag", "r0", "192.168.10", "fd00:10:"),
    ("r0", "p1", "10.1.0", "fd01:0:"),
    ("p1", "p2a", "10.1.2", "fd01:2:"),
    ("p1", "p2b", "10.1.3", "fd01:3:"),
    ("p2a", "p3", "10.1.4", "fd01:4:"),
    ("p2b", "p3", "10.1.5", "fd01:5:"),
    ("p3", "core", "10.1.6", "fd01:6:"),
    ("r0", "i1", "100.64.0", "2a00:64:"),
    ("i1", "i2", "9.9.9", "2a00:9:"),
    ("i2", "core", "10.1.255", "fd01:255:"),  # inside addresses: where a tunnel ends
]
RULES = """\
    networks:
      - { network: internet, hops: [10.1.255.2] }
      - { network: province-wan, prefixes: [10.1.0.0/16, 'fd01::/16'] }
"""
NAMED = "    networks: [ { network: province-wan, hops: [10.1.4.2, 10.1.5.2] } ]\n"


def sh(*args, **kw):
    return subprocess.run(args, check=True, **kw)


def in_ns(ns, *args, **kw):
    return sh("ip", "netns", "exec", ns, *args, **kw)


def put(ns, values):
    """Settings of the kernel, by one shell."""
    in_ns(ns, "sh", "-c", "; ".join(f"echo '{v}' > /proc/sys/net/{k}" for k, v in values.items()))


def batch(ns, lines):
    sh("ip", "-n", ns, "-batch", "-", input="\n".join(lines) + "\n", text=True)


def build():
    sh("mount", "-t", "tmpfs", "t", "/run")
    os.mkdir("/run/netns")
    sh("ip", "link", "set", "lo", "up")
    routers = sorted({end for a, b, *_ in LINKS for end in (a, b)})
    for ns in routers:
        sh("ip", "netns", "add", ns)
        put(ns, {"ipv4/ip_forward": 1, "ipv6/conf/all/forwarding": 1, "ipv4/icmp_ratelimit": 0,
                 "ipv6/icmp/ratelimit": 0, "ipv4/conf/all/rp_filter": 0,
                 "ipv4/conf/default/rp_filter": 0, "ipv6/conf/default/accept_dad": 0,
                 "ipv4/icmp_errors_use_inbound_ifaddr": 1,
                 # By ports too. Policy 1 would do that on a wire; on a veth it takes the
                 # sending socket's hash, which TCP draws anew for each connection.
                 "ipv4/fib_multipath_hash_policy": 3, "ipv4/fib_multipath_hash_fields": 0x37,
                 "ipv6/fib_multipath_hash_policy": 3, "ipv6/fib_multipath_hash_fields": 0x3f})
    lines = {ns: ["link set lo up"] for ns in routers}
    for a, b, v4, v6 in LINKS:
        lines["ag"].append(f"link add {b} netns {a} type veth peer name {a} netns {b}")
        for ns, dev, host in ((a, b, 1), (b, a, 2)):
            lines[ns] += [f"addr add {v4}.{host}/24 dev {dev}",
                          f"addr add {v6}:{host}/64 dev {dev} nodad", f"link set {dev} up"]
    batch("ag", [x for x in lines["ag"] if x.startswith("link add")])
    for ns in routers:
        batch(ns, [x for x in lines[ns] if not x.startswith("link add")])
    batch("core", ["addr add 10.20.0.1/32 dev lo", "addr add fd20::1/128 dev lo nodad"])
    # Every router's errors come back to the office, the way that is the province's.
    ways = {"ag": ("192.168.10.2", "fd00:10::2"), "p3": ("10.1.4.1", "fd01:4::1"),
            "p2a": ("10.1.2.1", "fd01:2::1"), "p2b": ("10.1.3.1", "fd01:3::1"),
            "p1": ("10.1.0.1", "fd01:0::1"), "core": ("10.1.6.1", "fd01:6::1"),
            "i1": ("100.64.0.1", "2a00:64::1"), "i2": ("9.9.9.1", "2a00:9::1")}
    for ns, (v4, v6) in ways.items():
        batch(ns, [f"route add default via {v4}", f"route add default via {v6}"])
    for ns, v4, v6 in (("p2a", "10.1.4.2", "fd01:4::2"), ("p2b", "10.1.5.2", "fd01:5::2"),
                       ("p3", "10.1.6.2", "fd01:6::2"), ("i1", "9.9.9.2", "2a00:9::2"),
                       ("i2", "10.1.255.2", "fd01:255::2")):
        batch(ns, [f"route add 10.20.0.0/16 via {v4}", f"route add fd20::/16 via {v6}"])
    batch("p1", ["route add 10.20.0.0/16 nexthop via 10.1.2.2 nexthop via 10.1.3.2",
                 "route add fd20::/16 nexthop via fd01:2::2 nexthop via fd01:3::2"])
    lead("p1")
    config(6, "tcp")
    for _ in range(50):  # until neighbours know each other
        if probe()["status"] == "ok":
            return
    raise SystemExit("the network does not come up")


def lead(to):
    """Which way the office's router sends what is for the core."""
    v4, v6 = {"p1": ("10.1.0.2", "fd01:0::2"), "i1": ("100.64.0.2", "2a00:64::2")}[to]
    batch("r0", [f"route replace 10.20.0.0/16 via {v4}", f"route replace fd20::/16 via {v6}"])


def tunnel():
    """The office's router has a tunnel over the Internet, which ends inside at 10.1.254.2.
    False when this kernel has none to offer."""
    ends = (("r0", "100.64.0.1", "9.9.9.2", "10.1.254.1"),
            ("i2", "9.9.9.2", "100.64.0.1", "10.1.254.2"))
    for ns, local, remote, inside in ends:
        made = subprocess.run(["ip", "-n", ns, "link", "add", "vpn", "type", "vxlan", "id", "5",
                               "local", local, "remote", remote, "dstport", "4789"])
        if made.returncode:
            return False
        batch(ns, [f"addr add {inside}/30 dev vpn", "link set vpn up"])
    batch("r0", ["route add 9.9.9.2 via 100.64.0.2", "route replace 10.20.0.0/16 via 10.1.254.2"])
    return True


def silence(*routers):
    """They let packets die without a word, as many do."""
    for ns in routers:
        in_ns(ns, "nft", "-f", "-", text=True,
              input="table inet silent { chain out { type filter hook output priority 0;\n"
                    "icmp type time-exceeded drop\nicmpv6 type time-exceeded drop\n}\n}\n")


def config(version, method, rules=RULES, more="", per_hop=1):
    with open("/run/agent.yaml", "w") as f:
        f.write("agent: { id: a1, state_dir: /run/state }\n"
                "site: { subnets: [192.168.10.0/24, 'fd00:10::/32'] }\n"
                f"probes:\n  - probe: path\n    id: wan\n    target: '{TARGET[version]}'\n"
                f"    method: {method}\n    wait: 600ms\n    per_hop: {per_hop}\n{more}{rules}")


def probe(*wrap):
    """One run by hand: quantity to value."""
    p = subprocess.run(["ip", "netns", "exec", "ag", *wrap, AGENT, "probe", "wan", "--json",
                        "--config", "/run/agent.yaml"], capture_output=True, text=True, timeout=60)
    assert p.stdout.startswith("["), (p.returncode, p.stdout, p.stderr)
    found, base = {}, ""
    for r in json.loads(p.stdout):
        base = r.get("bn", base)
        found[(base + r["n"]).split("/")[-1]] = next(r[k] for k in ("v", "vs", "vb") if k in r)
    return found


def allow_datagrams():
    """Datagram ICMP sockets; before, as in any new namespace, the monitor opens raw ones.
    (There is no way back: other groups do not exist here.)"""
    put("ag", {"ipv4/ping_group_range": "0 0"})


def ways():
    """Each method and family, over the WAN and then over the Internet."""
    out = []
    for version in (4, 6):
        config(version, "icmp")
        out.append({"way": "p1", "version": version, "asked": "icmp", **probe()})
    allow_datagrams()
    for way in ("p1", "i1"):
        lead(way)
        for version in (4, 6):
            for method in ("icmp", "udp", "tcp"):
                config(version, method)
                out.append({"way": way, "version": version, "asked": method, **probe()})
    return out


def concluded():
    """A whole province in the namespace of `ag`: server, broker, and a vantage that pings and
    traces what the registry names, nobody having written an address. What the server says of
    an agency without an agent, before and after the route is switched."""
    p = in_ns("ag", sys.executable, __file__, AGENT, "conclusion", stdout=subprocess.PIPE, text=True)
    return json.loads(p.stdout)


def conclusion():
    os.mkdir("/run/province")
    p = Province("/run/province")
    wan = lambda: p.get("/api/v1/agencies/bat-xat")[1]["wan"] or {}
    out = []
    try:
        p.start().registry(REGISTRY.replace(",127.0.0.1\n", f",{TARGET[4]}\n"))
        m = p.enroll("core", "lao-cai")
        p.hatang("agents", "vantage", m.id)
        m.run("  - { probe: path, every: 1s, networks: [ { network: province-wan, "
              "prefixes: [10.1.0.0/16] } ] }\n")
        for way, answer in (("p1", "yes"), ("i1", "no")):
            lead(way)
            until(f"the answer is {answer}", lambda: wan().get("answer") == answer
                  and wan()["confidence"] > 0.8, 40)
            out.append(wan())
        assert m.process.stop() == 0
    finally:
        p.kill()
    return out


def unprivileged():
    """No capability left, and no datagram ICMP sockets: udp and tcp do not need any."""
    out = {}
    for method in ("icmp", "udp", "tcp"):
        config(4, method)
        out[method] = probe("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    return out


def awkward():
    """Behind address translation, as most offices are; and through a tunnel."""
    allow_datagrams()
    in_ns("r0", "nft", "-f", "-", text=True,
          input="table inet nat { chain post { type nat hook postrouting priority 100;\n"
                "oifname { p1, i1 } masquerade random\n}\n}\n")
    out = {"nat": []}
    for version, method in ((4, "icmp"), (4, "udp"), (4, "tcp"), (6, "icmp")):
        config(version, method)
        out["nat"].append(probe())
    in_ns("r0", "nft", "delete table inet nat")
    if not tunnel():
        return out
    province = "    networks: [ { network: province-wan, "
    for name, what in (
            ("listed", "prefixes: [10.1.0.0/16] }, { network: internet, hops: [10.1.254.2]"),
            ("excluded", "prefixes: [10.1.0.0/16], not_hops: [10.1.254.2]"),
            ("accepted", "tunnel: yes, hops: [10.1.254.2]")):
        config(4, "icmp", rules=f"{province}{what} }} ]\n")
        out[name] = probe()
    p = in_ns("ag", AGENT, "probe", "wan", "--config", "/run/agent.yaml", capture_output=True, text=True)
    return {**out, "shown": p.stdout}


def rules():
    """The same path by other rules; and silent routers in its middle."""
    allow_datagrams()
    config(4, "icmp", rules="")
    out = {"none": probe()}
    config(4, "icmp", more="    max_hops: 2\n")
    out["short"] = probe()
    silence("p1", "p2a", "p2b")
    config(4, "icmp")
    out["silent"] = probe()
    config(4, "icmp", rules=NAMED)
    out["named"] = probe()
    in_ns("p3", "nft", "-f", "-", text=True,
          input="table inet shut { chain f { type filter hook forward priority 0;\n"
                "ip daddr 10.20.0.1 reject with icmp type admin-prohibited\n}\n}\n")
    config(4, "icmp", rules=NAMED)
    out["refused"] = probe()
    silence("r0", "p3")
    in_ns("p3", "nft", "flush table inet shut; add rule inet shut f ip daddr 10.20.0.1 drop")
    config(4, "icmp")
    out["nobody"] = probe()
    batch("ag", ["route del default"])
    out["no route"] = probe()
    return out


def datagram_hops(port, ttls):
    """A traceroute as most do it, another port each packet: who answers at each ttl."""
    found = []
    for i, ttl in enumerate(ttls):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        s.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        s.settimeout(5)
        s.connect((TARGET[4], port + i))
        s.send(b"x")
        try:
            s.recv(100)
        except OSError:
            _, control, _, _ = s.recvmsg(600, 600, 0x2000)  # MSG_ERRQUEUE
            data = next(d for level, kind, d in control if (level, kind) == (0, 11))
            found.append(socket.inet_ntoa(data[20:24]))
        s.close()
    return found


def balanced():
    """Many runs: each keeps to one of the two ways. And what varying ports would show."""
    allow_datagrams()
    runs = []
    for method, version in 4 * [("udp", 4), ("tcp", 4)] + [("icmp", 4), ("icmp", 6), ("udp", 6),
                                                           ("tcp", 6)]:
        config(version, method, per_hop=2)
        runs.append(probe())
    return {"runs": runs, "naive": json.loads(in_ns(
        "ag", sys.executable, __file__, AGENT, "naive", capture_output=True, text=True).stdout)}


def naive():
    return [datagram_hops(40000 + 10 * i, (3, 4)) for i in range(24)]


class Forger(threading.Thread):
    """Sits on the office's cable. For each packet of the agent's it claims that it died
    with a router of the Internet: it knows all that can be guessed, but not the secret."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sent = 0
        self.raw = self.open(socket.AF_INET, socket.SOCK_RAW, 255)  # IPPROTO_RAW
        self.wire = self.open(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.wire.bind(("ag", 0x0800))
        self.start()

    @staticmethod
    def open(*what):
        """A socket in the namespace of the office's router."""
        made = []

        def work():
            import ctypes
            fd = os.open("/run/netns/r0", os.O_RDONLY)
            assert ctypes.CDLL(None).setns(fd, 0x40000000) == 0
            made.append(socket.socket(*what))

        t = threading.Thread(target=work)
        t.start()
        t.join()
        return made[0]

    def run(self):
        while True:
            packet = self.wire.recv(2000)
            if packet[12:16] != socket.inet_aton("192.168.10.1") or packet[9] not in (1, 17):
                continue
            for quote in (self.without_cookie(packet), self.header_alone(packet)):
                body = b"\x0b\0\0\0" + b"\0" * 4 + quote
                body = body[:2] + struct.pack(">H", checksum(body)) + body[4:]
                head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 7, 0, 64, 1, 0,
                                   socket.inet_aton("9.9.9.2"), packet[12:16])
                self.raw.sendto(head + body, ("192.168.10.1", 0))
                self.sent += 1

    @staticmethod
    def without_cookie(packet):
        return packet[:28] + bytes(b ^ 0x55 for b in packet[28:])

    @staticmethod
    def header_alone(packet):
        """Eight bytes, with a checksum that is a guess (ICMP; UDP has nothing there)."""
        if packet[9] == 1:
            return packet[:22] + bytes([packet[22] ^ 1]) + packet[23:28]
        return packet[:28] + b"guess"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def forged():
    """A router is silent, so that the forger has all the time it wants."""
    silence("p2a", "p2b")
    forger = Forger()
    out = {}
    for kind in ("raw", "datagram"):
        for method in ("icmp", "udp"):
            config(4, method, rules=NAMED)
            out[f"{method} {kind}"] = probe()
        allow_datagrams()
    return {**out, "sent": forger.sent}


if __name__ == "__main__":
    AGENT, scenario = sys.argv[1:]
    if scenario not in ("naive", "conclusion"):  # these run in the office's namespace
        build()
    print(json.dumps(globals()[scenario]()))
