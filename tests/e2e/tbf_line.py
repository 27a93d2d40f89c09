"""A line of a known rate: two network namespaces and a veth between them, each way through
tc's token bucket as the lab sets it; the server's endpoint at one end, the probe
`throughput` at the other.

    inside("measure", folder, [2_000_000, 10_000_000])     # needs no root

Each result has the probe's readings by quantity, and `truth`: what TCP can carry over such a
line, rate x 1448 / 1514 (1,500 bytes of IP, 52 of them headers with time stamps, in frames
of 1,514 bytes, which is what tbf counts)."""
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
CORE, OFFICE = "10.9.0.1", "10.9.0.2"


def inside(function, *arguments, timeout=600):
    done = subprocess.run(
        ["unshare", "-Urnm", sys.executable, __file__, function, json.dumps(arguments)],
        capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return json.loads(done.stdout.splitlines()[-1])


def run(*argv):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True).stdout


class Line:
    def __init__(self):
        self.office = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        while (os.readlink(f"/proc/{self.office.pid}/ns/net") == os.readlink("/proc/self/ns/net")):
            pass
        self.there = ["nsenter", f"--net=/proc/{self.office.pid}/ns/net"]
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "core", "type", "veth", "peer", "name", "wan",
            "netns", str(self.office.pid))
        run("ip", "addr", "add", f"{CORE}/30", "dev", "core")
        run("ip", "link", "set", "core", "up")
        for words in (["lo", "up"], ["wan", "up"]):
            run(*self.there, "ip", "link", "set", *words)
        run(*self.there, "ip", "addr", "add", f"{OFFICE}/30", "dev", "wan")

    def rate(self, down, up):
        """As tests/lab/labkit/net.py: 10 ms of burst, at least eight frames; 100 ms of queue."""
        for prefix, dev, bps in ((), "core", down), (self.there, "wan", up):
            run(*prefix, "tc", "qdisc", "replace", "dev", dev, "root", "tbf", "rate", f"{bps}bit",
                "burst", str(max(8 * 1514, bps // 8 // 100)), "latency", "100ms")

    def close(self):
        self.office.kill()
        self.office.wait()


class FarEnd:
    """The endpoint with one pass."""

    def __init__(self, address, folder=None, bytes=1 << 40, seconds=600, grace=None):
        from built import BUILD
        argv = [BUILD / "tests/e2e/throughput/throughput_far_end", address, bytes, seconds]
        self.ca = None
        if folder:
            from broker import Pki
            pki = Pki(folder)
            argv += pki.issue("far-end", f"IP:{address}")
            self.ca = pki.ca
        env = {**os.environ, **({"FAR_END_GRACE_MS": str(int(grace * 1000))} if grace else {})}
        self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=env)
        port, self.token = self.process.stdout.readline().split()
        self.port = int(port)
        self.url = f"{'https' if folder else 'http'}://{address}:{port}"

    def close(self):
        """What the pass carried, and the CPU seconds that it took."""
        said, _ = self.process.communicate("")
        carried, cpu = said.split()
        return int(carried), float(cpu)


def probe(far_end, prefix=(), bytes=1 << 30, seconds=100, **options):
    """One run of the probe with a slot for that endpoint; its readings by quantity."""
    from built import BUILD
    options = {"watch": "0s", "once_in": "0s", "bytes": bytes, "day_bytes": bytes,
               "month_bytes": bytes, **options}
    argv = [*prefix, BUILD / "tests/unit/probes/probe_drive", "throughput", seconds,
            "--slot", f"{far_end.url} {far_end.token} {bytes}",
            "--set", "\n".join(f"{k}: {v}" for k, v in options.items())]
    if far_end.ca:
        argv += ["--ca", far_end.ca]
    out = {}
    for line in run(*argv).splitlines():
        name, value, _ = line.split("\t")
        out[name.split("/")[-1]] = value
    return {k: v if k in ("status", "endpoint", "done") else float(v) for k, v in out.items()}


def measure(folder, rates, tls=True, up=None, options=None):
    """Of each rate one run; `up` another rate for that direction."""
    line, results = Line(), []
    try:
        for rate in rates:
            line.rate(rate, up or rate)
            far = FarEnd(CORE, pathlib.Path(folder) / f"pki-{rate}" if tls else None)
            got = probe(far, line.there, **(options or {}))
            got["carried"], got["cpu"] = far.close()
            got["truth"] = rate * 1448 / 1514
            got["truth_up"] = (up or rate) * 1448 / 1514
            results.append(got)
    finally:
        line.close()
    return results


def busy():
    """A run while the office's interface carries 4 Mbit/s of somebody else's traffic."""
    line, far, stop = Line(), FarEnd(CORE), threading.Event()

    def others():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            while not stop.wait(0.02):
                s.sendto(b"x" * 10000, (OFFICE, 9))

    sender = threading.Thread(target=others)
    sender.start()
    try:
        return [probe(far, line.there, watch="1s", duration="2s", busy=rate) for rate in ("2M", "400M")]
    finally:
        stop.set()
        sender.join()
        far.close()
        line.close()


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    print(json.dumps(globals()[sys.argv[1]](*json.loads(sys.argv[2]))))
