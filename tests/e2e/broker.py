"""A mosquitto of our own with TLS and client certificates, for tests: everything in one
folder, on a port of its own, ended by stop()."""
import pathlib
import random
import signal
import socket
import subprocess
import time


# Below the ports that the kernel gives to who connects (from 32768).
PORTS = range(20000, 32000)
_taken = []  # one socket a port: its name keeps other tests from the port while we live


def free_port(kind=socket.SOCK_STREAM):
    """A port that nobody listens on, and that no other test process of this network is given."""
    for _ in range(1000):
        port = random.choice(PORTS)
        mine = socket.socket(socket.AF_UNIX)
        try:
            mine.bind(f"\0hatang-test-port-{port}")
            with socket.socket(type=kind) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
        except OSError:
            mine.close()
            continue
        _taken.append(mine)
        return port
    raise RuntimeError("no port is free")


def until(what, probe, seconds=15):
    """Poll `probe` until it answers something true."""
    end = time.monotonic() + seconds
    while True:
        got = probe()
        if got:
            return got
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


class Pki:
    """A CA made by the openssl program."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.ca_key = self.folder / "ca.crt", self.folder / "ca.key"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                  "-nodes", "-days", "30", "-subj", "/CN=test CA",
                  "-keyout", self.ca_key, "-out", self.ca)

    @staticmethod
    def _run(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    def issue(self, name, san=None):
        """A key and a certificate for CN=name; returns their files."""
        key, csr, crt = (self.folder / f"{name}.{e}" for e in ("key", "csr", "crt"))
        ext = self.folder / f"{name}.ext"
        ext.write_text(f"subjectAltName={san}\n" if san else "basicConstraints=CA:FALSE\n")
        self._run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                  "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", csr)
        self._run("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self.ca_key,
                  "-CAcreateserial", "-days", "30", "-extfile", ext, "-out", crt)
        return crt, key


class Broker:
    """mosquitto demanding client certificates; also a plain listener for the test's own eyes."""

    def __init__(self, folder, pki, san="DNS:localhost,IP:127.0.0.1", extra="", name="broker"):
        self.folder = pathlib.Path(folder)
        self.port, self.plain_port = free_port(), free_port()
        self.process = None
        cert, key = pki.issue(name, san)
        # As root mosquitto would become the user "mosquitto", who may not read our files.
        self.config = self.folder / f"{name}.conf"
        self.config.write_text(f"""\
user root
per_listener_settings true
listener {self.port} 127.0.0.1
cafile {pki.ca}
certfile {cert}
keyfile {key}
require_certificate true
use_identity_as_username true
{extra}
listener {self.plain_port} 127.0.0.1
allow_anonymous true
""")
        self.log = self.folder / f"{name}.log"

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["mosquitto", "-c", str(self.config)],
                                            stdout=log, stderr=log)
        until("mosquitto listens", self._listens)
        return self

    def _listens(self):
        assert self.process.poll() is None, self.log.read_text()
        for port in self.port, self.plain_port:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) != 0:
                    return False
        return True

    def kill(self):
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def _end(self, sig):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(10)
        self.process = None
