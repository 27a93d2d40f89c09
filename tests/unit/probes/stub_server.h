/* A TCP server for one test, on a thread of its own, that behaves as badly as it is told
 * to: one connection at a time, given to `serve` as a blocking descriptor. */
#ifndef HT_TESTS_UNIT_PROBES_STUB_SERVER_H
#define HT_TESTS_UNIT_PROBES_STUB_SERVER_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stub;

/* One connection; the stub closes it afterwards. */
typedef void (*stub_serve)(struct stub *s, int fd, void *arg);

/* Listens on a free port of `address` ("127.0.0.1"). `tls` may be NULL; it is borrowed,
 * and the handshake is made before `serve` (a failed one serves nothing). */
struct stub *stub_start(const char *address, SSL_CTX *tls, stub_serve serve, void *arg);
void stub_free(struct stub *s);

uint16_t stub_port(const struct stub *s);
unsigned stub_served(const struct stub *s); /* connections that were accepted */

/* For `serve`: over TLS or bare. */
bool stub_send(struct stub *s, const void *bytes, size_t len);
bool stub_say(struct stub *s, const char *text);
/* Reads until an empty line or `cap`-1 bytes; what came, NUL-terminated. */
size_t stub_request(struct stub *s, char *out, size_t cap);
/* Holds the line, saying nothing, until the other side closes it or the stub ends. */
void stub_hold(struct stub *s);
/* Waits `ms`; false when the other side has gone meanwhile or the stub ends. */
bool stub_wait(struct stub *s, int ms);
/* Close so that the other side sees a reset. */
void stub_reset(struct stub *s);

#endif
