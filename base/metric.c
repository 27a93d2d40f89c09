#include "base/metric.h"

#include <string.h>

#include "base/err.h"

#define NUM(unit_) .unit = (unit_), .kind = HT_NUMBER
#define CTR        .unit = "count", .kind = HT_COUNTER
#define STR        .kind = HT_STRING
#define YESNO      .kind = HT_BOOL

/* clang-format off */
static const struct ht_metric_info table[HT_METRIC_COUNT] = {
	[HT_M_SELFTEST_COUNT]      = { "selftest", "count", CTR, .help = "1, 2, 3 … one more each run, durable across restarts" },

	[HT_M_ICMP_STATUS]         = { "icmp", "status", STR, .help = "ok, timeout, unresolved, unreachable, denied, too-large or error" },
	[HT_M_ICMP_TARGET]         = { "icmp", "target", STR, .help = "the address that was pinged" },
	[HT_M_ICMP_SENT]           = { "icmp", "sent", NUM("count"), .help = "echo requests sent in the round" },
	[HT_M_ICMP_RECEIVED]       = { "icmp", "received", NUM("count"), .help = "distinct echo replies received in the round" },
	[HT_M_ICMP_LOSS]           = { "icmp", "loss", NUM("/"), .help = "share of requests without a reply, 0 to 1" },
	[HT_M_ICMP_RTT_MIN]        = { "icmp", "rtt_min", NUM("s"), .help = "shortest round trip of the round" },
	[HT_M_ICMP_RTT_AVG]        = { "icmp", "rtt_avg", NUM("s"), .help = "mean round trip of the round" },
	[HT_M_ICMP_RTT_MAX]        = { "icmp", "rtt_max", NUM("s"), .help = "longest round trip of the round" },
	[HT_M_ICMP_RTT_P50]        = { "icmp", "rtt_p50", NUM("s"), .help = "median round trip of the round" },
	[HT_M_ICMP_RTT_P95]        = { "icmp", "rtt_p95", NUM("s"), .help = "95th percentile of the round trips of the round" },
	[HT_M_ICMP_RTT_HISTOGRAM]  = { "icmp", "rtt_histogram", STR, .help = "round trips of the round, a mergeable histogram (base/hist.h)" },
	[HT_M_ICMP_DUPLICATES]     = { "icmp", "duplicates", NUM("count"), .help = "replies that came more than once" },
	[HT_M_ICMP_PAYLOAD]        = { "icmp", "payload", NUM("B"), .help = "bytes of data in each echo request" },
	[HT_M_ICMP_PATH_MTU]       = { "icmp", "path_mtu", NUM("B"), .help = "largest IP packet that came through whole and unfragmented" },
	[HT_M_ICMP_REASON]         = { "icmp", "reason", STR, .help = "what was wrong with replies or requests of the round, when anything was" },
	[HT_M_ICMP_JITTER]         = { "icmp", "jitter", NUM("s"), .help = "interarrival jitter, RFC 3550 section 6.4.1" },

	[HT_M_TCP_STATUS]          = { "tcp", "status", STR, .help = "ok, refused, timeout, unreachable, unresolved, denied or error" },
	[HT_M_TCP_TARGET]          = { "tcp", "target", STR, .help = "the address and port that was connected to" },
	[HT_M_TCP_CONNECT]         = { "tcp", "connect", NUM("s"), .help = "from SYN to established" },

	[HT_M_DNS_STATUS]          = { "dns", "status", STR, .help = "ok, timeout, unreachable, refused, denied, closed, malformed, wrong-answer, bogus or error" },
	[HT_M_DNS_SERVER]          = { "dns", "server", STR, .help = "the resolver that was asked, address and port" },
	[HT_M_DNS_NAME]            = { "dns", "name", STR, .help = "the question: name and type" },
	[HT_M_DNS_RCODE]           = { "dns", "rcode", STR, .help = "NOERROR, NXDOMAIN, SERVFAIL …" },
	[HT_M_DNS_ANSWERS]         = { "dns", "answers", STR, .help = "data of the records answered, sorted, comma separated" },
	[HT_M_DNS_CORRECT]         = { "dns", "correct", YESNO, .help = "the answer is what the configuration expects" },
	[HT_M_DNS_TIME]            = { "dns", "time", NUM("s"), .help = "from question to answer" },
	[HT_M_DNS_DNSSEC]          = { "dns", "dnssec", STR, .help = "secure, insecure, bogus or indeterminate, RFC 4035 section 4.3" },
	[HT_M_DNS_REASON]          = { "dns", "reason", STR, .help = "why the status, or the answer's security, is what it is" },

	[HT_M_HTTP_STATUS]         = { "http", "status", STR, .help = "ok, unresolved, refused, unreachable, timeout, tls, wrong-code, wrong-text, redirect, too-large, too-slow, closed, malformed or error" },
	[HT_M_HTTP_URL]            = { "http", "url", STR, .help = "what was asked for, without user and query" },
	[HT_M_HTTP_ADDRESS]        = { "http", "address", STR, .help = "the address that answered" },
	[HT_M_HTTP_CODE]           = { "http", "code", NUM("count"), .help = "status code, RFC 9110 section 15" },
	[HT_M_HTTP_RESOLVE]        = { "http", "resolve", NUM("s"), .help = "until the name was resolved" },
	[HT_M_HTTP_CONNECT]        = { "http", "connect", NUM("s"), .help = "from there until TCP was established" },
	[HT_M_HTTP_TLS]            = { "http", "tls", NUM("s"), .help = "from there until TLS was" },
	[HT_M_HTTP_FIRST_BYTE]     = { "http", "first_byte", NUM("s"), .help = "from there until the first byte of the answer" },
	[HT_M_HTTP_TOTAL]          = { "http", "total", NUM("s"), .help = "the whole request" },
	[HT_M_HTTP_BYTES]          = { "http", "bytes", NUM("B"), .help = "bytes of the body that came" },
	[HT_M_HTTP_MATCHED]        = { "http", "matched", YESNO, .help = "the body holds the expected text" },
	[HT_M_HTTP_TLS_VERSION]    = { "http", "tls_version", STR, .help = "TLSv1.2, TLSv1.3 …" },
	[HT_M_HTTP_TLS_CIPHER]     = { "http", "tls_cipher", STR, .help = "cipher suite, as OpenSSL names it" },
	[HT_M_HTTP_CERT_SUBJECT]   = { "http", "cert_subject", STR, .help = "subject of the server's certificate" },
	[HT_M_HTTP_CERT_ISSUER]    = { "http", "cert_issuer", STR, .help = "issuer of the server's certificate" },
	[HT_M_HTTP_CERT_EXPIRES_IN] = { "http", "cert_expires_in", NUM("s"), .help = "until the certificate expires; negative: since" },
	[HT_M_HTTP_CERT_VERIFIED]  = { "http", "cert_verified", STR, .help = "ok, or why the certificate is not to be trusted" },
	[HT_M_HTTP_REASON]         = { "http", "reason", STR, .help = "why the status is not ok" },

	[HT_M_PATH_STATUS]         = { "path", "status", STR, .help = "ok, incomplete, timeout, unresolved, unreachable, denied or error" },
	[HT_M_PATH_TARGET]         = { "path", "target", STR, .help = "the inside address that was traced to" },
	[HT_M_PATH_METHOD]         = { "path", "method", STR, .help = "udp, icmp or tcp, with its port" },
	[HT_M_PATH_HOPS]           = { "path", "hops", NUM("count"), .help = "hops to the target, or to the last that answered" },
	[HT_M_PATH_TRACE]          = { "path", "trace", STR, .help = "one word a hop: address, or * for silence; blanks between" },
	[HT_M_PATH_NETWORK]        = { "path", "network", STR, .help = "province-wan, government-wan, internet or unknown, by the rules" },
	[HT_M_PATH_REASON]         = { "path", "reason", STR, .help = "which rule and which hop decided, one sentence" },

	[HT_M_THROUGHPUT_STATUS]   = { "throughput", "status", STR, .help = "ok, or skipped, failed or partial with a colon and why" },
	[HT_M_THROUGHPUT_ENDPOINT] = { "throughput", "endpoint", STR, .help = "what was measured against, a URL without its query" },
	[HT_M_THROUGHPUT_DOWN]     = { "throughput", "down", NUM("bit/s"), .help = "TCP payload towards the office, ramp-up discarded" },
	[HT_M_THROUGHPUT_DOWN_LOW] = { "throughput", "down_low", NUM("bit/s"), .help = "lower end of its 95 % interval" },
	[HT_M_THROUGHPUT_DOWN_HIGH] = { "throughput", "down_high", NUM("bit/s"), .help = "upper end of its 95 % interval" },
	[HT_M_THROUGHPUT_UP]       = { "throughput", "up", NUM("bit/s"), .help = "TCP payload from the office, ramp-up discarded" },
	[HT_M_THROUGHPUT_UP_LOW]   = { "throughput", "up_low", NUM("bit/s"), .help = "lower end of its 95 % interval" },
	[HT_M_THROUGHPUT_UP_HIGH]  = { "throughput", "up_high", NUM("bit/s"), .help = "upper end of its 95 % interval" },
	[HT_M_THROUGHPUT_STREAMS]  = { "throughput", "streams", NUM("count"), .help = "connections in parallel" },
	[HT_M_THROUGHPUT_BYTES]    = { "throughput", "bytes", NUM("B"), .help = "bytes that the test cost, both directions" },

	[HT_M_REACH_STATE]          = { "reach", "state", STR, .help = "up, suspect or down: at each change, and once when first known" },
	[HT_M_REACH_UNANSWERED_FOR] = { "reach", "unanswered-for", NUM("s"), .help = "at a transition: since the first lost ping was sent" },
	[HT_M_REACH_ANSWERED_AGO]   = { "reach", "answered-ago", NUM("s"), .help = "at a transition: since the last answered ping was sent" },
	[HT_M_REACH_SENT]           = { "reach", "sent", NUM("count"), .help = "pings of the minute whose fate is known" },
	[HT_M_REACH_RECEIVED]       = { "reach", "received", NUM("count"), .help = "those of them that were answered" },
	[HT_M_REACH_RTT_AVG]        = { "reach", "rtt-avg", NUM("s"), .help = "mean round trip of the minute" },
	[HT_M_REACH_RTT_HISTOGRAM]  = { "reach", "rtt-histogram", STR, .help = "round trips of the minute, a mergeable histogram (base/hist.h)" },
	[HT_M_REACH_BLIND]          = { "reach", "blind", YESNO, .help = "the vantage sees none of its self-check targets: its silence says nothing of others" },
	[HT_M_REACH_BLIND_REASON]   = { "reach", "blind-reason", STR, .help = "why the vantage is (or is not) blind, one sentence" },
	[HT_M_REACH_UNSENT]         = { "reach", "unsent", NUM("count"), .help = "pings that this machine could not send, since it was told last" },
	[HT_M_REACH_DROPPED]        = { "reach", "dropped", NUM("count"), .help = "replies that this machine dropped before they were read" },
	[HT_M_REACH_IGNORED]        = { "reach", "ignored", NUM("count"), .help = "replies that count for nothing: late, twice, forged, truncated" },
	[HT_M_REACH_TROUBLE]        = { "reach", "trouble", STR, .help = "what the three counts are made of, and how often the agent stood still; only when something was" },

	[HT_M_SNMP_STATUS]         = { "snmp", "status", STR, .help = "ok, timeout, unresolved, auth-failed, partial or error" },
	[HT_M_SNMP_REASON]         = { "snmp", "reason", STR, .help = "what was not read and why, one sentence; not there when all is well" },
	[HT_M_SNMP_TARGET]         = { "snmp", "target", STR, .help = "the address that was polled" },
	[HT_M_SNMP_UPTIME]         = { "snmp", "uptime", NUM("s"), .help = "sysUpTime" },
	[HT_M_SNMP_SYS_NAME]       = { "snmp", "sys_name", STR, .help = "sysName" },
	[HT_M_SNMP_SYS_DESCR]      = { "snmp", "sys_descr", STR, .help = "sysDescr" },
	[HT_M_SNMP_SYS_OBJECT_ID]  = { "snmp", "sys_object_id", STR, .help = "sysObjectID, numeric" },
	[HT_M_SNMP_INTERFACES]     = { "snmp", "interfaces", NUM("count"), .help = "rows of the interface table that were read" },
	[HT_M_SNMP_ROUND_TRIPS]    = { "snmp", "round_trips", NUM("count"), .help = "requests the poll needed" },
	[HT_M_SNMP_LINK_INTERFACE_WHY] = { "snmp", "link_interface_why", STR, .help = "what speaks for that interface: configured, default route, address, alias …, one sentence" },
	[HT_M_SNMP_LINK_INTERFACE_CONFIDENCE] = { "snmp", "link_interface_confidence", NUM("/"), .help = "0 to 1; 1 when the configuration or a person names it" },
	[HT_M_SNMP_LINK_INTERFACE] = { "snmp", "link_interface", STR, .help = "the interface instance that carries the link, <device id>:<interface id>" },

	[HT_M_IF_INDEX]            = { "if", "index", NUM("count"), .help = "ifIndex at the time" },
	[HT_M_IF_NAME]             = { "if", "name", STR, .help = "ifName" },
	[HT_M_IF_ALIAS]            = { "if", "alias", STR, .help = "ifAlias" },
	[HT_M_IF_DESCR]            = { "if", "descr", STR, .help = "ifDescr" },
	[HT_M_IF_TYPE]             = { "if", "type", NUM("count"), .help = "ifType, IANAifType" },
	[HT_M_IF_PHYS_ADDRESS]     = { "if", "phys_address", STR, .help = "ifPhysAddress" },
	[HT_M_IF_ADMIN_STATUS]     = { "if", "admin_status", STR, .help = "ifAdminStatus: up, down, testing" },
	[HT_M_IF_OPER_STATUS]      = { "if", "oper_status", STR, .help = "ifOperStatus: up, down, testing, unknown, dormant, notPresent, lowerLayerDown" },
	[HT_M_IF_SPEED]            = { "if", "speed", NUM("bit/s"), .help = "ifHighSpeed, or ifSpeed below 4.29 Gbit/s; of what it runs on when it has no line of its own" },
	[HT_M_IF_IN_OCTETS]        = { "if", "in_octets", CTR, .help = "ifHCInOctets, or ifInOctets where there is none" },
	[HT_M_IF_OUT_OCTETS]       = { "if", "out_octets", CTR, .help = "ifHCOutOctets, or ifOutOctets where there is none" },
	[HT_M_IF_IN_ERRORS]        = { "if", "in_errors", CTR, .help = "ifInErrors" },
	[HT_M_IF_OUT_ERRORS]       = { "if", "out_errors", CTR, .help = "ifOutErrors" },
	[HT_M_IF_IN_DISCARDS]      = { "if", "in_discards", CTR, .help = "ifInDiscards" },
	[HT_M_IF_OUT_DISCARDS]     = { "if", "out_discards", CTR, .help = "ifOutDiscards" },
	[HT_M_IF_COUNTER_BITS]     = { "if", "counter_bits", NUM("count"), .help = "64 for HC counters, 32 for the fallback" },
	[HT_M_IF_LOWER]            = { "if", "lower", STR, .help = "instances it runs on top of (ifStackTable), comma separated: a LAG's members, a sub-interface's port" },
	[HT_M_IF_ADDRESSES]        = { "if", "addresses", STR, .help = "its IP addresses with prefix lengths, comma separated" },
	[HT_M_IF_DEFAULT_ROUTE]    = { "if", "default_route", YESNO, .help = "the default route leaves by it" },
	[HT_M_IF_IDENTITY]         = { "if", "identity", STR, .help = "why it counts as the one of before, or as a new one, when anything about it changed" },
	[HT_M_IF_DISCONTINUITY]    = { "if", "discontinuity", NUM("s"), .help = "ifCounterDiscontinuityTime as sysUpTime" },

	[HT_M_LAN_STATUS]          = { "lan", "status", STR, .help = "a word, and behind a colon why: ok, partial, denied, no-interface, not-attached, too-large, unsupported, no-subnet, error" },
	[HT_M_LAN_SUBNET]          = { "lan", "subnet", STR, .help = "the declared subnet, CIDR" },
	[HT_M_LAN_TARGETS]         = { "lan", "targets", NUM("count"), .help = "host addresses in the declared subnet" },
	[HT_M_LAN_PROBED]          = { "lan", "probed", NUM("count"), .help = "addresses asked by ARP in this scan" },
	[HT_M_LAN_ANSWERED]        = { "lan", "answered", NUM("count"), .help = "addresses that answered in this scan" },
	[HT_M_LAN_FRAMES]          = { "lan", "frames", NUM("count"), .help = "frames looked at in this window" },
	[HT_M_LAN_DROPPED]         = { "lan", "dropped", NUM("count"), .help = "frames the kernel dropped before us" },
	[HT_M_LAN_MALFORMED]       = { "lan", "malformed", NUM("count"), .help = "frames that did not follow their format" },

	[HT_M_MAC_SEEN_BY]         = { "mac", "seen_by", STR, .help = "arp-scan, arp, dhcp, snmp-arp or snmp-fdb" },
	[HT_M_MAC_SUBNET]          = { "mac", "subnet", STR, .help = "declared subnet it was seen in, CIDR" },
	[HT_M_MAC_IPV4]            = { "mac", "ipv4", STR, .help = "IPv4 address it used" },
	[HT_M_MAC_IPV6]            = { "mac", "ipv6", STR, .help = "IPv6 address it used" },
	[HT_M_MAC_HOSTNAME]        = { "mac", "hostname", STR, .help = "host name it gave by DHCP (option 12)" },
	[HT_M_MAC_DHCP_CLASS]      = { "mac", "dhcp_class", STR, .help = "DHCP vendor class (option 60)" },
	[HT_M_MAC_DHCP_PARAMETERS] = { "mac", "dhcp_parameters", STR, .help = "DHCP parameter request list (option 55), decimal, comma separated" },
	[HT_M_MAC_DHCP_CLIENT_ID]  = { "mac", "dhcp_client_id", STR, .help = "DHCP client identifier (option 61), hexadecimal" },
	[HT_M_MAC_GATEWAY]         = { "mac", "gateway", YESNO, .help = "it is the subnet's default gateway" },

	[HT_M_POSTURE_ANSWER]      = { "posture", "answer", STR, .help = "yes, no or not-observable" },
	[HT_M_POSTURE_EVIDENCE]    = { "posture", "evidence", STR, .help = "what was seen, one line" },
	[HT_M_POSTURE_COUNT]       = { "posture", "count", NUM("count"), .help = "how many things the check counted" },

	[HT_M_HOST_HOSTNAME]       = { "host", "hostname", STR, .help = "host name of the agent's machine" },
	[HT_M_HOST_OS]             = { "host", "os", STR, .help = "PRETTY_NAME of os-release" },
	[HT_M_HOST_MACS]           = { "host", "macs", STR, .help = "MACs of its physical interfaces, comma separated" },
	[HT_M_HOST_IS_SERVER]      = { "host", "is_server", YESNO, .help = "nobody works at it: it has no desktop, so it is no computer of the staff" },

	[HT_M_AGENT_VERSION]       = { "agent", "version", STR, .help = "program version" },
	[HT_M_AGENT_PROPOSAL]      = { "agent", "proposal", STR, .help = "configuration that the agent proposes, YAML" },
	[HT_M_AGENT_CONFIG_HASH]   = { "agent", "config_hash", STR, .help = "SHA-256 of the approved configuration in force" },
	[HT_M_AGENT_GAP]           = { "agent", "gap", STR, .help = "sequence numbers given up: <epoch>:<first>-<last> <reason>" },
	[HT_M_AGENT_CLOCK]         = { "agent", "clock", STR, .help = "synchronised, free, or jumped <seconds>" },
	[HT_M_AGENT_DROPPED]       = { "agent", "dropped", CTR, .help = "packs given up since the epoch began" },
	[HT_M_AGENT_QUEUED]        = { "agent", "queued", NUM("count"), .help = "packs in the spool" },
	[HT_M_AGENT_OLDEST]        = { "agent", "oldest", NUM("s"), .help = "age of the oldest pack in the spool" },
	[HT_M_AGENT_PROBE_STATUS]  = { "agent", "probe_status", STR, .help = "a probe that could not be run: why" },
	[HT_M_AGENT_PROBE_SKIPPED] = { "agent", "probe_skipped", CTR, .help = "runs skipped because the previous one had not ended" },
	[HT_M_AGENT_MEMORY]        = { "agent", "memory", NUM("count"), .help = "private dirty memory of the agent's processes, bytes" },
	[HT_M_AGENT_SPOOL]         = { "agent", "spool", STR, .help = "what happened to the spool: corrupt, moved to <file>" },
};
/* clang-format on */

const struct ht_metric_info *ht_metric_info(enum ht_metric m)
{
	return &table[m];
}

static bool same(const char *name, const char *text, size_t len)
{
	return strlen(name) == len && memcmp(name, text, len) == 0;
}

bool ht_metric_find(const char *family, size_t family_len, const char *quantity,
    size_t quantity_len, enum ht_metric *out)
{
	for (size_t i = 0; i < HT_METRIC_COUNT; i++) {
		if (same(table[i].family, family, family_len) &&
		    same(table[i].quantity, quantity, quantity_len)) {
			*out = (enum ht_metric)i;
			return true;
		}
	}
	return false;
}
