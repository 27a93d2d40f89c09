#include "unit/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/alert/channel.h"

static struct ht_fault fault;

static const struct channels *parse(const char *text, unsigned mode)
{
	const struct channels *c = NULL;

	fault = (struct ht_fault){ 0 };
	ht_err err = channels_parse("c.yaml", mode, text, strlen(text), &c, &fault);
	assert_true(err == HT_OK || err == HT_CONFIG);
	return c;
}

static void whole(void **state)
{
	const struct channels *c = parse(
	    "public_url: https://h.vn/\nchannels:\n"
	    "  - { id: m, kind: email, server: mail.vn, from: a@b.vn, to: [x@y.vn, "
	    "z@y.vn],\n"
	    "      user: u, password: s3cret, digest: 30s, per_minute: 5 }\n"
	    "  - { id: t, kind: telegram, token: 'abc', params: { chat: '-1' } }\n"
	    "  - { id: w, kind: webhook, url: 'https://h.vn/x', can_edit: yes,\n"
	    "      content_type: application/json, body: '{\"t\":\"{{title_vi}}\"}' }\n"
	    "  - { id: a, kind: alertmanager, url: 'http://127.0.0.1:1/' }\n"
	    "  - { id: q, kind: mqtt, topic: hatang/alerts }\n"
	    "  - { id: c, kind: command, command: [/bin/true, -x] }\n"
	    "heartbeat: { url: 'https://hc.vn/uuid', every: 30s }\n"
	    "peers: [ { id: p, url: 'https://h2.vn/readyz' } ]\n",
	    0600);

	if (!c)
		fail_msg("%s", fault.text);
	assert_int_equal(c->n, 6);
	assert_string_equal(c->public_url, "https://h.vn");
	const struct channel *m = channels_find(c, "m");
	assert_int_equal(m->port, 587);
	assert_int_equal(m->tls, CHANNEL_STARTTLS);
	assert_int_equal(m->to.n, 2);
	assert_int_equal(m->digest_ms, 30000);
	assert_int_equal(m->per_minute, 5);
	assert_false(m->can_edit);
	assert_true(channels_find(c, "w")->can_edit);
	assert_true(channels_find(c, "a")->can_edit);
	assert_false(channels_find(c, "t")->can_edit);
	assert_string_equal(channels_find(c, "c")->command.at[1], "-x");
	assert_null(channels_find(c, "c")->command.at[2]);
	assert_int_equal(c->heartbeat.every_ms, 30000);
	assert_int_equal(c->n_peers, 1);
	assert_null(channels_find(c, "nobody"));
	const struct channels *held = channels_hold(c);
	channels_release(c);
	assert_string_equal(held->at[0].id, "m");
	channels_release(held);
}

#define M                                                                          \
	"channels:\n  - { id: m, kind: email, server: mail.vn, from: a@b.vn, to: " \
	"[x@y.vn]"

/* Every mistake names its place and its cure. */
static void mistakes(void **state)
{
	static const struct {
		const char *text;
		unsigned mode;
		const char *want;
	} cases[] = {
		{ "channels: [ { id: x, kind: pigeon } ]", 0600,
		    "c.yaml:1:28: there is no kind `pigeon`" },
		{ "channels: [ { id: x, kind: mqtt, topik: a } ]", 0600, "c.yaml:1:34:" },
		{ "channels: [ { id: x, kind: mqtt, topic: other/a } ]", 0600,
		    "c.yaml:1:41: the server may publish under hatang/" },
		{ "channels: [ { id: x, kind: mqtt, topic: 'hatang/#' } ]", 0600,
		    "c.yaml:1:41:" },
		{ "channels: [ { id: x, kind: mqtt }, { id: x, kind: mqtt } ]", 0600,
		    "c.yaml:1:42: there are two channels `x`" },
		{ "channels: [ { id: x/y, kind: mqtt } ]", 0600,
		    "c.yaml:1:19: `x/y` is no id" },
		{ M ", tls: none }\n", 0600,
		    "c.yaml:2:77: mail beyond this machine needs TLS" },
		{ M ", user: u }\n", 0600,
		    "c.yaml:2:5: `user` and `password` go together" },
		{ M ", user: u, password: p }\n", 0644,
		    "c.yaml:2:91: a secret in a file that others may read" },
		{ M ", user: u, password: { file: /nowhere/x } }\n", 0644,
		    "c.yaml:2:99: /nowhere/x: No such file" },
		{ "channels: [ { id: m, kind: email, server: a, from: 'x', to: [y@z] } ]",
		    0600, "c.yaml:1:52: an e-mail channel needs `from`" },
		{ "channels: [ { id: m, kind: email, server: a, from: x@y, to: "
		  "['a@b\\nBcc: c@d'] } ]",
		    0600, "c.yaml:1:61: number 1 is no address" },
		{ "channels: [ { id: m, kind: email, server: a, from: x@y, to: ['a@b> "
		  "c'] } ]",
		    0600, "c.yaml:1:61: number 1 is no address" },
		{ "channels: [ { id: w, kind: webhook } ]", 0600,
		    "c.yaml:1:13: a webhook needs `url`" },
		{ "channels: [ { id: w, kind: webhook, url: 'ftp://x' } ]", 0600,
		    "c.yaml:1:42: this is no URL" },
		{ "channels: [ { id: w, kind: webhook, url: 'http://h.vn/' } ]", 0600,
		    "c.yaml:1:42: http:// can be read" },
		{ "channels: [ { id: w, kind: webhook, url: 'http://127.0.0.1.h.vn/' } ]",
		    0600, "c.yaml:1:42: http:// can be read" },
		{ "channels: [ { id: w, kind: webhook, url: 'http://localhost@h.vn/' } ]",
		    0600, "c.yaml:1:42: http:// can be read" },
		{ "channels: [ { id: w, kind: webhook, url: 'https://x', body: "
		  "'{{titel}}' } ]",
		    0600, "c.yaml:1:61: template line 1, column 1: there is no field" },
		{ "channels: [ { id: w, kind: webhook, url: 'https://x', body: "
		  "'{\"a\":{{title_vi}}}' } ]",
		    0600, "c.yaml:1:61: the template does not become JSON" },
		{ "channels: [ { id: t, kind: telegram, params: { chat: a } } ]", 0600,
		    "c.yaml:1:13: kind telegram needs `token`" },
		{ "channels: [ { id: t, kind: telegram, token: x } ]", 0600,
		    "c.yaml:1:13: kind telegram needs `chat`" },
		{ "channels: [ { id: c, kind: command, command: [tell] } ]", 0600,
		    "c.yaml:1:46: a command is a list that begins with a whole path" },
		{ "channels: [ { id: c, kind: command, command: [/nowhere/x] } ]", 0600,
		    "c.yaml:1:46: /nowhere/x cannot be run" },
		{ "channels :\n-", 0600, "c.yaml:2:2: an entry is empty" },
		{ "public_url: 'hatang.vn'\n", 0600, "c.yaml:1:13: this is no URL" },
		{ "heartbeat: { url: 'http://h.vn/' }\n", 0600,
		    "c.yaml:1:19: http:// can be" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		const struct channels *c = parse(cases[i].text, cases[i].mode);

		if (c || strncmp(fault.text, cases[i].want, strlen(cases[i].want)) != 0)
			fail_msg("%s\n  says %s\n  not  %s", cases[i].text, fault.text,
			    cases[i].want);
		assert_null(strstr(fault.text, "s3cret"));
	}
}

static void secrets(void **state)
{
	char file[] = "/tmp/hatang-secret-XXXXXX", out[SECRET_MAX];
	int fd = mkstemp(file);
	struct secret s = { .file = file };

	assert_true(fd >= 0 && write(fd, " tok\n", 5) == 5);
	assert_ok(secret_read(&s, out, NULL));
	assert_string_equal(out, "tok");
	assert_int_equal(fchmod(fd, 0640), 0);
	assert_int_equal(secret_read(&s, out, &fault), HT_DENIED);
	assert_non_null(strstr(fault.text, "chmod 600"));
	assert_int_equal(fchmod(fd, 0600), 0);
	assert_true(write(fd, "two\n", 4) == 4);
	assert_int_equal(
	    secret_read(&s, out, &fault), HT_CONFIG); /* no header by a secret */
	close(fd);
	unlink(file);
}

/* A credential is not known when the file is read: what it holds is judged at its use. */
static void addresses(void **state)
{
	char out[SECRET_MAX];
	struct {
		const char *url;
		bool plain, good;
	} cases[] = {
		{ "https://h.vn/a", false, true },
		{ "http://127.0.0.1:1/a", false, true },
		{ "http://[::1]:1/a", false, true },
		{ "http://h.vn/a", false, false },
		{ "http://h.vn/a", true, true },
		{ "HTTP://h.vn/a", false, false },
		{ "smtp://h.vn/a", true, false },
		{ "file:///etc/passwd", true, false },
		{ "h.vn", true, false },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		char *url = strdup(cases[i].url);
		struct secret s = { .value = url };
		ht_err err = secret_url(&s, cases[i].plain, out, &fault);

		if (err != (cases[i].good ? HT_OK : HT_CONFIG))
			fail_msg("%s: %s", url, ht_err_name(err));
		free(url);
	}
}

/* Error pages quote what was asked for, and what was asked for is the secret. */
static void shown(void **state)
{
	char url[] = "https://hooks.vn/services/T0AB/B01/Xy7Zk2Qp?key=q9w8e7r6";
	char token[] = "s3cret";
	struct secret u = { .value = url }, t = { .value = token }, none = { 0 };

	assert_true(secret_shows(&u, true, url));
	assert_true(secret_shows(&u, true, "Cannot POST /services/T0AB/B01/Xy7Zk2Qp"));
	assert_true(secret_shows(&u, true, "no such hook: Xy7Zk2Qp"));
	assert_true(secret_shows(&u, true, "key q9w8e7r6 is wrong"));
	assert_false(secret_shows(&u, true, "hooks.vn: no such hook"));
	assert_false(secret_shows(&u, false, "no such hook: Xy7Zk2Qp"));
	assert_true(secret_shows(&t, false, "got Bearer s3cret"));
	assert_false(secret_shows(&t, false, "unauthorized"));
	assert_true(secret_shows(&none, false, "unauthorized")); /* cannot be known */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(secrets),
		cmocka_unit_test(addresses),
		cmocka_unit_test(shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
