"""The lab's network: namespaces, links with a rate, offices with a switch and machines.

Everything lives in one user, mount and network namespace of the lab's own, so it needs
no privilege and leaves nothing behind. Plan of addresses:

    10.0.0.1          core: broker, server, vantage agent ("inside address" of the WAN)
    10.254.0.0/30     the lab's own way to the core (for the dashboard's address)
    10.60.0.0/14      links that only answer pings, behind 10.254.1.2
    10.(100+n/250).(n%250).0/30   link of site n: .1 at its parent, .2 at its router
    site's subnet     its LAN: first address the router, second the agent
"""
import ctypes
import ipaddress
import os
import subprocess

CORE = "core"
CORE_ADDRESS = "10.0.0.1"
OUTSIDE_ADDRESS = "10.254.0.1"   # by which the vantage checks itself
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def run(*argv, ns=None, check=True, **kw):
    """Run a command, in a network namespace of the lab when one is named."""
    if ns:
        argv = ("nsenter", f"--net=/run/netns/{ns}") + argv
    return subprocess.run(argv, check=check, capture_output=True, text=True, **kw)


def enter(ns):
    """Move this thread into a network namespace: sockets made now belong to it."""
    fd = os.open(f"/run/netns/{ns}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(fd, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {ns}")
    finally:
        os.close(fd)


def add_ns(name):
    run("ip", "netns", "add", name)
    run("ip", "link", "set", "lo", "up", ns=name)
    # The lab's programs run as the one user there is; let it ping without more rights.
    run("sysctl", "-qw", "net.ipv4.ping_group_range=0 0", ns=name)


def ip_batch(ns, lines):
    """Many `ip` commands in one process: offices have dozens of machines."""
    run("ip", "-batch", "-", ns=ns, input="\n".join(lines) + "\n")


def set_rate(ns, dev, bps):
    """tbf; the burst is what 10 ms carry, at least eight frames."""
    burst = max(8 * 1514, bps // 8 // 100)
    run("tc", "qdisc", "replace", "dev", dev, "root", "tbf", "rate", f"{bps}bit",
        "burst", str(burst), "latency", "100ms", ns=ns)


class Site:
    """One office: its router's namespace, its LAN, its machines."""

    def __init__(self, number, row, sites):
        self.row, self.id, self.number = row, row["id"], number
        self.parent = sites[row["parent"]] if row["parent"] else None
        self.ns = f"r-{self.id}"
        self.up_ns = self.parent.ns if self.parent else CORE
        self.up_dev, self.wan_dev = f"s{number}", "wan"
        net = f"10.{100 + number // 250}.{number % 250}"
        self.link_net, self.up_address, self.address = f"{net}.0/30", f"{net}.1", f"{net}.2"
        lan = ipaddress.ip_network(row["subnet"], strict=False)
        hosts = lan.hosts()
        self.lan = lan
        self.gateway, self.agent_address = str(next(hosts)), str(next(hosts))
        self.free = hosts
        self.agent_ns = f"a-{self.id}"
        self.machines = []

    def chain(self):
        """The sites from the core to this one."""
        return (self.parent.chain() if self.parent else []) + [self]

    def build_link(self):
        add_ns(self.ns)
        run("ip", "link", "add", self.up_dev, "netns", self.up_ns, "type", "veth",
            "peer", "name", self.wan_dev, "netns", self.ns)
        ip_batch(self.up_ns, [f"addr add {self.up_address}/30 dev {self.up_dev}",
                              f"link set {self.up_dev} up"])
        ip_batch(self.ns, [f"addr add {self.address}/30 dev {self.wan_dev}",
                           f"link set {self.wan_dev} up",
                           f"route add default via {self.up_address}",
                           "link add br0 type bridge",
                           f"addr add {self.gateway}/{self.lan.prefixlen} dev br0",
                           "link set br0 up"])
        run("sysctl", "-qw", "net.ipv4.ip_forward=1", ns=self.ns)
        link = self.row["link"]
        set_rate(self.up_ns, self.up_dev, link["down_bps"])
        set_rate(self.ns, self.wan_dev, link["up_bps"])
        # Everybody above learns the way down.
        above = [CORE] + [s.ns for s in self.chain()[:-1]]
        for ns, hop in zip(above, self.chain()):
            lines = [f"route add {self.lan} via {hop.address}"]
            if hop is not self:
                lines.append(f"route add {self.link_net} via {hop.address}")
            ip_batch(ns, lines)

    def plug(self, machines, agent_mac):
        """Plug machines (ns, mac) into the switch; they are silent until they start."""
        rows = [(m["ns"], m["mac"]) for m in machines] + ([(self.agent_ns, agent_mac)] if agent_mac else [])
        for ns, _ in rows:
            add_ns(ns)
        ip_batch(self.ns, [f"link add p{i} type veth peer name eth0 address {mac} netns {ns}"
                           for i, (ns, mac) in enumerate(rows)]
                 + [f"link set p{i} master br0 up" for i in range(len(rows))])
        self.machines = machines
        if agent_mac:
            ip_batch(self.agent_ns, [f"addr add {self.agent_address}/{self.lan.prefixlen} dev eth0",
                                     "link set eth0 up", f"route add default via {self.gateway}"])

    def cut(self, cut=True):
        run("ip", "link", "set", self.wan_dev, "down" if cut else "up", ns=self.ns)
        if not cut:  # the kernel forgot the routes over a downed interface
            run("ip", "route", "replace", "default", "via", self.up_address, ns=self.ns)

    def router_down(self, down=True):
        """The router hangs: it answers nobody and carries nothing, though its ports are up."""
        run("nft", "delete", "table", "inet", "dead", ns=self.ns, check=False)
        if down:
            chains = "".join(f"chain {hook} {{ type filter hook {hook} priority -310; policy drop; }}\n"
                             for hook in ("input", "forward", "output"))
            run("nft", "-f", "-", ns=self.ns, input=f"table inet dead {{\n{chains}}}\n")

    def drop(self, share):
        """Lose a share (0 to 1) of the packets that come down the line."""
        run("nft", "delete", "table", "inet", "lab", ns=self.ns, check=False)
        if share > 0:
            rules = (f"table inet lab {{ chain pre {{ type filter hook prerouting priority -300;"
                     f" iifname wan numgen random mod 10000 < {int(share * 10000)} drop }} }}")
            run("nft", "-f", "-", ns=self.ns, input=rules)


def build_core():
    add_ns(CORE)
    run("ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab0", "netns", CORE)
    ip_batch(None, ["link set lo up", "addr add 10.254.0.1/30 dev lab0", "link set lab0 up",
                    f"route add {CORE_ADDRESS} via 10.254.0.2"])
    ip_batch(CORE, [f"addr add {CORE_ADDRESS}/32 dev lo",
                    "addr add 10.254.0.2/30 dev lab0", "link set lab0 up"])
    run("sysctl", "-qw", "net.ipv4.ip_forward=1", ns=CORE)


def further(number):
    """Address of one of the links that only answer pings."""
    return f"10.{60 + number // 62500}.{number // 250 % 250}.{number % 250 + 1}"


def build_further():
    """A namespace that answers for all of 10.60.0.0/14."""
    add_ns("far")
    run("ip", "link", "add", "far", "netns", CORE, "type", "veth", "peer", "name", "eth0", "netns", "far")
    ip_batch(CORE, ["addr add 10.254.1.1/30 dev far", "link set far up", "route add 10.60.0.0/14 via 10.254.1.2"])
    ip_batch("far", ["addr add 10.254.1.2/30 dev eth0", "link set eth0 up", "route add default via 10.254.1.1",
                     "route add local 10.60.0.0/14 dev lo"])
