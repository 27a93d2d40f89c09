"""A path with a small hop, in namespaces of one's own: we, a router, and a host behind a link
whose MTU is 1400. Run inside `unshare -Urnm`; prints what the probe `icmp` says, as JSON.

    small_hop.py PROGRAM '[[TARGET, WAY, [OPTION…]], …]'

WAY: the router says "too large" as routers do ("tells"), or nothing ("hole")."""
import json
import pathlib
import subprocess
import sys
import time

MTU = 1400
SILENT = """\
table inet hole { chain out { type filter hook output priority 0;
  icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }
}
"""


def run(*words, **more):
    return subprocess.run(words, check=True, text=True, capture_output=True, **more)


class Space:
    """A network namespace, held by a process that ends with us."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE)
        own = pathlib.Path("/proc/self/ns/net").readlink()
        at = pathlib.Path(f"/proc/{self.holder.pid}/ns/net")
        while at.readlink() == own:
            time.sleep(0.01)
        self.pid = str(self.holder.pid)
        self("ip", "link", "set", "lo", "up")

    def __call__(self, *words, **more):
        return run("nsenter", "-t", self.pid, "-n", *words, **more)

    def end(self):
        self.holder.stdin.close()
        self.holder.wait()


def address(enter, device, v4, v6, mtu=1500):
    enter("ip", "address", "add", v4, "dev", device)
    enter("ip", "address", "add", v6, "dev", device, "nodad")
    enter("ip", "link", "set", device, "up", "mtu", str(mtu))


def build(router, host):
    run("ip", "link", "set", "lo", "up")
    for enter in (run, router, host):  # no second of looking for duplicate addresses
        enter("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad;"
              " echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad")
    run("ip", "link", "add", "here", "type", "veth", "peer", "name", "near", "netns", router.pid)
    router("ip", "link", "add", "far", "type", "veth", "peer", "name", "there", "netns", host.pid)
    address(run, "here", "10.1.0.1/24", "fd01::1/64")
    address(router, "near", "10.1.0.2/24", "fd01::2/64")
    address(router, "far", "10.2.0.1/24", "fd02::1/64", MTU)
    address(host, "there", "10.2.0.2/24", "fd02::2/64", MTU)
    router("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward;"
           " echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
    for enter, via4, via6 in ((run, "10.1.0.2", "fd01::2"), (host, "10.2.0.1", "fd02::1")):
        enter("ip", "route", "add", "default", "via", via4)
        enter("ip", "-6", "route", "add", "default", "via", via6)


def probe(program, target, *options):
    words = [program, "probe", "icmp", "--target", target, "--json"]
    for o in ("spacing=20ms", *options):
        words += ["--set", o]
    pack = json.loads(subprocess.run(words, text=True, capture_output=True).stdout)
    return {r["n"].split("/")[-1]: next(r[k] for k in ("v", "vs", "vb") if k in r) for r in pack}


def main(program, cases):
    router, host = Space(), Space()
    try:
        build(router, host)
        while probe(program, "fd02::2", "count=1", "wait=100ms")["status"] != "ok":
            pass  # neighbours are being found
        out = []
        for target, way, options in cases:
            if way == "hole":
                router("nft", "-f", "-", input=SILENT)
            out.append(probe(program, target, *options))
            if way == "hole":
                router("nft", "flush", "ruleset")
        print(json.dumps(out))
    finally:
        router.end()
        host.end()


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
