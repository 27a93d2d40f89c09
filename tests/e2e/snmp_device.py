"""An SNMP 2c device for tests: plays an snmprec file, well or badly.

  snmp_device.py FILE [MODE] [LIMIT]   prints its UDP port, then answers until it is killed

Modes: plain · backwards (the second name of a column again and again) · endless (an index
above the last, always) · toobig (an error above LIMIT cells) · cut (answers of LIMIT cells
at most) · lossy (large answers never arrive) · wrong-types (strings for numbers) · silent"""
import bisect
import socket
import sys

PREFIX = (1, 3, 6, 1, 2, 1, 2, 2, 1)


def tlv(tag, body):
    n = len(body)
    return bytes([tag]) + (bytes([n]) if n < 128 else b"\x82" + n.to_bytes(2, "big")) + body


def integer(n, tag=2):
    return tlv(tag, n.to_bytes(n.bit_length() // 8 + 1, "big", signed=True))


def name(oid):
    out = bytes([oid[0] * 40 + oid[1]])
    for sub in oid[2:]:
        part = [sub & 0x7F]
        while sub := sub >> 7:
            part.append(0x80 | sub & 0x7F)
        out += bytes(reversed(part))
    return tlv(6, out)


def value(tag, text):
    if tag == "4":
        return tlv(4, text.encode())
    if tag == "4x":
        return tlv(4, bytes.fromhex(text))
    if tag == "64":
        return tlv(64, bytes(map(int, text.split("."))))
    if tag == "6":
        return name(tuple(map(int, text.split("."))))
    return integer(int(text), int(tag))


def read(b, i=0):
    n, i = b[i + 1], i + 2
    if n & 0x80:
        k, i = n & 0x7F, i + (n & 0x7F)
        n = int.from_bytes(b[i - k:i], "big")
    return b[i:i + n], i + n


def read_name(b):
    out, sub = [], 0
    for c in b:
        sub = sub << 7 | c & 0x7F
        if not c & 0x80:
            out.append(sub)
            sub = 0
    return (out[0] // 40, out[0] % 40, *out[1:])


class Device:
    def __init__(self, path, mode, limit):
        self.mode, self.limit, self.cells = mode, limit, {}
        for line in open(path, encoding="utf-8"):
            oid, tag, text = line.rstrip("\n").split("|", 2)
            if mode == "wrong-types" and int(oid.split(".")[6]) != 1:
                tag, text = ("4", "x") if tag not in ("4", "4x") else ("2", "7")
            self.cells[tuple(map(int, oid.split(".")))] = value(tag, text)
        self.names = sorted(self.cells)

    def after(self, oid):
        if self.mode == "endless" and oid[:9] == PREFIX and len(oid) >= 10:
            return oid[:10] + (oid[10] + 1 if len(oid) > 10 else 1,), integer(1)
        i = bisect.bisect_right(self.names, oid)
        if self.mode == "backwards" and oid in self.cells and oid[:9] == PREFIX:
            i = self.names.index(oid)
        return (self.names[i], self.cells[self.names[i]]) if i < len(self.names) else (oid, b"\x82\0")

    def answer(self, packet):
        message, _ = read(packet)
        version, i = read(message)
        community, i = read(message, i)
        kind, (pdu, _) = message[i], read(message, i)
        request, j = read(pdu)
        _, j = read(pdu, j)
        repetitions, j = read(pdu, j)
        variables, _ = read(pdu, j)
        oids, k = [], 0
        while k < len(variables):
            v, k = read(variables, k)
            oids.append(read_name(read(v)[0]))
        error, out = 0, []
        if kind == 0xA0:
            out = [(o, self.cells.get(o, b"\x80\0")) for o in oids]
        elif kind == 0xA5:
            for _ in range(int.from_bytes(repetitions, "big")):
                row = [self.after(o) for o in oids]
                oids = [o for o, _ in row]
                out += row
            if self.mode == "cut":
                out = out[:self.limit]
            if self.mode == "toobig" and len(out) > self.limit:
                error, out = 1, []
            if self.mode == "lossy" and len(out) > self.limit:
                return None
        body = b"".join(tlv(0x30, name(o) + v) for o, v in out)
        return tlv(0x30, tlv(2, version) + tlv(4, community) + tlv(0xA2, tlv(2, request) +
                   integer(error) + integer(0) + tlv(0x30, body)))


def main():
    path, mode = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "plain"
    device = Device(path, mode, int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1], flush=True)
    while True:
        packet, sender = s.recvfrom(65535)
        reply = None if mode == "silent" else device.answer(packet)
        if reply:
            s.sendto(reply, sender)


main()
