#include "probes/lan/frame.h"

#include <stdio.h>
#include <string.h>

#include "base/reader.h"
#include "base/utf8.h"

enum {
	ETHER_IPV4 = 0x0800,
	ETHER_ARP = 0x0806,
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	ETHER_QINQ_OLD = 0x9100, /* before 802.1ad, still spoken */
	HTYPE_ETHER = 1,
	IPPROTO_NUMBER_UDP = 17,
	PORT_DHCP_SERVER = 67,
	PORT_DHCP_CLIENT = 68,
};

enum {
	OPT_PAD = 0,
	OPT_HOSTNAME = 12,
	OPT_REQUESTED = 50,
	OPT_OVERLOAD = 52,
	OPT_TYPE = 53,
	OPT_PARAMETERS = 55,
	OPT_VENDOR_CLASS = 60,
	OPT_CLIENT_ID = 61,
	OPT_END = 255,
};

#define DHCP_SNAME_LEN 64
#define DHCP_FILE_LEN  128
#define DHCP_COOKIE    UINT32_C(0x63825363)

static struct ht_mac read_mac(struct ht_reader *r)
{
	struct ht_mac m = { 0 };
	const uint8_t *p = ht_reader_bytes(r, sizeof(m.b));

	if (p)
		memcpy(m.b, p, sizeof(m.b));
	return m;
}

static bool same_mac(const struct ht_mac *a, const struct ht_mac *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/* A card's own address: not zero, not a group. */
static bool station(const struct ht_mac *m)
{
	return !ht_mac_is_zero(m) && !ht_mac_is_group(m);
}

ht_err frame_arp_parse(
    const uint8_t *bytes, size_t len, const struct ht_mac *src, struct frame_arp *out)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	uint16_t htype = ht_reader_u16(&r), ptype = ht_reader_u16(&r);
	uint8_t hlen = ht_reader_u8(&r), plen = ht_reader_u8(&r);
	struct frame_arp a = { .op = ht_reader_u16(&r) };

	if (r.bad)
		return HT_MALFORMED;
	if (ptype != ETHER_IPV4)
		return HT_UNSUPPORTED;
	/* 802 networks announce Ethernet (1) or, on old Token Ring and some Wi-Fi gear,
	 * IEEE 802 (6): both with the same addresses. */
	if ((htype != HTYPE_ETHER && htype != 6) || hlen != sizeof(struct ht_mac) ||
	    plen != 4)
		return HT_MALFORMED;
	a.sender_mac = read_mac(&r);
	a.sender_ip = ht_reader_u32(&r);
	a.target_mac = read_mac(&r);
	a.target_ip = ht_reader_u32(&r);
	if (r.bad || !station(&a.sender_mac))
		return HT_MALFORMED;
	a.sender_differs = !same_mac(&a.sender_mac, src);
	*out = a;
	return HT_OK;
}

/* RFC 3396: an option that comes again continues the one before. */
static void option_append(struct frame_option *o, const uint8_t *bytes, size_t len)
{
	size_t room = sizeof(o->bytes) - o->len;

	if (len > room)
		len = room;
	memcpy(o->bytes + o->len, bytes, len);
	o->len = (uint8_t)(o->len + len);
	o->present = true;
}

struct dhcp_options {
	struct frame_option type, requested, overload;
	struct frame_dhcp *dhcp;
};

static struct frame_option *option_slot(struct dhcp_options *d, uint8_t code)
{
	switch (code) {
	case OPT_HOSTNAME:
		return &d->dhcp->hostname;
	case OPT_VENDOR_CLASS:
		return &d->dhcp->vendor_class;
	case OPT_PARAMETERS:
		return &d->dhcp->parameters;
	case OPT_CLIENT_ID:
		return &d->dhcp->client_id;
	case OPT_REQUESTED:
		return &d->requested;
	case OPT_TYPE:
		return &d->type;
	case OPT_OVERLOAD:
		return &d->overload;
	default:
		return NULL;
	}
}

/* One field of options. A missing end mark is forgiven (many clients cut it off), an
 * option that runs over the end is not. */
static bool options_parse(struct ht_reader r, struct dhcp_options *d)
{
	while (ht_reader_left(&r) > 0) {
		uint8_t code = ht_reader_u8(&r);

		if (code == OPT_END)
			break;
		if (code == OPT_PAD)
			continue;
		uint8_t len = ht_reader_u8(&r);
		const uint8_t *value = ht_reader_bytes(&r, len);
		if (!value)
			return false;
		struct frame_option *slot = option_slot(d, code);
		if (slot)
			option_append(slot, value, len);
	}
	return !r.bad;
}

/* RFC 2132 section 9.3: the fields `file` and then `sname` may hold options too. */
static bool overload_parse(
    struct dhcp_options *d, struct ht_reader file, struct ht_reader sname)
{
	uint8_t where = d->overload.len == 1 ? d->overload.bytes[0] : 0;

	if ((where & 1) && !options_parse(file, d))
		return false;
	return !(where & 2) || options_parse(sname, d);
}

static uint32_t option_u32(const struct frame_option *o)
{
	struct ht_reader r = ht_reader_of(o->bytes, o->len);

	return o->len == 4 ? ht_reader_u32(&r) : 0;
}

ht_err frame_dhcp_parse(const uint8_t *bytes, size_t len, struct frame_dhcp *out)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	struct frame_dhcp f = { .op = ht_reader_u8(&r) };
	struct dhcp_options d = { .dhcp = &f };
	uint8_t htype = ht_reader_u8(&r), hlen = ht_reader_u8(&r);

	ht_reader_skip(&r, 1 + 4 + 2 + 2); /* hops, xid, secs, flags */
	f.ciaddr = ht_reader_u32(&r);
	f.yiaddr = ht_reader_u32(&r);
	ht_reader_skip(&r, 4); /* siaddr */
	f.giaddr = ht_reader_u32(&r);
	f.client = read_mac(&r);
	ht_reader_skip(&r, 10); /* rest of chaddr */
	struct ht_reader sname = ht_reader_sub(&r, DHCP_SNAME_LEN);
	struct ht_reader file = ht_reader_sub(&r, DHCP_FILE_LEN);
	if (r.bad || (f.op != FRAME_DHCP_FROM_CLIENT && f.op != FRAME_DHCP_FROM_SERVER))
		return HT_MALFORMED;
	if (htype != HTYPE_ETHER)
		return HT_UNSUPPORTED;
	if (hlen != sizeof(struct ht_mac) || !station(&f.client))
		return HT_MALFORMED;
	if (ht_reader_left(&r) >= 4 && ht_reader_u32(&r) == DHCP_COOKIE &&
	    (!options_parse(r, &d) || !overload_parse(&d, file, sname)))
		return HT_MALFORMED;
	f.type = d.type.len == 1 ? d.type.bytes[0] : 0;
	f.requested = option_u32(&d.requested);
	*out = f;
	return HT_OK;
}

/* The payload of a UDP datagram to or from a DHCP port; HT_UNSUPPORTED for any other
 * packet. Checksums are not looked at: on our own wire they are often still unfilled
 * (offload), and Ethernet has its own. */
static ht_err udp_dhcp(struct ht_reader *r, struct ht_reader *out)
{
	uint8_t head = ht_reader_u8(r);
	size_t header_len = (size_t)(head & 0x0f) * 4;

	ht_reader_skip(r, 1);
	uint16_t total = ht_reader_u16(r);
	ht_reader_skip(r, 2);
	uint16_t fragment = ht_reader_u16(r);
	ht_reader_skip(r, 1);
	uint8_t protocol = ht_reader_u8(r);
	if (r->bad || head >> 4 != 4 || header_len < 20 || total < header_len)
		return HT_MALFORMED;
	if (protocol != IPPROTO_NUMBER_UDP || (fragment & 0x3fff))
		return HT_UNSUPPORTED;
	ht_reader_skip(r, header_len - 10); /* ten bytes are read */
	struct ht_reader datagram = ht_reader_sub(r, total - header_len);
	uint16_t from = ht_reader_u16(&datagram), to = ht_reader_u16(&datagram);
	uint16_t len = ht_reader_u16(&datagram);
	ht_reader_skip(&datagram, 2);
	if (datagram.bad)
		return HT_MALFORMED;
	if (to != PORT_DHCP_SERVER && to != PORT_DHCP_CLIENT)
		return HT_UNSUPPORTED;
	if (from != PORT_DHCP_SERVER && from != PORT_DHCP_CLIENT)
		return HT_UNSUPPORTED;
	if (len < 8)
		return HT_MALFORMED;
	*out = ht_reader_sub(&datagram, (size_t)len - 8);
	return out->bad ? HT_MALFORMED : HT_OK;
}

static ht_err ipv4_parse(struct ht_reader *r, struct frame *f)
{
	struct ht_reader payload;
	ht_err err = udp_dhcp(r, &payload);

	if (!err)
		err = frame_dhcp_parse(payload.at, ht_reader_left(&payload), &f->dhcp);
	if (!err)
		f->kind = FRAME_DHCP;
	return err;
}

static ht_err arp_parse(struct ht_reader *r, struct frame *f)
{
	ht_err err = frame_arp_parse(r->at, ht_reader_left(r), &f->src, &f->arp);

	if (!err)
		f->kind = FRAME_ARP;
	return err;
}

static bool tag_type(uint16_t type)
{
	return type == ETHER_VLAN || type == ETHER_QINQ || type == ETHER_QINQ_OLD;
}

ht_err frame_parse(const uint8_t *bytes, size_t len, struct frame *out)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	struct frame f = { .kind = FRAME_OTHER };
	ht_err err = HT_UNSUPPORTED;

	f.dst = read_mac(&r);
	f.src = read_mac(&r);
	uint16_t type = ht_reader_u16(&r);
	while (tag_type(type) && f.n_vlans < FRAME_VLANS_MAX) {
		f.vlans[f.n_vlans++] = ht_reader_u16(&r) & 0x0fff;
		type = ht_reader_u16(&r);
	}
	if (r.bad)
		return HT_MALFORMED;
	if (type == ETHER_ARP)
		err = arp_parse(&r, &f);
	else if (type == ETHER_IPV4)
		err = ipv4_parse(&r, &f);
	if (err && err != HT_UNSUPPORTED)
		return err;
	*out = f;
	return HT_OK;
}

static void put_u16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put_u32(uint8_t *at, uint32_t v)
{
	put_u16(at, (uint16_t)(v >> 16));
	put_u16(at + 2, (uint16_t)v);
}

void frame_arp_request(const struct ht_mac *own_mac, uint32_t own_ip, uint32_t target,
    uint8_t out[static FRAME_ARP_LEN])
{
	memset(out, 0, FRAME_ARP_LEN);
	memset(out, 0xff, 6);
	memcpy(out + 6, own_mac->b, 6);
	put_u16(out + 12, ETHER_ARP);
	put_u16(out + 14, HTYPE_ETHER);
	put_u16(out + 16, ETHER_IPV4);
	out[18] = 6;
	out[19] = 4;
	put_u16(out + 20, FRAME_ARP_REQUEST);
	memcpy(out + 22, own_mac->b, 6);
	put_u32(out + 28, own_ip);
	put_u32(out + 38, target);
}

void frame_option_text(const struct frame_option *o, char *out, size_t cap)
{
	size_t len = o->len, n = 0;

	while (len > 0 && (o->bytes[len - 1] == '\0' || o->bytes[len - 1] == ' '))
		len--;
	for (size_t i = 0; i < len;) {
		size_t c = ht_utf8_letter(o->bytes + i, len - i);

		if (n + (c ? c : 1) >= cap)
			break;
		if (c)
			memcpy(out + n, o->bytes + i, c);
		else
			out[n] = '?';
		n += c ? c : 1;
		i += c ? c : 1;
	}
	out[n] = '\0';
}

void frame_option_list(const struct frame_option *o, char out[static FRAME_LIST_TEXT])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < o->len; i++)
		n += (size_t)snprintf(
		    out + n, FRAME_LIST_TEXT - n, "%s%u", i ? "," : "", o->bytes[i]);
}

void frame_option_hex(const struct frame_option *o, char out[static FRAME_HEX_TEXT])
{
	out[0] = '\0';
	for (size_t i = 0; i < o->len; i++)
		snprintf(out + 2 * i, 3, "%02x", o->bytes[i]);
}
