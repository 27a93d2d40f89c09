#!/usr/bin/python3
"""An office on one bridge, in namespaces of its own, for test_lan.py.

usage (inside `unshare -Urnm -pf --mount-proc`): lan_office.py DRIVE SCENARIO
Prints one JSON object: what the probe said and what was seen on the wire."""
import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys
import threading
import time

ETH_P_ALL = 3
SO_TIMESTAMPNS = 35
AGENT = "02:00:00:00:00:99"
libc = ctypes.CDLL(None, use_errno=True)


def sh(*args):
    subprocess.run(args, check=True)


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return socket.inet_aton(text)


def socket_in(ns, interface):
    """A packet socket in another network namespace."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{ns}", os.O_RDONLY)
    try:
        assert libc.setns(there, 0x40000000) == 0
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        s.bind((interface, ETH_P_ALL))
    finally:
        assert libc.setns(home, 0x40000000) == 0
        os.close(home)
        os.close(there)
    return s


class Office:
    def __init__(self):
        sh("mount", "-t", "tmpfs", "t", "/run")
        os.mkdir("/run/netns")
        sh("ip", "link", "set", "lo", "up")
        sh("ip", "link", "add", "br0", "type", "bridge")
        self.quiet("br0")
        sh("ip", "link", "set", "br0", "up")

    def quiet(self, interface, ns=None):
        """No IPv6 of the kernel's own: whatever is on the wire, someone here sent it."""
        cmd = ["sh", "-c", f"echo 1 > /proc/sys/net/ipv6/conf/{interface}/disable_ipv6"]
        sh(*(["ip", "netns", "exec", ns] if ns else []), *cmd)

    def plug(self, name, address):
        """(Re)make the cable of a host that exists."""
        sh("ip", "link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0",
           "netns", name)
        self.quiet(f"v{name}")
        self.quiet("eth0", name)
        sh("ip", "link", "set", f"v{name}", "master", "br0", "up")
        sh("ip", "-n", name, "link", "set", "eth0", "address", address, "up")

    def host(self, name, address, *nets):
        sh("ip", "netns", "add", name)
        sh("ip", "-n", name, "link", "set", "lo", "up")
        self.plug(name, address)
        for net in nets:
            sh("ip", "-n", name, "addr", "add", net, "dev", "eth0")


class Sniffer(threading.Thread):
    """Every frame that the agent puts on the wire, with the kernel's time stamp."""

    def __init__(self, interface):
        super().__init__(daemon=True)
        self.frames, self.stop = [], threading.Event()
        self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.s.bind((interface, ETH_P_ALL))
        self.start()

    def run(self):
        while True:
            if not select.select([self.s], [], [], 0.05)[0]:
                if self.stop.is_set():
                    return
                continue
            data, control, _, _ = self.s.recvmsg(2048, 256)
            if data[6:12] != mac(AGENT):
                continue
            stamp = [struct.unpack("qq", c[2][:16]) for c in control if c[1] == SO_TIMESTAMPNS]
            sec, nsec = stamp[0]
            self.frames.append((sec + nsec / 1e9, data))

    def requests(self):
        """(time, target) of every ARP request; anything else of the agent's is `other`."""
        self.stop.set()
        self.join()
        asked, other = [], []
        for at, f in self.frames:
            if f[12:14] == b"\x08\x06" and f[20:22] == b"\0\1":
                asked.append((at, socket.inet_ntoa(f[38:42])))
            else:
                other.append(f.hex())
        return asked, other


def readings(text):
    out = []
    for line in text.splitlines():
        name, value, at_ns = line.split("\t")
        out.append((name, value, int(at_ns)))
    return out


def drive(*args):
    return subprocess.Popen(["ip", "netns", "exec", "ag", DRIVE, *args],
                            stdout=subprocess.PIPE, text=True)


def finish(p, seconds=60):
    text, _ = p.communicate(timeout=seconds)
    assert p.returncode == 0, p.returncode
    return readings(text)


def scan_office():
    o = Office()
    o.host("ag", AGENT, "192.168.10.5/24", "10.1.2.4/31", "192.168.30.5/24")
    o.host("h1", "02:00:00:00:00:01", "192.168.10.11/24", "192.168.10.12/24")
    o.host("h2", "02:00:00:00:00:02", "192.168.10.126/24")
    o.host("h3", "02:00:00:00:00:03", "10.1.2.5/31")
    # On the same wire, but not in a declared subnet.
    o.host("x1", "02:00:00:00:00:81", "192.168.10.200/24")
    o.host("x2", "02:00:00:00:00:82", "192.168.30.9/24")
    sh("ip", "-n", "ag", "route", "add", "default", "via", "192.168.10.11")
    return o


def scan():
    scan_office()
    sniffer = Sniffer("vag")
    got = finish(drive("lan.arp", "30", "--interface", "eth0", "--pps", "100",
                       "--subnet", "192.168.10.0/25", "--subnet", "10.1.2.4/31",
                       "--subnet", "172.16.0.0/12", "--subnet", "fd00::/64",
                       "--subnet", "192.168.99.0/24"))
    asked, other = sniffer.requests()
    return {"readings": got, "asked": asked, "other": other}


def unlisted():
    """Attached, declared, but the interface is not listed: nothing may be sent."""
    scan_office()
    sniffer = Sniffer("vag")
    got = finish(drive("lan.arp", "5", "--interface", "eth7", "--subnet", "192.168.10.0/24"))
    asked, other = sniffer.requests()
    return {"readings": got, "asked": asked, "other": other}


def spread():
    o = Office()
    o.host("ag", AGENT, "10.50.0.5/16")
    o.host("h1", "02:00:00:00:00:01", "10.50.0.9/16")
    runs = []
    for _ in range(2):
        sniffer = Sniffer("vag")
        got = finish(drive("lan.arp", "3", "--interface", "eth0", "--pps", "1000",
                           "--subnet", "10.50.0.0/16", "--memory", "/run/memory"))
        asked, other = sniffer.requests()
        runs.append({"readings": got, "asked": asked, "other": other})
    return {"runs": runs}


def arp(op, sender, sender_ip, target_ip, src=None):
    return (b"\xff" * 6 + mac(src or sender) + b"\x08\x06\0\1\x08\0\x06\x04"
            + struct.pack(">H", op) + mac(sender) + ip(sender_ip) + b"\0" * 6
            + ip(target_ip)).ljust(60, b"\0")


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def dhcp(client, kind, options):
    body = (struct.pack(">BBBBIHH", 1, 1, 6, 0, 0x5EED, 0, 0x8000) + b"\0" * 16
            + mac(client).ljust(16, b"\0") + b"\0" * 192 + b"\x63\x82\x53\x63"
            + bytes([53, 1, kind]) + options + b"\xff").ljust(300, b"\0")
    udp = struct.pack(">HHHH", 68, 67, 8 + len(body), 0) + body
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                       ip("0.0.0.0"), ip("255.255.255.255"))
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return b"\xff" * 6 + mac(client) + b"\x08\0" + head + udp


def lease(s, client, options):
    """DISCOVER, OFFER, REQUEST, ACK with a real server; the address."""
    offered = None
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if offered:
            s.send(dhcp(client, 3, b"\x32\x04" + offered + b"\x36\x04" + server + options))
        else:
            s.send(dhcp(client, 1, options))
        until = time.monotonic() + 1
        while time.monotonic() < until and select.select([s], [], [], 0.2)[0]:
            f = s.recv(2048)
            if len(f) < 290 or f[12:14] != b"\x08\0" or f[34:38] != b"\0\x43\0\x44":
                continue
            kind, where = f[f.index(b"\x63\x82\x53\x63") + 6], 42 + 16
            if kind == 2 and not offered:
                offered = f[where:where + 4]
                server = f[26:30]
                break
            if kind == 5:
                return socket.inet_ntoa(f[where:where + 4])
    raise SystemExit("no lease")


def wait_listening(p):
    """Until the probe's packet socket with its filter is open in the agent's namespace."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        out = subprocess.run(["ip", "netns", "exec", "ag", "cat", "/proc/net/packet"],
                             capture_output=True, text=True).stdout
        if len(out.splitlines()) > 1:
            time.sleep(0.05)  # the filter is attached in the same turn
            return
        assert p.poll() is None
    raise SystemExit("the probe opened no capture")


def passive():
    o = Office()
    o.host("ag", AGENT, "192.168.10.5/24")
    o.host("h1", "02:00:00:00:00:01")
    o.host("h2", "02:00:00:00:00:02")
    o.host("srv", "02:00:00:00:00:53", "192.168.10.53/24")
    dnsmasq = subprocess.Popen(
        ["ip", "netns", "exec", "srv", "dnsmasq", "--user=root", "--group=", "--no-daemon",
         "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--bind-interfaces",
         "--dhcp-range=192.168.10.100,192.168.10.150,1h", "--dhcp-leasefile=/run/leases",
         "--dhcp-authoritative", "--no-ping"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    s1, s2 = socket_in("h1", "eth0"), socket_in("h2", "eth0")
    sniffer = Sniffer("vag")
    p = drive("lan.passive", "8", "--interface", "eth0", "--subnet", "192.168.10.0/24")
    wait_listening(p)
    link = subprocess.run(["ip", "-n", "ag", "-d", "link", "show", "eth0"],
                          capture_output=True, text=True, check=True).stdout
    name = "máy-kế-toán".encode()
    address = lease(s1, "02:00:00:00:00:01",
                    bytes([12, len(name)]) + name + b"\x3c\x08MSFT 5.0\x37\x04\x01\x03\x06\x0f"
                    + b"\x3d\x07\x01\x02\0\0\0\0\x01")
    for _ in range(5):  # told once
        s2.send(arp(1, "02:00:00:00:00:02", "192.168.10.22", "192.168.10.1"))
    s2.send(arp(1, "02:00:00:00:00:02", "192.168.10.23", "192.168.10.23"))
    s2.send(arp(1, "02:00:00:00:00:77", "192.168.10.77", "192.168.10.1",
                src="02:00:00:00:00:02"))  # speaks for another
    s2.send(b"\xff" * 6 + mac("02:00:00:00:00:02") + b"\x08\x06\0\1\x08\0\x08\x04"
            + b"\0" * 38)  # hardware addresses of eight bytes
    s2.send(b"\xff" * 6 + mac("02:00:00:00:00:02") + b"\x88\xb5" + b"\0" * 46)  # not ours
    got = finish(p)
    asked, other = sniffer.requests()
    dnsmasq.terminate()
    dnsmasq.wait()
    return {"readings": got, "asked": asked, "other": other, "address": address,
            "promiscuous": "promiscuity 0" not in link}


def vanish():
    o = Office()
    o.host("ag", AGENT, "192.168.10.5/24")
    o.host("h1", "02:00:00:00:00:01")
    p = drive("lan.passive", "60", "--interface", "eth0")
    wait_listening(p)
    began = time.monotonic()
    sh("ip", "link", "del", "vag")
    first = finish(p)
    took = time.monotonic() - began
    gone = finish(drive("lan.passive", "2", "--interface", "eth0"))
    o.plug("ag", AGENT)
    s1 = socket_in("h1", "eth0")
    p = drive("lan.passive", "3", "--interface", "eth0")
    wait_listening(p)
    s1.send(arp(1, "02:00:00:00:00:01", "192.168.10.22", "192.168.10.1"))
    return {"first": first, "took": took, "gone": gone, "again": finish(p)}


def agent_verb(ns, *args):
    p = subprocess.run(["ip", "netns", "exec", ns, os.path.join(BUILD, "agent/hatang-agent"),
                        *args], capture_output=True, text=True, timeout=60)
    return {"code": p.returncode, "out": p.stdout, "err": p.stderr}


def agent():
    """The real agent with its privileged monitor: what it proposes, it accepts and runs."""
    scan_office()
    sh("ip", "netns", "add", "lonely")
    sh("ip", "-n", "lonely", "link", "set", "lo", "up")
    out = {}
    for ns in ("ag", "lonely"):
        proposal = agent_verb(ns, "propose")
        config = f"/run/{ns}.yaml"
        with open(config, "w") as f:
            f.write(f"agent: {{ id: x, state_dir: /run/{ns} }}\n" + proposal["out"])
        out[ns] = {"propose": proposal, "json": agent_verb(ns, "propose", "--json"),
                   "check": agent_verb(ns, "check-config", "--config", config)}
    sniffer = Sniffer("vag")
    out["scan"] = agent_verb("ag", "probe", "lan.arp", "--json", "--config", "/run/ag.yaml")
    out["asked"], out["other"] = sniffer.requests()
    return out


if __name__ == "__main__":
    DRIVE = sys.argv[1]
    BUILD = DRIVE[:DRIVE.index("/tests/")]
    print(json.dumps({"scan": scan, "unlisted": unlisted, "spread": spread,
                      "passive": passive, "vanish": vanish, "agent": agent}[sys.argv[2]]()))
