/* Small texts that tell of this machine: its listening sockets, its pending updates, its
 * apt configuration, its os-release. Pure, bounded parsers; lines of another form are
 * passed over. */
#ifndef HT_PROBES_POSTURE_MACHINE_H
#define HT_PROBES_POSTURE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define MACHINE_LISTENERS_MAX 256

struct machine_listener {
	bool udp;
	uint16_t port;
	char name[24]; /* the process, "-" when it cannot be seen */
};

struct machine_listeners {
	struct machine_listener
	    at[MACHINE_LISTENERS_MAX]; /* distinct protocol and port */
	size_t n;
	size_t refused;
};

/* Sockets that others can reach, from the text of PROBE_LISTENERS: not those on loopback
 * addresses, and no UDP socket on a port that systems hand to clients (32768 and up). */
void machine_listeners_parse(const char *text, size_t len, struct machine_listeners *out);

/* "tcp 22 sshd, udp 161 snmpd", cut at `cap` with a count of the rest. */
void machine_listeners_describe(const struct machine_listeners *l, char *out, size_t cap);

struct machine_updates {
	size_t pending, security; /* packages that an upgrade would install */
	char first[64];           /* a security update by name, or "" */
};

/* From the text of `apt-get --simulate upgrade`. */
void machine_updates_parse(const char *text, size_t len, struct machine_updates *out);

/* Reads an apt.conf (both `A::B "1";` and `A { B "1"; };`) and writes the value of `name`
 * ("APT::Periodic::Unattended-Upgrade", any case) when it is set there: the last one
 * counts. False when it is not. */
bool machine_apt_value(
    const char *text, size_t len, const char *name, char *out, size_t cap);

/* PRETTY_NAME of an os-release without quotes; false when there is none. */
bool machine_os_name(const char *text, size_t len, char *out, size_t cap);

#endif
