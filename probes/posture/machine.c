#include "probes/posture/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"

#define LINE_MAX_BYTES 1024
#define CLIENT_PORTS   32768 /* Linux hands these out */

/* The next line, copied and cut at `cap`; false at the end. */
static bool next_line(const char **at, const char *end, char *out, size_t cap)
{
	if (*at >= end)
		return false;
	const char *nl = memchr(*at, '\n', (size_t)(end - *at));
	size_t len = (size_t)((nl ? nl : end) - *at);
	size_t kept = len < cap ? len : cap - 1;

	memcpy(out, *at, kept);
	out[kept] = '\0';
	*at = nl ? nl + 1 : end;
	return true;
}

/* What leaves us is printable ASCII. */
static void clean(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
			*text = '?';
	}
}

/* ---- listening sockets ----------------------------------------------------------- */

static bool loopback(const char *address)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t one[16] = { [15] = 1 };
	struct ht_addr a;

	if (ht_addr_parse(address, &a) != HT_OK)
		return false;
	if (a.family == AF_INET)
		return a.bytes[0] == 127;
	return memcmp(a.bytes, one, 16) == 0 ||
	       (memcmp(a.bytes, mapped, 12) == 0 && a.bytes[12] == 127);
}

static void listener_add(struct machine_listeners *l, const struct machine_listener *add)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->at[i].udp == add->udp && l->at[i].port == add->port)
			return;
	}
	if (l->n == MACHINE_LISTENERS_MAX)
		l->refused++;
	else
		l->at[l->n++] = *add;
}

void machine_listeners_parse(const char *text, size_t len, struct machine_listeners *out)
{
	const char *end = text + len;
	char line[LINE_MAX_BYTES];

	*out = (struct machine_listeners){ .n = 0 };
	while (next_line(&text, end, line, sizeof(line))) {
		char protocol[5], address[64];
		struct machine_listener l = { .name = "-" };
		uint32_t port;

		if (sscanf(line, "%4s %63s %5" SCNu32 " %*u %*u %23s", protocol, address,
			&port, l.name) < 3)
			continue;
		l.udp = strncmp(protocol, "udp", 3) == 0;
		if ((!l.udp && strncmp(protocol, "tcp", 3) != 0) || port == 0 ||
		    port > 65535)
			continue;
		l.port = (uint16_t)port;
		clean(l.name);
		if (!loopback(address) && (!l.udp || port < CLIENT_PORTS))
			listener_add(out, &l);
	}
}

void machine_listeners_describe(const struct machine_listeners *l, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < l->n; i++) {
		char one[64];
		int n = snprintf(one, sizeof(one), "%s%s %u %s", i ? ", " : "",
		    l->at[i].udp ? "udp" : "tcp", l->at[i].port, l->at[i].name);

		if (len + (size_t)n + 32 > cap) {
			snprintf(
			    out + len, cap - len, " and %zu more", l->n - i + l->refused);
			return;
		}
		memcpy(out + len, one, (size_t)n + 1);
		len += (size_t)n;
	}
}

/* ---- updates --------------------------------------------------------------------- */

void machine_updates_parse(const char *text, size_t len, struct machine_updates *out)
{
	const char *end = text + len;
	char line[LINE_MAX_BYTES];

	*out = (struct machine_updates){ .pending = 0 };
	/* Inst liblzma5 [5.4.1-1] (5.4.1-1+deb12u2 Debian-Security:12/oldstable-security
	 * [amd64]) */
	while (next_line(&text, end, line, sizeof(line))) {
		char name[64];

		if (sscanf(line, "Inst %63s", name) != 1)
			continue;
		out->pending++;
		const char *origin = strchr(line, '(');
		if (!origin || !strcasestr(origin, "security"))
			continue;
		clean(name);
		if (out->security++ == 0)
			memcpy(out->first, name, sizeof(name));
	}
}

/* ---- apt.conf -------------------------------------------------------------------- */

enum { SCOPE_MAX = 256, WORD_MAX_BYTES = 256 };

struct apt_reader {
	const char *at, *end;
	char word[WORD_MAX_BYTES]; /* the last word or string */
};

static bool apt_blank(struct apt_reader *r)
{
	size_t left = (size_t)(r->end - r->at);

	if (left >= 2 && memcmp(r->at, "/*", 2) == 0) {
		const char *close = memmem(r->at + 2, left - 2, "*/", 2);

		r->at = close ? close + 2 : r->end;
		return true;
	}
	if (*r->at == '#' || (left >= 2 && memcmp(r->at, "//", 2) == 0)) {
		const char *nl = memchr(r->at, '\n', left);

		r->at = nl ? nl + 1 : r->end;
		return true;
	}
	if (!strchr(" \t\r\n", *r->at))
		return false;
	r->at++;
	return true;
}

/* '{', '}', ';', 'w' for a word, 's' for a string, 0 at the end. */
static char apt_token(struct apt_reader *r)
{
	size_t n = 0;

	while (r->at < r->end && *r->at && apt_blank(r))
		;
	if (r->at >= r->end || !*r->at)
		return 0;
	if (strchr("{};", *r->at))
		return *r->at++;
	bool quoted = *r->at == '"';
	for (r->at += quoted; r->at < r->end; r->at++) {
		if (quoted ? *r->at == '"' : !*r->at || strchr(" \t\r\n{};\"", *r->at))
			break;
		if (n + 1 < sizeof(r->word))
			r->word[n++] = *r->at;
	}
	r->word[n] = '\0';
	if (quoted && r->at < r->end)
		r->at++;
	return quoted ? 's' : 'w';
}

/* The scope's text grows by a word; false when it would not fit. */
static bool scope_push(char *scope, const char *word)
{
	size_t len = strlen(scope), add = strlen(word);

	if (len + add + 3 > SCOPE_MAX)
		return false;
	memcpy(scope + len, "::", len ? 2 : 0);
	memcpy(scope + len + (len ? 2 : 0), word, add + 1);
	return true;
}

bool machine_apt_value(
    const char *text, size_t len, const char *name, char *out, size_t cap)
{
	struct apt_reader r = { .at = text, .end = text + len };
	char scope[SCOPE_MAX] = "";
	size_t opened[32], depth = 0, base = 0; /* where each open scope's text began */
	bool found = false;
	char token;

	while ((token = apt_token(&r)) != 0) {
		if (token == 'w' && !scope_push(scope, r.word))
			return found;
		if (token == 's' && strcasecmp(scope, name) == 0) {
			snprintf(out, cap, "%s", r.word);
			clean(out);
			found = true;
		}
		if (token == '{') {
			if (depth == HT_COUNT(opened))
				return found;
			opened[depth++] = base;
			base = strlen(scope);
		}
		if (token == '}' && depth > 0) {
			base = opened[--depth];
			scope[base] = '\0';
		}
		if (token == ';')
			scope[base] = '\0';
	}
	return found;
}

/* ---- os-release ------------------------------------------------------------------ */

bool machine_os_name(const char *text, size_t len, char *out, size_t cap)
{
	const char *end = text + len;
	char line[LINE_MAX_BYTES];

	while (next_line(&text, end, line, sizeof(line))) {
		char *value = line + strlen("PRETTY_NAME=");

		if (strncmp(line, "PRETTY_NAME=", strlen("PRETTY_NAME=")) != 0)
			continue;
		size_t n = strlen(value);
		if (n >= 2 && (value[0] == '"' || value[0] == '\'') &&
		    value[n - 1] == value[0]) {
			value[n - 1] = '\0';
			value++;
		}
		clean(value);
		snprintf(out, cap, "%s", value);
		return value[0] != '\0';
	}
	return false;
}
