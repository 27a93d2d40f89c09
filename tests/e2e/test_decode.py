"""hatang decode: both formats, table and JSON, and errors that name the place."""
import json
import subprocess

import pytest

from built import BUILD

PACK = (b'[{"bn":"bat-xat-1/","bt":1519887600,"n":"icmp/wan/rtt_avg","u":"s","v":0.0125},'
        b'{"n":"if/r1:1/in_octets","u":"count","v":18446744073709551615},'
        b'{"n":"if/r1:1/name","vs":"WAN \\u2013 VNPT\\n50M"},'
        b'{"n":"mac/aa:bb:cc:dd:ee:ff/gateway","vb":true,"bt":-2.5}]')
# {n "a/b/c", v 7} and {n "a/b/d", v 1.5 (half)}
CBOR = bytes.fromhex("82a20065612f622f6302 07a20065612f622f6402f93e00")


def decode(*args, data=b""):
    p = subprocess.run([BUILD / "cli" / "hatang", "decode", *args], input=data,
                       capture_output=True)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def test_a_table_for_people():
    code, out, err = decode(data=PACK)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["TIME", "NAME", "VALUE"]
    assert lines[1].split() == ["2018-03-01T07:00:00.000Z", "bat-xat-1/icmp/wan/rtt_avg", "0.0125", "s"]
    assert lines[2].split()[2:] == ["18446744073709551615", "count"]
    assert lines[3].endswith('"WAN \u2013 VNPT\\n50M"')
    assert lines[4].split() == ["-2.500", "s", "bat-xat-1/mac/aa:bb:cc:dd:ee:ff/gateway", "yes"]


def test_json_is_resolved_senml(tmp_path):
    file = tmp_path / "pack.json"
    file.write_bytes(PACK)
    code, out, _ = decode("--json", "--format", "json", str(file))
    assert code == 0
    records = json.loads(out)
    assert records[0] == {"n": "bat-xat-1/icmp/wan/rtt_avg", "u": "s", "t": 1519887600, "v": 0.0125}
    assert records[1]["v"] == 2**64 - 1
    assert records[2]["vs"] == "WAN \u2013 VNPT\n50M"
    assert records[3] == {"n": "bat-xat-1/mac/aa:bb:cc:dd:ee:ff/gateway", "t": -2.5, "vb": True}
    # What it prints is a pack again.
    assert json.loads(decode("--json", data=out.encode())[1]) == records


def test_cbor_is_found_out_by_itself():
    code, out, _ = decode("--json", data=CBOR)
    assert code == 0
    assert [(r["n"], r["v"]) for r in json.loads(out)] == [("a/b/c", 7), ("a/b/d", 1.5)]
    assert decode("--format", "json", data=CBOR)[0] == 1


@pytest.mark.parametrize("data,place", [
    (b"[{\"n\":\"a\",\"v\":1},{\"n\":\"a b\",\"v\":1}]", "record 2: "),
    (b"[{\"n\":\"a\",\"v\":1}] x", "byte 18: "),
    (CBOR[:-1], "byte 20: "),
    (b"", "JSON: "),
])
def test_errors_name_the_place(data, place):
    code, out, err = decode(data=data)
    assert (code, out) == (1, "")
    assert place in err and err.count("\n") == 1


def test_usage():
    assert decode("--help")[0] == 0
    assert decode("--format", "xml")[0] == 2
    assert decode("a", "b")[0] == 2
    assert decode("/nonexistent/pack")[0] == 1
    assert decode(data=b"[" * 70000)[0] == 1
