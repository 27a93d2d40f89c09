#include "server/alert/scripted.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/name.h"

#define RECORDS_MAX (4 * (HT_INSTANCE_MAX + 60)) /* of one link, at most */

/* A pack while it is written: sent when it is full. */
struct pack {
	const struct scripted *v;
	int64_t now_ms;
	scripted_say say;
	void *arg;
	size_t len, n;
	char text[SCRIPTED_PACK_MAX];
};

static HT_PRINTF(2, 3) void add(struct pack *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int n = vsnprintf(p->text + p->len, sizeof(p->text) - p->len, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < sizeof(p->text) - p->len)
		p->len += (size_t)n;
}

static void begin(struct pack *p)
{
	p->len = p->n = 0;
	add(p, "[{\"bn\":\"%s/\",\"bt\":%" PRId64 ".%03d}", p->v->agent, p->now_ms / 1000,
	    (int)(p->now_ms % 1000));
}

static ht_err flush(struct pack *p)
{
	if (!p->n)
		return HT_OK;
	add(p, "]");
	ht_err err = p->say(p->arg, p->v->agent, "data", p->text, p->len);

	begin(p);
	return err;
}

static bool is_full(const struct pack *p)
{
	return p->len + RECORDS_MAX > sizeof(p->text);
}

ht_err scripted_reach(struct scripted *v, const struct scripted_link *links, size_t n,
    bool down, double lost_s, double answered_s, int64_t now_ms, scripted_say say,
    void *arg)
{
	struct pack p = { .v = v, .now_ms = now_ms, .say = say, .arg = arg };
	ht_err err = HT_OK;

	begin(&p);
	for (size_t i = 0; i < n && !err; i++) {
		const char *id = links[i].id;

		v->states[links[i].at] = down ? SCRIPTED_DOWN : SCRIPTED_UP;
		p.n++;
		add(&p, ",{\"n\":\"reach/%s/state\",\"vs\":\"%s\"}", id,
		    down ? "down" : "up");
		if (down)
			add(&p,
			    ",{\"n\":\"reach/%s/unanswered-for\",\"u\":\"s\",\"v\":%.3f}",
			    id, lost_s);
		add(&p, ",{\"n\":\"reach/%s/answered-ago\",\"u\":\"s\",\"v\":%.3f}", id,
		    down ? answered_s : 0.0);
		if (is_full(&p))
			err = flush(&p);
	}
	return err ? err : flush(&p);
}

ht_err scripted_minute(struct scripted *v, const struct scripted_link *links, size_t n,
    int64_t now_ms, scripted_say say, void *arg)
{
	struct pack p = { .v = v, .now_ms = now_ms, .say = say, .arg = arg };
	ht_err err = HT_OK;

	begin(&p);
	for (size_t i = 0; i < n && !err; i++) {
		uint8_t state = v->states[links[i].at];

		if (state == SCRIPTED_UNSEEN)
			continue;
		p.n++;
		add(&p,
		    ",{\"n\":\"reach/%s/sent\",\"u\":\"count\",\"v\":60}"
		    ",{\"n\":\"reach/%s/received\",\"u\":\"count\",\"v\":%d}",
		    links[i].id, links[i].id,
		    v->blind || state == SCRIPTED_DOWN ? 0 : 60);
		if (is_full(&p))
			err = flush(&p);
	}
	return err ? err : flush(&p);
}

ht_err scripted_blind(
    struct scripted *v, bool blind, int64_t now_ms, scripted_say say, void *arg)
{
	struct pack p = { .v = v, .now_ms = now_ms, .say = say, .arg = arg };

	v->blind = blind;
	begin(&p);
	p.n++;
	add(&p, ",{\"n\":\"reach/core/blind\",\"vb\":%s}", blind ? "true" : "false");
	add(&p, ",{\"n\":\"reach/core/blind-reason\",\"vs\":\"%s\"}",
	    blind ? "none of its own targets answers" : "");
	return flush(&p);
}

ht_err scripted_presence(
    struct scripted *v, const char *state, int64_t now_ms, scripted_say say, void *arg)
{
	char text[700];

	v->sessions += strcmp(state, "online") == 0;
	int n = snprintf(text, sizeof(text),
	    "{\"state\":\"%s\",\"session\":\"%016x\","
	    "\"boot\":\"11111111-2222-3333-4444-555555555555\",\"mono\":1000.5,"
	    "\"wall\":%" PRId64 ".0,\"synchronised\":true,\"fingerprint\":\"%064d\","
	    "\"version\":\"0.1.0\",\"epoch\":\"00112233445566bb\",\"config\":\"\"}",
	    state, v->sessions, now_ms / 1000, 0);
	return say(arg, v->agent, "presence", text, (size_t)n);
}
