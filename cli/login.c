/* hatang login: turn a password into an API token, kept in a file of mode 0600. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cli/verb.h"
#include "cli/verbs.h"

#define USAGE "login [--account NAME]"

/* From the terminal without echo, or one line of stdin. */
static bool read_password(char *out, size_t cap)
{
	struct termios was, quiet;
	bool tty = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &was) == 0;

	if (tty) {
		fputs("Password: ", stderr);
		quiet = was;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	bool ok = fgets(out, (int)cap, stdin) != NULL;
	if (tty) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
		fputc('\n', stderr);
	}
	out[ok ? strcspn(out, "\r\n") : 0] = '\0';
	return *out != '\0';
}

static ht_err store(const char *file, const char *token, struct ht_fault *fault)
{
	char dir[4096];

	snprintf(dir, sizeof(dir), "%s", file);
	for (char *slash = strchr(dir + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(dir, 0700) && errno != EEXIST)
			return ht_fault_set(fault, HT_IO, "%s: %s", dir, strerror(errno));
		*slash = '/';
	}
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return ht_fault_set(fault, HT_IO, "%s: %s", file, strerror(errno));
	bool ok = fchmod(fd, 0600) == 0 && dprintf(fd, "%s\n", token) > 0;
	ok = close(fd) == 0 && ok;
	return ok ? HT_OK : ht_fault_set(fault, HT_IO, "%s: %s", file, strerror(errno));
}

static ht_err exchange(const struct client_settings *s, const char *account,
    const char *password, struct ht_fault *fault)
{
	struct json_object *who = json_object_new_object(),
			   *what = json_object_new_object();
	struct client_answer session = { 0 }, token = { 0 };
	char host[128] = "?", label[192];
	struct client_request rq = {
		.method = "POST", .path = "/api/v1/session", .cookie = ""
	};

	json_object_object_add(who, "account", json_object_new_string(account));
	json_object_object_add(who, "password", json_object_new_string(password));
	rq.body = json_object_to_json_string(who);
	rq.len = strlen(rq.body);
	ht_err err = client_send(s, &rq, &session, fault);
	if (!err) {
		gethostname(host, sizeof(host) - 1);
		snprintf(label, sizeof(label), "hatang login on %s", host);
		json_object_object_add(what, "label", json_object_new_string(label));
		rq = (struct client_request){ .method = "POST",
			.path = "/api/v1/api-tokens",
			.cookie = session.cookie,
			.csrf = json_object_get_string(table_at(session.json, "csrf")),
			.body = json_object_to_json_string(what) };
		rq.len = strlen(rq.body);
		err = client_send(s, &rq, &token, fault);
	}
	if (!err)
		err = store(s->token_file,
		    json_object_get_string(table_at(token.json, "token")), fault);
	client_answer_fini(&session);
	client_answer_fini(&token);
	json_object_put(who);
	json_object_put(what);
	return err;
}

int login_main(int argc, char **argv)
{
	const char *account = "admin";
	const struct verb_option options[] = {
		{ "account", &account, NULL, "who you are, admin when left out" },
	};
	struct client_settings s = { 0 };
	struct ht_fault fault = { 0 };
	struct verb_args a;
	char password[512];
	int code;

	if (!verb_args(argc, argv, USAGE, options, HT_COUNT(options), &a, &code))
		return code;
	if (a.n_words)
		return verb_usage(USAGE);
	ht_err err = client_settings_load(&s, &fault);
	if (!err && !read_password(password, sizeof(password)))
		err = ht_fault_set(&fault, HT_INVALID, "no password was given");
	if (!err)
		err = exchange(&s, account, password, &fault);
	explicit_bzero(password, sizeof(password));
	if (!err)
		printf("logged in to %s as %s; the token is in %s\n", s.url, account,
		    s.token_file);
	client_settings_fini(&s);
	return err ? verb_fail(err, &fault) : HT_EXIT_OK;
}
