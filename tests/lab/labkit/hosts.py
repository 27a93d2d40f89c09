"""The lab's machines: each has a MAC of its kind, gets its address by DHCP as its kind
does (option 12, 55, 60) from a real dnsmasq, and answers ARP by its own kernel. One
process plays the DHCP clients of all of them."""
import os
import random
import select
import socket
import struct
import time

from . import net

# kind -> OUI, DHCP vendor class (60), parameter request list (55), host name
KINDS = {
    "computer": ("f8b156", b"MSFT 5.0", bytes([1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252]), "PC-{:03d}"),
    "server": ("3c5282", None, bytes([1, 28, 2, 3, 15, 6, 12]), "srv-{:02d}"),
    "printer": ("008077", b"BROTHER", bytes([1, 3, 6, 15, 44, 47]), "BRN008077{:04X}"),
    "phone": ("001565", b"yealink", bytes([1, 3, 6, 12, 15, 28, 42, 66, 120]), "SIP-T21P-{:02d}"),
    "mobile": (None, b"android-dhcp-13", bytes([1, 3, 6, 15, 26, 28, 51, 58, 59, 43]), "Galaxy-A{:02d}"),
    "camera": ("4419b6", b"dhcpcd-5.5.6", bytes([1, 3, 6, 12, 15, 28, 42]), "HIKVISION-{:02d}"),
}
COOKIE = bytes([99, 130, 83, 99])


def make(site, seed):
    """The machines of a site as its topology row asks; the same each time."""
    rng, out = random.Random(f"{seed}/{site.id}"), []
    for kind, n in site.row["machines"].items():
        oui, vendor, params, name = KINDS[kind]
        for i in range(n):
            # A private mobile makes its MAC up: the U/L bit is set.
            head = bytes.fromhex(oui) if oui else bytes([rng.randrange(64) << 2 | 2, rng.randrange(256), rng.randrange(256)])
            mac = head + bytes(rng.randrange(256) for _ in range(3))
            out.append({"ns": f"m-{site.id}-{len(out)}", "kind": kind, "mac": mac.hex(":"),
                        "ipv4": str(next(site.free)), "hostname": name.format(i + 1),
                        "vendor": vendor.decode() if vendor else None, "params": list(params)})
    return out


def _option(code, data):
    return bytes([code, len(data)]) + data


def _message(machine, kind, xid, server=None):
    mac = bytes.fromhex(machine["mac"].replace(":", ""))
    out = struct.pack("!BBBBIHH", 1, 1, 6, 0, xid, 0, 0x8000) + bytes(16) + mac + bytes(10 + 192)
    out += COOKIE + _option(53, bytes([kind])) + _option(61, b"\x01" + mac)
    if server:
        out += _option(50, socket.inet_aton(machine["ipv4"])) + _option(54, server)
    out += _option(12, machine["hostname"].encode()) + _option(55, bytes(machine["params"]))
    if machine["vendor"]:
        out += _option(60, machine["vendor"].encode())
    return out + b"\xff"


def _parse(data, xid):
    """(message type, offered address, server id) of an answer to `xid`, or None: answers
    are broadcast, so everyone hears everyone's."""
    if len(data) < 241 or data[0] != 2 or data[4:8] != xid.to_bytes(4, "big") or data[236:240] != COOKIE:
        return None
    options, at = {}, 240
    while at + 1 < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        options[data[at]] = data[at + 2:at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return options.get(53, b"\0")[0], socket.inet_ntoa(data[16:20]), options.get(54)


class Client:
    """One machine's DHCP client: discover, request, bound; again until it has a lease."""

    def __init__(self, machine, prefixlen, gateway):
        self.machine, self.prefixlen, self.gateway = machine, prefixlen, gateway
        net.enter(machine["ns"])
        net.run("ip", "link", "set", "eth0", "up")
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        self.sock.bind(("0.0.0.0", 68))
        self.sock.setblocking(False)
        self.xid = random.getrandbits(32)
        self.bound, self.due = False, 0.0

    def send(self, kind, server=None):
        try:
            self.sock.sendto(_message(self.machine, kind, self.xid, server), ("255.255.255.255", 67))
        except OSError:
            pass  # the link is still coming up: the next try is due soon

    def tick(self, now):
        if now >= self.due:
            # Bound machines renew now and then, as real ones do after a night's sleep.
            self.due = now + (60 + random.random() * 30 if self.bound else 2)
            self.send(1)

    def receive(self):
        got = _parse(self.sock.recv(2048), self.xid)
        if not got:
            return
        kind, address, server = got
        if kind == 2 and address == self.machine["ipv4"]:
            self.send(3, server)
        elif kind == 5 and address == self.machine["ipv4"] and not self.bound:
            net.enter(self.machine["ns"])
            net.run("ip", "addr", "replace", f"{address}/{self.prefixlen}", "dev", "eth0")
            net.run("ip", "route", "replace", "default", "via", self.gateway)
            self.bound = True
            self.due = time.monotonic() + 60


def play(sites, ready_fd):
    """The process of all machines. Writes a byte to ready_fd when all are bound."""
    clients = [Client(m, s.lan.prefixlen, s.gateway) for s in sites for m in s.machines]
    by_fd = {c.sock.fileno(): c for c in clients}
    poll, waiting = select.poll(), True
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    while True:
        for fd, _ in poll.poll(200):
            by_fd[fd].receive()
        now = time.monotonic()
        for c in clients:
            c.tick(now)
        if waiting and all(c.bound for c in clients):
            os.write(ready_fd, b"1")
            waiting = False


def dnsmasq(site, directory):
    """Command line of a real DHCP server in the office's router."""
    leases = os.path.join(directory, f"{site.id}.hosts")
    with open(leases, "w", encoding="ascii") as f:
        for m in site.machines:
            f.write(f"{m['mac']},{m['ipv4']}\n")
    return ["dnsmasq", "--keep-in-foreground", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=br0",
            "--bind-interfaces", "--user=root", "--group=", "--pid-file=", "--leasefile-ro",
            f"--dhcp-hostsfile={leases}", f"--dhcp-range={site.lan.network_address},static,{site.lan.netmask},1h",
            f"--dhcp-option=3,{site.gateway}", "--no-ping", "--log-facility=-"]
