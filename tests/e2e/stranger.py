#!/usr/bin/python3
"""Another agent for hatang, after mqtt/PROTOCOL.md alone: sends N packs, ends when all are
acknowledged. Knows nothing of hatang's code.

usage: stranger.py HOST PORT AGENT CA CERT KEY N"""
import json
import os
import sys
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

host, port, agent, ca, cert, key, n = sys.argv[1:]
top = f"hatang/v1/{agent}"
epoch, session = os.urandom(8).hex(), os.urandom(8).hex()
boot = open("/proc/sys/kernel/random/boot_id").read().strip()
waiting = set(range(1, int(n) + 1))
server_online, all_acked = threading.Event(), threading.Event()


def mono():
    return round(time.clock_gettime(time.CLOCK_BOOTTIME), 3)


def presence(state):
    return json.dumps({"state": state, "session": session, "boot": boot, "mono": mono(),
                       "wall": time.time(), "synchronised": False, "version": "stranger-1",
                       "fingerprint": "5" * 64, "epoch": epoch, "config": ""})


def properties(content_type, **user):
    p = Properties(PacketTypes.PUBLISH)
    p.ContentType = content_type
    p.UserProperty = [(k, str(v)) for k, v in user.items()]
    return p


def on_connect(client, userdata, flags, reason, props):
    client.subscribe([(f"{top}/ack", 1), (f"{top}/cmd", 1), ("hatang/v1/@server/presence", 1)])
    client.publish(f"{top}/presence", presence("online"), 1, True, properties("application/json"))


def on_message(client, userdata, m):
    body = json.loads(m.payload)
    if m.topic.endswith("@server/presence"):
        (server_online.set if body["state"] == "online" else server_online.clear)()
    elif m.topic.endswith("/ack") and body["epoch"] == epoch:
        for first, last in body["ranges"]:
            waiting.difference_update(range(first, last + 1))
        if not waiting:
            all_acked.set()


client = mqtt.Client(agent, protocol=mqtt.MQTTv5)
client.tls_set(ca, cert, key)
client.on_connect, client.on_message = on_connect, on_message
client.will_set(f"{top}/presence", presence("lost"), 1, True)
client.connect(host, int(port))
client.loop_start()
if not server_online.wait(20):
    sys.exit("the server is not there")
for seq in sorted(waiting):
    sealed = mono()
    pack = [{"bn": f"{agent}/", "n": "selftest/stranger/count", "u": "count", "v": seq, "t": -0.5}]
    client.publish(f"{top}/data", json.dumps(pack), 1, False,
                   properties("application/senml+json", epoch=epoch, seq=seq, boot=boot,
                              session=session, mono=sealed, sent_mono=mono()))
if not all_acked.wait(20):
    sys.exit(f"never acknowledged: {sorted(waiting)}")
client.publish(f"{top}/presence", presence("offline"), 1, True,
               properties("application/json")).wait_for_publish()
client.disconnect()
client.loop_stop()
print(epoch)
