#include "probes/lan/wire.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if_arp.h>
#include <pcap/pcap.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WIRE_FRAME_MAX 2048 /* bytes looked at of one frame */
#define WIRE_TURN_MAX  64   /* frames in one turn of the loop */

/* libpcap's instructions are the kernel's, field by field. */
static ht_err attach(int fd, const char *filter)
{
	struct sock_filter code[256];
	struct bpf_program program;
	pcap_t *dead = pcap_open_dead(DLT_EN10MB, WIRE_FRAME_MAX);
	ht_err err = HT_OK;

	if (!dead)
		return HT_NOMEM;
	if (pcap_compile(dead, &program, filter, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		pcap_close(dead);
		return HT_INVALID;
	}
	if (program.bf_len > HT_COUNT(code))
		err = HT_TOOLARGE;
	for (unsigned i = 0; !err && i < program.bf_len; i++) {
		const struct bpf_insn *in = &program.bf_insns[i];

		code[i] = (struct sock_filter){ in->code, in->jt, in->jf, in->k };
	}
	struct sock_fprog prog = { .len = (unsigned short)program.bf_len,
		.filter = code };
	if (!err &&
	    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) != 0)
		err = HT_IO;
	pcap_freecode(&program);
	pcap_close(dead);
	return err;
}

static ht_err identify(int fd, struct ht_mac *out)
{
	struct sockaddr_ll ll = { 0 };
	socklen_t len = sizeof(ll);

	if (getsockname(fd, (struct sockaddr *)&ll, &len) != 0)
		return HT_IO;
	if (ll.sll_hatype != ARPHRD_ETHER || ll.sll_halen != sizeof(out->b))
		return HT_UNSUPPORTED;
	memcpy(out->b, ll.sll_addr, sizeof(out->b));
	return HT_OK;
}

static void lost(struct wire *w)
{
	uv_poll_stop(&w->poll);
	if (w->gone)
		w->gone(w->arg);
}

static void take(struct wire *w, const uint8_t *bytes, size_t len)
{
	struct frame frame;

	w->frames++;
	ht_err err = frame_parse(bytes, len, &frame);
	if (err)
		w->malformed++;
	else if (frame.kind != FRAME_OTHER)
		w->seen(w->arg, &frame);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct wire *w = poll->data;
	uint8_t bytes[WIRE_FRAME_MAX];

	for (int i = 0; status == 0 && i < WIRE_TURN_MAX; i++) {
		struct sockaddr_ll from = { 0 };
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT,
		    (struct sockaddr *)&from, &from_len);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0) {
			lost(w);
			return;
		}
		if (from.sll_pkttype != PACKET_OUTGOING)
			take(w, bytes, (size_t)n);
		if (!w->open || !uv_is_active((uv_handle_t *)&w->poll))
			return; /* the owner ended us from its callback */
	}
	if (status != 0)
		lost(w);
}

ht_err wire_open(struct wire *w, uv_loop_t *loop, int fd, const char *filter,
    void (*seen)(void *arg, const struct frame *frame), void (*gone)(void *arg),
    void *arg)
{
	ht_err err;

	memset(w, 0, sizeof(*w));
	w->fd = fd;
	w->seen = seen;
	w->gone = gone;
	w->arg = arg;
	err = identify(fd, &w->mac);
	if (!err)
		err = attach(fd, filter);
	if (!err && uv_poll_init(loop, &w->poll, fd) != 0)
		err = HT_IO;
	if (err) {
		close(fd);
		return err;
	}
	w->open = true;
	w->poll.data = w;
	wire_dropped(w); /* from here on */
	uv_poll_start(&w->poll, UV_READABLE, on_readable);
	return HT_OK;
}

ht_err wire_send(struct wire *w, const uint8_t *frame, size_t len)
{
	ssize_t n = send(w->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n == (ssize_t)len)
		return HT_OK;
	return errno == EAGAIN || errno == ENOBUFS || errno == EINTR ? HT_AGAIN : HT_IO;
}

uint64_t wire_dropped(struct wire *w)
{
	struct tpacket_stats stats = { 0 };
	socklen_t len = sizeof(stats);

	if (getsockopt(w->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) != 0)
		return 0;
	return stats.tp_drops;
}

static void on_closed(uv_handle_t *handle)
{
	struct wire *w = handle->data;

	close(w->fd);
	w->closed(w->arg);
}

void wire_close(struct wire *w, void (*closed)(void *arg))
{
	w->open = false;
	w->closed = closed;
	uv_close((uv_handle_t *)&w->poll, on_closed);
}
