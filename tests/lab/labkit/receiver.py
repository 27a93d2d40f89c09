"""The lab's webhook receiver: whoever is told, is this. Writes down each message with the
moment at which it was accepted, before it says so; answers 503 while a file named
`refuse` lies beside its log.

usage: receiver.py PORT FOLDER"""
import http.server
import json
import os
import pathlib
import sys
import time


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder = None
    log = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        if (self.folder / "refuse").exists():
            self.answer(503)
            return
        row = {"at": time.time(), "mono": time.monotonic(), "key": self.headers["Idempotency-Key"],
               "message": json.loads(body)}
        os.write(self.log, (json.dumps(row, ensure_ascii=False) + "\n").encode())
        self.answer(200)

    def answer(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    port, folder = sys.argv[1:]
    Receiver.folder = pathlib.Path(folder)
    Receiver.log = os.open(Receiver.folder / "told.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver).serve_forever()
