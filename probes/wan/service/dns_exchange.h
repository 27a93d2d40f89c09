/* One question to one DNS server on the loop: UDP, sent again when nothing comes, then
 * TCP when the answer is cut (RFC 7766). Each question has a new socket, hence a new
 * random port, and a new random id; the socket is connected, so that the kernel drops
 * what other addresses send; and what does not repeat id and question is passed over and
 * counted (RFC 5452). One question at a time.
 *
 * Life: dns_exchange_init, dns_exchange_ask any number of times, dns_exchange_close. */
#ifndef HT_PROBES_WAN_DNS_EXCHANGE_H
#define HT_PROBES_WAN_DNS_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#include "base/err.h"
#include "probes/wan/service/dns_wire.h"

enum dns_end {
	DNS_ANSWERED,
	DNS_TIMEOUT,
	DNS_REFUSED, /* nobody listens there */
	DNS_UNREACHABLE,
	DNS_DENIED,
	DNS_TOO_LARGE, /* by TCP, more than DNS_ANSWER_MAX */
	DNS_CLOSED,    /* TCP was closed before the answer was whole */
	DNS_ERROR,
};

struct dns_exchanged {
	enum dns_end end;
	const uint8_t *bytes; /* of the answer; borrowed until the callback returns */
	size_t len;
	int64_t time_ns; /* from the first question to the answer */
	bool tcp;        /* it was too large for UDP */
	unsigned strays; /* messages that answered another question, or none */
};
typedef void (*dns_exchange_done)(void *arg, const struct dns_exchanged *x);

struct dns_socket; /* a socket and the handle that watches it */

struct dns_exchange {
	uv_loop_t *loop;
	struct sockaddr_storage server;
	socklen_t server_len;
	uv_timer_t timer;
	struct dns_socket *socket;           /* NULL: nothing is asked */
	uint8_t query[2 + DNS_QUESTION_MAX]; /* after its length, as TCP wants it */
	size_t query_len, sent;              /* sent: bytes by TCP */
	int64_t asked_ns, until_ns, again_ns;
	uint8_t *answer; /* DNS_ANSWER_MAX bytes after the length */
	size_t got;
	unsigned strays;
	bool tcp;
	dns_exchange_done done;
	void *arg;
	size_t open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* HT_NOMEM. `e` must stay until it is closed. */
HT_MUST_CHECK ht_err dns_exchange_init(struct dns_exchange *e, uv_loop_t *loop,
    const struct sockaddr_storage *server, socklen_t server_len);

/* `query` is copied; its id is replaced. Sent up to `tries` times in `wait_ns`. `done`
 * comes once, from the loop or, for what fails at once, from inside; it may ask again.
 * HT_AGAIN: no random numbers yet; HT_INVALID: one is under way. */
HT_MUST_CHECK ht_err dns_exchange_ask(struct dns_exchange *e, const uint8_t *query,
    size_t len, int64_t wait_ns, int tries, dns_exchange_done done, void *arg);

/* Ends what is under way, without `done`. */
void dns_exchange_close(struct dns_exchange *e, void (*closed)(void *arg), void *arg);

/* The end as a probe's status: "timeout", "refused" … */
const char *dns_end_name(enum dns_end end);

#endif
