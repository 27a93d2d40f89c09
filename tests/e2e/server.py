"""A hatang-server of our own on a test broker, and a publisher that speaks the wire as
mqtt/PROTOCOL.md says, written without any of hatang's code."""
import json
import os
import pathlib
import queue
import signal
import sqlite3
import subprocess
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from broker import until
from built import BUILD

PROGRAM = BUILD / "server" / "hatang-server"


class Server:
    def __init__(self, folder, broker, pki, prefix=(), extra=""):
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "state"
        self.state.mkdir(parents=True, exist_ok=True)
        self.db = self.state / "server.db"
        self.log = self.folder / "server.log"
        self.prefix = list(prefix)
        self.process = None
        cert, key = pki.issue("@server")
        self.config = self.folder / "server.yaml"
        self.config.write_text(f"""\
server: {{ state_dir: {self.state} }}
mqtt: {{ host: localhost, port: {broker.port}, ca: {pki.ca}, cert: {cert}, key: {key} }}
http: {{ port: 0 }}
{extra}
""")

    def command(self, *args, check=True):
        return subprocess.run([str(PROGRAM), "--config", str(self.config), *args],
                              capture_output=True, text=True, check=check)

    def start(self):
        with open(self.log, "ab") as log:
            seen = log.tell()
            self.process = subprocess.Popen(
                [*self.prefix, str(PROGRAM), "--config", str(self.config), "run"],
                stdout=log, stderr=log)
        until("the server is online", lambda: b"event=ingest.online" in self.tail(seen) or self._alive())
        return self

    def tail(self, offset):
        return self.log.read_bytes()[offset:]

    def _alive(self):
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(12) == 0, self.log.read_text()[-4000:]

    def end(self):
        if self.process and self.process.poll() is None:
            self.kill()

    def query(self, sql, *args):
        db = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql, args).fetchall()
        finally:
            db.close()


class Publisher:
    """One agent's connection: publishes packs with their properties, collects acks."""

    def __init__(self, port, agent):
        self.agent = agent
        self.acked = {}             # epoch -> set of numbers
        self.new_epoch = set()
        self.commands = queue.Queue()
        self.server = None          # what its presence says
        self.lock = threading.Lock()
        self.ready = threading.Event()
        self.client = paho.Client(client_id=f"test-{agent}-{os.urandom(4).hex()}",
                                  protocol=paho.MQTTv5)
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = self._on_message
        self.client.max_inflight_messages_set(1000)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        assert self.ready.wait(10)

    def _on_connect(self, client, *_):
        client.subscribe([(f"hatang/v1/{self.agent}/ack", 1), (f"hatang/v1/{self.agent}/cmd", 1),
                          ("hatang/v1/@server/presence", 1)])

    def _on_message(self, client, userdata, m):
        body = json.loads(m.payload)
        if m.topic.endswith("/ack"):
            with self.lock:
                told = self.acked.setdefault(body["epoch"], set())
                for first, last in body["ranges"]:
                    told.update(range(first, last + 1))
                if body.get("new_epoch"):
                    self.new_epoch.add(body["epoch"])
        elif m.topic.endswith("/cmd"):
            self.commands.put(body)
        else:
            self.server = body

    def publish(self, leaf, payload, content_type="application/senml+json", retain=False, **props):
        p = Properties(PacketTypes.PUBLISH)
        if content_type:
            p.ContentType = content_type
        if props:
            p.UserProperty = [(k, str(v)) for k, v in props.items()]
        if isinstance(payload, (dict, list)):
            payload = json.dumps(payload)
        topic = leaf if "/" in leaf else f"hatang/v1/{self.agent}/{leaf}"
        return self.client.publish(topic, payload, qos=1, retain=retain, properties=p)

    def pack(self, *records):
        records = [dict(r) for r in records]
        records[0]["bn"] = f"{self.agent}/"
        return records

    def send(self, epoch, seq, lane="data", value=None, **props):
        record = {"n": "selftest/t/count", "u": "count", "v": seq if value is None else value, "t": -1}
        return self.publish(lane, self.pack(record), epoch=epoch, seq=seq, **props)

    def told(self, epoch):
        with self.lock:
            return set(self.acked.get(epoch, ()))

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()
