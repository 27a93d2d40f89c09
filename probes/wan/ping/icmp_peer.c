#include "probes/wan/ping/icmp_peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "probes/wan/ping/icmp_socket.h"
#include "probes/wan/resolve.h"

enum { IP_HEAD_V4 = 20, IP_HEAD_V6 = 40, REPLY_MAX = ICMP_PACKET_MAX + 60 };

ht_err icmp_peer_init(struct icmp_peer *p)
{
	uint8_t seed[sizeof(p->cookie) + sizeof(p->id)];

	*p = (struct icmp_peer){ .fd = -1 };
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		return HT_AGAIN;
	memcpy(&p->cookie, seed, sizeof(p->cookie));
	memcpy(&p->id, seed + sizeof(p->cookie), sizeof(p->id));
	return HT_OK;
}

static socklen_t address_len(const struct icmp_peer *p)
{
	return p->family == ICMP_V4 ? sizeof(struct sockaddr_in)
				    : sizeof(struct sockaddr_in6);
}

void icmp_peer_address(struct icmp_peer *p, const struct sockaddr *to)
{
	p->family = to->sa_family == AF_INET ? ICMP_V4 : ICMP_V6;
	memcpy(&p->to, to, address_len(p));
	resolve_format(to, p->text);
}

int icmp_peer_open(struct icmp_peer *p, int fd, bool raw, bool whole)
{
	const int on = 1;

	p->fd = fd;
	p->raw = raw;
	icmp_socket_prepare(fd, p->family, raw);
	icmp_socket_filter(
	    fd, p->family, raw, &(struct icmp_socket_match){ .by_id = raw, .id = p->id });
	if (whole)
		icmp_socket_whole(fd, p->family);
	if (p->family == ICMP_V4)
		(void)setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof(on));
	else
		(void)setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on));
	/* connected: replies of other hosts never reach us */
	return connect(fd, (const struct sockaddr *)&p->to, address_len(p)) ? errno : 0;
}

size_t icmp_peer_overhead(const struct icmp_peer *p)
{
	return ICMP_HEAD + (p->family == ICMP_V4 ? IP_HEAD_V4 : IP_HEAD_V6);
}

int icmp_peer_send(const struct icmp_peer *p, uint16_t seq, size_t payload)
{
	uint8_t packet[ICMP_PACKET_MAX];
	const struct icmp_echo e = { .id = p->id, .seq = seq, .cookie = p->cookie };
	size_t len = icmp_packet_write(p->family, &e, payload, packet);

	/* A waiting ICMP error of an earlier ping fails the first try. */
	for (int tries = 0; tries < 2; tries++) {
		if (send(p->fd, packet, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
	}
	return errno;
}

/* ---- what comes in ---- */

static void read_reply(const struct icmp_peer *p, const uint8_t *bytes,
    const struct icmp_socket_packet *in, struct icmp_event *out)
{
	bool header = p->raw && p->family == ICMP_V4;

	out->stamp_ns = in->stamp_ns;
	if (in->truncated ||
	    icmp_packet_parse(p->family, header, bytes, in->len, &out->echo))
		out->kind = ICMP_EVENT_MALFORMED;
	else if (p->raw && out->echo.id != p->id)
		out->kind = ICMP_EVENT_OTHER; /* another pinger's, before the filter */
	else
		out->kind = ICMP_EVENT_REPLY;
}

/* The kernel matched the error to this socket, but a stranger can write one too: it must
 * quote what we have sent. */
static void read_error(const struct icmp_peer *p, const uint8_t *quote,
    const struct icmp_socket_packet *in, struct icmp_event *out)
{
	out->err_no = in->err_no;
	out->mtu = in->mtu;
	out->local = in->local;
	if (in->local || in->err_no == 0)
		out->kind = ICMP_EVENT_OTHER;
	else if (icmp_packet_parse_quote(p->family, quote, in->len, &out->echo) ||
		 (p->raw && out->echo.id != p->id) ||
		 (out->echo.payload >= ICMP_COOKIE && out->echo.cookie != p->cookie))
		out->kind = ICMP_EVENT_FORGED;
	else
		out->kind = ICMP_EVENT_ERROR;
}

bool icmp_peer_next(const struct icmp_peer *p, struct icmp_event *out)
{
	uint8_t bytes[REPLY_MAX];
	struct icmp_socket_packet in;

	*out = (struct icmp_event){ 0 };
	if (icmp_socket_receive(p->fd, bytes, sizeof(bytes), &in))
		read_reply(p, bytes, &in, out);
	else if (icmp_socket_error(p->fd, bytes, sizeof(bytes), &in))
		read_error(p, bytes, &in, out);
	else
		return false;
	return true;
}

uint32_t icmp_peer_interface_mtu(const struct icmp_peer *p)
{
	uint8_t quote[REPLY_MAX];
	struct icmp_socket_packet in;
	uint32_t mtu = 0;

	while (icmp_socket_error(p->fd, quote, sizeof(quote), &in)) {
		if (in.local && in.mtu)
			mtu = in.mtu;
	}
	return mtu;
}

const char *icmp_peer_status(int err_no)
{
	switch (err_no) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case ECONNREFUSED:
	case EADDRNOTAVAIL:
		return "unreachable";
	case EPERM:
	case EACCES:
		return "denied";
	case EMSGSIZE:
		return "too-large";
	default:
		return "error";
	}
}
