#include "probes/lan/local.h"

#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUTE_TEXT_MAX 65536
#define RTF_UP_FLAG    0x1u
#define RTF_GATE_FLAG  0x2u

const struct local_if *local_find(const struct local *l, const char *name)
{
	for (size_t i = 0; i < l->n_ifs; i++) {
		if (strcmp(l->ifs[i].name, name) == 0)
			return &l->ifs[i];
	}
	return NULL;
}

/* An address may carry a label, "eth0:1": the interface is what stands before it. */
static struct local_if *find_or_add(struct local *l, const char *label)
{
	char name[LOCAL_NAME_MAX];
	int n = snprintf(name, sizeof(name), "%.*s", (int)strcspn(label, ":"), label);

	for (size_t i = 0; i < l->n_ifs; i++) {
		if (strcmp(l->ifs[i].name, name) == 0)
			return &l->ifs[i];
	}
	if (l->n_ifs == LOCAL_IFS_MAX || n >= LOCAL_NAME_MAX) {
		l->refused++;
		return NULL;
	}
	struct local_if *f = &l->ifs[l->n_ifs++];
	snprintf(f->name, sizeof(f->name), "%s", name);
	return f;
}

const struct local_gateway *local_gateway(
    const struct local *l, int family, const char *interface)
{
	const struct local_gateway *best = NULL;

	for (size_t i = 0; i < l->n_gateways; i++) {
		const struct local_gateway *g = &l->gateways[i];

		if (g->addr.family != family ||
		    (interface && strcmp(g->interface, interface) != 0))
			continue;
		if (!best || g->metric < best->metric)
			best = g;
	}
	return best;
}

static void gateway_add(struct local *l, const struct local_gateway *g)
{
	if (l->n_gateways == LOCAL_GATEWAYS_MAX) {
		l->refused++;
		return;
	}
	l->gateways[l->n_gateways++] = *g;
}

/* The next line of `text`, copied; false at the end. Longer lines are cut. */
static bool next_line(const char **text, const char *end, char *out, size_t cap)
{
	if (*text >= end)
		return false;
	const char *nl = memchr(*text, '\n', (size_t)(end - *text));
	size_t len = (size_t)((nl ? nl : end) - *text);
	size_t kept = len < cap ? len : cap - 1;

	memcpy(out, *text, kept);
	out[kept] = '\0';
	*text = nl ? nl + 1 : end;
	return true;
}

void local_routes4(const char *text, size_t len, struct local *out)
{
	const char *end = text + len;
	char line[256];

	while (next_line(&text, end, line, sizeof(line))) {
		struct local_gateway g = { .metric = 0 };
		uint32_t destination, gateway, flags, mask;

		if (sscanf(line,
			"%15s %8" SCNx32 " %8" SCNx32 " %8" SCNx32 " %*u %*u %9" SCNu32
			" %8" SCNx32,
			g.interface, &destination, &gateway, &flags, &g.metric,
			&mask) != 6)
			continue;
		if (destination || mask || !(flags & RTF_UP_FLAG))
			continue;
		if (flags & RTF_GATE_FLAG) {
			g.addr = (struct ht_addr){ .family = AF_INET, .prefix = 32 };
			memcpy(
			    g.addr.bytes, &gateway, 4); /* printed as it lies in memory */
		}
		gateway_add(out, &g);
	}
}

static bool hex_bytes(const char *hex, uint8_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned v;

		if (sscanf(hex + 2 * i, "%2x", &v) != 1)
			return false;
		out[i] = (uint8_t)v;
	}
	return true;
}

void local_routes6(const char *text, size_t len, struct local *out)
{
	const char *end = text + len;
	char line[256];

	while (next_line(&text, end, line, sizeof(line))) {
		struct local_gateway g = { .addr = {
					       .family = AF_INET6, .prefix = 128 } };
		char destination[33], next[33];
		uint32_t prefix, flags;

		if (sscanf(line,
			"%32[0-9a-f] %2" SCNx32 " %*32[0-9a-f] %*2x %32[0-9a-f] %8" SCNx32
			" %*x %*x %8" SCNx32 " %15s",
			destination, &prefix, next, &g.metric, &flags, g.interface) != 6)
			continue;
		if (prefix || strspn(destination, "0") != 32 || strlen(next) != 32)
			continue;
		if (!(flags & RTF_UP_FLAG) || !(flags & RTF_GATE_FLAG))
			continue;
		if (hex_bytes(next, g.addr.bytes, 16))
			gateway_add(out, &g);
	}
}

static void read_routes(const char *path,
    void (*parse)(const char *text, size_t len, struct local *out), struct local *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = malloc(ROUTE_TEXT_MAX);
	size_t len = 0;
	ssize_t n = 0;

	while (fd >= 0 && text && len < ROUTE_TEXT_MAX) {
		n = read(fd, text + len, ROUTE_TEXT_MAX - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	if (text && len)
		parse(text, len, out);
	free(text);
	if (fd >= 0)
		close(fd);
}

static uint8_t mask_len(const struct sockaddr *mask)
{
	const uint8_t *p;
	size_t n;
	uint8_t len = 0;

	if (!mask)
		return 0;
	if (mask->sa_family == AF_INET) {
		p = (const uint8_t *)&((const struct sockaddr_in *)(const void *)mask)
			->sin_addr;
		n = 4;
	} else {
		p = (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)mask)
			->sin6_addr;
		n = 16;
	}
	for (size_t i = 0; i < n; i++)
		len = (uint8_t)(len + __builtin_popcount(p[i]));
	return len;
}

static void take_link(struct local_if *f, const struct ifaddrs *a)
{
	struct sockaddr_ll ll;

	memcpy(&ll, a->ifa_addr, sizeof(ll));
	f->up = a->ifa_flags & IFF_UP;
	f->loopback = a->ifa_flags & IFF_LOOPBACK;
	f->ether = ll.sll_hatype == ARPHRD_ETHER;
	if (f->ether && ll.sll_halen == sizeof(f->mac))
		memcpy(f->mac.b, ll.sll_addr, sizeof(f->mac));
}

static void take_addr(struct local *l, const struct local_if *f, const struct ifaddrs *a)
{
	struct local_addr out = { .interface = (size_t)(f - l->ifs) };

	if (l->n_addrs == LOCAL_ADDRS_MAX) {
		l->refused++;
		return;
	}
	out.addr.family = (uint8_t)a->ifa_addr->sa_family;
	out.addr.prefix = mask_len(a->ifa_netmask);
	if (out.addr.family == AF_INET)
		memcpy(out.addr.bytes,
		    &((const struct sockaddr_in *)(const void *)a->ifa_addr)->sin_addr,
		    4);
	else
		memcpy(out.addr.bytes,
		    &((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr,
		    16);
	l->addrs[l->n_addrs++] = out;
}

/* ethtool's answer holds in every network namespace; /sys shows the one it was mounted
 * in. */
static void ask_driver(int fd, struct local_if *f)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq req = { .ifr_data = (void *)&info };

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", f->name);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &req) != 0)
		return;
	info.driver[sizeof(info.driver) - 1] = '\0';
	info.bus_info[sizeof(info.bus_info) - 1] = '\0';
	snprintf(f->driver, sizeof(f->driver), "%s", info.driver);
	f->hardware = info.bus_info[0] && strcmp(info.bus_info, "N/A") != 0 &&
		      strcmp(info.bus_info, "tap") != 0 &&
		      strcmp(info.bus_info, "tun") != 0;
}

ht_err local_read(struct local *out)
{
	struct ifaddrs *list = NULL;

	memset(out, 0, sizeof(*out));
	if (getifaddrs(&list) != 0)
		return HT_IO;
	for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
		struct local_if *f = a->ifa_addr ? find_or_add(out, a->ifa_name) : NULL;

		if (!f)
			continue;
		if (a->ifa_addr->sa_family == AF_PACKET)
			take_link(f, a);
		else if (a->ifa_addr->sa_family == AF_INET ||
			 a->ifa_addr->sa_family == AF_INET6)
			take_addr(out, f, a);
	}
	freeifaddrs(list);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (size_t i = 0; i < out->n_ifs; i++)
		ask_driver(fd, &out->ifs[i]);
	if (fd >= 0)
		close(fd);
	read_routes("/proc/net/route", local_routes4, out);
	read_routes("/proc/net/ipv6_route", local_routes6, out);
	return HT_OK;
}

/* Cut the host bits off. */
static struct ht_addr masked(const struct ht_addr *a)
{
	struct ht_addr out = *a;
	size_t len = a->family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < len; i++) {
		size_t bits = a->prefix > 8 * i ? a->prefix - 8 * i : 0;

		if (bits < 8)
			out.bytes[i] &= (uint8_t)(0xff << (8 - bits));
	}
	return out;
}

bool local_attached_part(
    const struct ht_addr *declared, const struct ht_addr *own, struct ht_addr *out_net)
{
	bool inside = own->prefix <= declared->prefix;
	const struct ht_addr *wide = inside ? own : declared;
	const struct ht_addr *narrow = inside ? declared : own;

	if (declared->family != AF_INET || !ht_addr_within(wide, narrow))
		return false;
	*out_net = masked(narrow);
	return true;
}

bool local_attached(
    const struct local *l, const char *interface, const struct ht_addr *declared)
{
	struct ht_addr net;

	for (size_t i = 0; i < l->n_addrs; i++) {
		if (strcmp(l->ifs[l->addrs[i].interface].name, interface) == 0 &&
		    local_attached_part(declared, &l->addrs[i].addr, &net))
			return true;
	}
	return false;
}

bool local_addressed(const struct local *l, size_t interface)
{
	for (size_t i = 0; i < l->n_addrs; i++) {
		if (l->addrs[i].interface == interface &&
		    l->addrs[i].addr.family == AF_INET)
			return true;
	}
	return false;
}

void local_subnet_text(const struct ht_addr *net, char out[static HT_ADDR_TEXT])
{
	struct ht_addr a = masked(net);

	ht_addr_format(&a, out);
}
