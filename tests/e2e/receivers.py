"""Who receives messages in tests, each a process of its own that a test may stop, start
and slow down: a webhook receiver, and a mail server (aiosmtpd) with STARTTLS and accounts.
Each writes what it accepted as one JSON line a message, synced before it answers; the
tests read that file.

    python3 receivers.py http PORT FILE MODE [CERT KEY]
    python3 receivers.py smtp PORT FILE CERT KEY USER PASSWORD
"""
import http.server
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time

from broker import free_port, until


def write(file, record):
    with open(file, "a") as f:
        f.write(json.dumps(record) + "\n")
        f.flush()
        os.fsync(f.fileno())


# ── as programs ──────────────────────────────────────────────────────────────────────

def serve_http(port, file, mode, cert=None, key=None):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.do_POST()

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            record = {"at": time.time(), "path": self.path, "method": self.command,
                      "headers": {k.lower(): v for k, v in self.headers.items()}, "body": body}
            if mode == "hang":
                time.sleep(3600)    # the receiver's own behaviour, ended with the process
            if mode.startswith("refuse"):
                write(file + ".refused", record)
                self.answer(429, b"slow down", {"Retry-After": mode[6:]})
                return
            if mode == "redirect":
                self.answer(302, b"", {"Location": "http://127.0.0.1:1/elsewhere"})
                return
            if mode == "accept-and-drop":       # took it, and the answer never arrives
                write(file, record)
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            write(file, record)
            if mode == "endless":
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while True:
                    self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            self.answer(200, {"zalo-bad": b'{"error":-216,"message":"bad token"}',
                              "zalo": b'{"error":0,"message":"Success"}'}.get(mode, b'{"ok":true}'))

        def answer(self, code, body, headers=None):
            self.send_response(code)
            for k, v in (headers or {}).items():
                self.send_header(k, v)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def serve_smtp(port, file, cert, key, user, password):
    import asyncio
    from aiosmtpd.smtp import SMTP, AuthResult

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    class Handler:
        async def handle_RCPT(self, server, session, envelope, address, options):
            if address.startswith("gone@"):
                return "550 no such mailbox"
            envelope.rcpt_tos.append(address)
            return "250 OK"

        async def handle_DATA(self, server, session, envelope):
            write(file, {"at": time.time(), "from": envelope.mail_from, "to": envelope.rcpt_tos,
                         "tls": session.ssl is not None, "login": session.authenticated,
                         "mail": envelope.content.decode("utf-8")})
            return "250 taken"

    def login(server, session, envelope, mechanism, data):
        good = (data.login, data.password) == (user.encode(), password.encode())
        return AuthResult(success=good)

    async def run():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: SMTP(Handler(), hostname="mail.test", tls_context=context, require_starttls=True,
                         authenticator=login, auth_required=True, loop=loop),
            "127.0.0.1", port)
        await server.serve_forever()

    asyncio.run(run())


# ── as the tests see them ────────────────────────────────────────────────────────────

class Receiver:
    def __init__(self, folder, name, kind, *args, port=None):
        self.file = pathlib.Path(folder) / f"{name}.jsonl"
        self.port = port or free_port()
        self.kind, self.args = kind, [str(a) for a in args]
        self.process = None

    def start(self, *args):
        """`args` replace those of before: another mode."""
        self.args = [str(a) for a in args] or self.args
        self.process = subprocess.Popen([sys.executable, __file__, self.kind, str(self.port),
                                         str(self.file), *self.args])
        until(f"{self.file.stem} listens", self.listens)
        return self

    def listens(self):
        assert self.process.poll() is None
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def taken(self, suffix=""):
        f = pathlib.Path(str(self.file) + suffix)
        return [json.loads(line) for line in f.read_text().splitlines()] if f.exists() else []

    def keys(self):
        return [m["headers"].get("idempotency-key") for m in self.taken()]


if __name__ == "__main__":
    {"http": serve_http, "smtp": serve_smtp}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
