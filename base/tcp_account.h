/* The kernel's account of a TCP connection (TCP_INFO, tcp(7); RFC 4898 has the names). */
#ifndef HT_BASE_TCP_ACCOUNT_H
#define HT_BASE_TCP_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

struct ht_tcp_account {
	uint64_t received, acked; /* bytes of payload, TLS records included: come in
				   * order, and known to have arrived over there */
	double rtt_s;             /* the least seen; 0: none yet */
};

/* False when fd is no connection. */
bool ht_tcp_account_read(int fd, struct ht_tcp_account *out);

#endif
