/* One capture on one interface: adopts the descriptor that the privileged monitor
 * opened, lets the kernel drop all but what the filter asks for, and hands parsed frames
 * to its owner from the loop. libpcap compiles the filter and is seen by wire.c alone;
 * it cannot adopt a descriptor (docs/decisions/0010-capture.md).
 *
 * Life: caller's storage, which must stay until the callback of wire_close. */
#ifndef HT_PROBES_LAN_WIRE_H
#define HT_PROBES_LAN_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/addr.h"
#include "base/err.h"
#include "probes/lan/frame.h"

struct wire {
	uv_poll_t poll;
	int fd;
	bool open;
	struct ht_mac mac;          /* the interface's own */
	uint64_t frames, malformed; /* since wire_open; own frames are not counted */
	void (*seen)(void *arg, const struct frame *frame);
	void (*gone)(void *arg);
	void (*closed)(void *arg);
	void *arg;
};

/* Begin to listen. Takes `fd`, also on failure. `seen` is called for each frame from
 * others that parses, `gone` at most once, when the interface went down or away; nothing
 * is read after it. `filter` is in libpcap's language.
 *   errors  HT_UNSUPPORTED (the interface does not speak Ethernet), HT_INVALID (filter),
 *           HT_IO; then wire_close is not needed */
HT_MUST_CHECK ht_err wire_open(struct wire *w, uv_loop_t *loop, int fd,
    const char *filter, void (*seen)(void *arg, const struct frame *frame),
    void (*gone)(void *arg), void *arg);

/* HT_AGAIN when the interface's queue is full. */
HT_MUST_CHECK ht_err wire_send(struct wire *w, const uint8_t *frame, size_t len);

/* Frames that the kernel dropped before us, since the last call. */
uint64_t wire_dropped(struct wire *w);

/* Stop; `closed(arg)` comes from the loop. Only after a wire_open that succeeded. */
void wire_close(struct wire *w, void (*closed)(void *arg));

#endif
