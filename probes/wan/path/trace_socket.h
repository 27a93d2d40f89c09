/* The sockets of one traceroute. Answers come from the loop. One flow for every method:
 *   icmp  echo requests on the monitor's ICMP socket; the sequence number, which every
 *         router quotes, says which packet an answer is about
 *   udp   datagrams from one port to one port, one at a time (a router that quotes no
 *         payload does not say which one it is about); needs no rights
 *   tcp   connect() from one port to one port, one at a time; needs no rights. Nothing is
 *         sent on a connection that comes about: it is reset. */
#ifndef HT_PROBES_WAN_TRACE_SOCKET_H
#define HT_PROBES_WAN_TRACE_SOCKET_H

#include <sys/socket.h>
#include <uv.h>

#include "probes/wan/path/trace.h"
#include "probes/wan/path/trace_packet.h"

enum trace_method { TRACE_ICMP, TRACE_UDP, TRACE_TCP };

struct trace_events {
	void *arg;
	void (*answer)(void *arg, const struct trace_answer *a);
	void (*forged)(void *arg); /* it does not carry our secret */
	void (*turn)(void *arg);   /* all that has arrived was told */
};

struct trace_tcp_try;

struct trace_socket {
	uv_loop_t *loop;
	enum trace_method method;
	enum icmp_family family;
	struct sockaddr_storage to, self; /* self: our address and port */
	socklen_t len;                    /* of both */
	struct ht_addr target, source;    /* the same, as addresses */
	struct trace_secret secret;
	struct trace_events events;
	int fd; /* datagrams; of tcp: holds the port */
	bool raw, polling;
	uv_poll_t poll;
	struct trace_tcp_try *tcp; /* the one under way */
	size_t n_open;             /* handles that libuv must still close */
	bool closing;
	void (*closed)(void *arg);
};

/* `to` has its port. For icmp `fd` is the monitor's socket, taken, also on failure; else
 * -1. On failure errno tells, and trace_socket_close is still to be called. */
HT_MUST_CHECK ht_err trace_socket_open_take(struct trace_socket *s, uv_loop_t *loop,
    enum trace_method method, const struct sockaddr *to, int fd, bool raw,
    const struct trace_events *events);

/* Send one packet. 0, or why not (errno). Answers never come from inside. */
int trace_socket_send(struct trace_socket *s, const struct trace_probe *p);

/* Tell what has arrived by now, but call no `turn`. */
void trace_socket_drain(struct trace_socket *s);

/* Once; no event comes any more; closed(events.arg) comes from the loop, or at once. */
void trace_socket_close(struct trace_socket *s, void (*closed)(void *arg));

/* ---- for trace_tcp.c and trace_socket.c alone ---- */

/* Tell an ICMP error about packet `no`. */
void trace_socket_report(struct trace_socket *s, uint16_t no, const struct ht_addr *from,
    uint8_t type, uint8_t code, int64_t at_ns);
/* The target itself answered. */
void trace_socket_arrived(struct trace_socket *s, uint16_t no, int64_t at_ns);
void trace_socket_handle_closed(struct trace_socket *s);

int trace_tcp_hold_port(struct trace_socket *s); /* 0 or errno */
int trace_tcp_send(struct trace_socket *s, const struct trace_probe *p);
void trace_tcp_drain(struct trace_socket *s);
void trace_tcp_drop(struct trace_socket *s); /* the one under way, if any */

#endif
