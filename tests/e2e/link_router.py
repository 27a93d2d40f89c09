"""A machine that is a router, inside its own network namespace, and what link.local says of
it while things happen to its WAN interface. Prints {step: {name: value}} as JSON.

  link_router.py DRIVE FOLDER"""
import json
import pathlib
import socket
import subprocess
import sys

from broker import until

DRIVE, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
FRAME = bytes.fromhex("ffffffffffff 020000000001 88b5") + bytes(986)  # 1,000 bytes; an experimental EtherType


def ip(*args, check=True):
    return subprocess.run(["ip", *args], check=check, capture_output=True).returncode == 0


def look():
    p = subprocess.run([DRIVE, "link.local", "10", "--memory", FOLDER / "memory", "--key", "lives"],
                       capture_output=True, text=True, check=True)
    return dict(line.split("\t")[:2] for line in p.stdout.splitlines() if "\t" in line)


def wan():
    ip("link", "add", "wan0", "type", "veth", "peer", "name", "far")
    for name in ("wan0", "far"):
        ip("link", "set", name, "addrgenmode", "none")  # no traffic but ours
        ip("link", "set", name, "up")
    ip("addr", "add", "10.9.0.2/30", "dev", "wan0")
    ip("route", "add", "default", "via", "10.9.0.1", "dev", "wan0", "metric", "50")


def send(name, frames):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((name, 0))
        for _ in range(frames):
            s.send(FRAME)


steps = {}
ip("link", "set", "lo", "up")
wan()
ip("link", "add", "lan0", "type", "veth", "peer", "name", "office")
ip("addr", "add", "10.1.0.1/24", "dev", "lan0")
ip("link", "set", "wan0", "alias", "đường truyền VNPT")
has_vlan = ip("link", "add", "link", "wan0", "name", "wan0.35", "type", "vlan", "id", "35", check=False)
has_bond = ip("link", "add", "bond7", "type", "bond", check=False) and ip("link", "set", "office", "master", "bond7", check=False)
steps["first"] = look()
send("wan0", 150)
send("far", 70)
steps["sent"] = look()
ip("link", "del", "wan0")
steps["gone"] = look()
wan()
send("far", 3)
steps["anew"] = look()
steps["after"] = look()
ip("link", "set", "far", "down")
until("wan0 without a carrier", lambda: "state LOWERLAYERDOWN" in subprocess.run(  # the kernel takes up to a second
    ["ip", "-o", "link", "show", "wan0"], capture_output=True, text=True, check=True).stdout)
steps["down"] = look()
print(json.dumps({"steps": steps, "vlan": has_vlan, "bond": has_bond}))
