"""The real parts that the lab starts: snmpd, mosquitto, hatang-server, hatang-agent."""
import os

HTTP_PORT = 8480


def snmpd(site, state):
    """A real snmpd in the office's router; community lab-<site>."""
    path = os.path.join(state, f"snmpd-{site.id}.conf")
    os.makedirs(os.path.join(state, f"snmp-{site.id}"), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"rocommunity lab-{site.id}\nagentaddress udp:161\nsysName {site.id}-router\n"
                "sysDescr Linux router of the lab\n")
    return ["snmpd", "-f", "-Lo", "-C", "-c", path]


def start_all(lab):
    return {}
