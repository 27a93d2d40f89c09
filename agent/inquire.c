#include "agent/inquire.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static ht_err field_put(struct control_reply *r, const char *key, const char *value)
{
	if (r->n_fields == CONTROL_PAIRS_MAX || strlen(key) > CONTROL_WORD_MAX ||
	    strlen(value) > CONTROL_VALUE_MAX)
		return HT_INVALID;
	struct control_pair *p = &r->fields[r->n_fields++];
	memcpy(p->key, key, strlen(key) + 1);
	memcpy(p->value, value, strlen(value) + 1);
	return HT_OK;
}

static ht_err message(struct inquiries *q, const struct control_reply *r)
{
	struct ht_buf b;

	ht_buf_init(&b, CONTROL_MESSAGE_MAX);
	ht_err err = control_reply_encode(r, &b);
	if (!err)
		err = q->send(q->arg, ht_buf_text(&b), b.len);
	ht_buf_fini(&b);
	return err;
}

static struct inquiry *room(struct inquiries *q)
{
	for (size_t i = 0; i < INQUIRE_MAX; i++) {
		if (!q->at[i].id[0])
			return &q->at[i];
	}
	return NULL;
}

ht_err inquire(struct inquiries *q, const char *request, const struct probe_field *fields,
    size_t n, int64_t now_ns,
    void (*answer)(void *arg, const struct probe_answer *answer), void *arg)
{
	struct control_reply r = { .ok = true };
	struct inquiry *i = answer ? room(q) : NULL;
	uint64_t id;

	if (answer && !i)
		return HT_FULL;
	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		return HT_IO;
	snprintf(r.id, sizeof(r.id), "%016" PRIx64, id);
	ht_err err = field_put(&r, "request", request);
	for (size_t k = 0; !err && k < n; k++)
		err = field_put(&r, fields[k].key, fields[k].value);
	if (!err)
		err = message(q, &r);
	if (!err && i) {
		*i = (struct inquiry){
			.answer = answer, .arg = arg, .until_ns = now_ns + INQUIRE_WAIT_NS
		};
		memcpy(i->id, r.id, sizeof(i->id));
	}
	return err;
}

void inquire_forget(struct inquiries *q, void *arg)
{
	for (size_t i = 0; i < INQUIRE_MAX; i++) {
		if (q->at[i].arg == arg)
			q->at[i].id[0] = '\0';
	}
}

/* The place is free before the callback, which may ask anew. */
static void tell(struct inquiry *i, const struct probe_answer *a)
{
	struct inquiry told = *i;

	i->id[0] = '\0';
	told.answer(told.arg, a);
}

ht_err inquire_answered(struct inquiries *q, const struct control_cmd *c)
{
	struct probe_field fields[CONTROL_PAIRS_MAX];
	struct inquiry *i = NULL;

	for (size_t k = 0; k < INQUIRE_MAX; k++) {
		if (q->at[k].id[0] && strcmp(q->at[k].id, c->request) == 0)
			i = &q->at[k];
	}
	if (!i)
		return HT_NOTFOUND;
	for (size_t k = 0; k < c->n_set; k++)
		fields[k] = (struct probe_field){ c->set[k].key, c->set[k].value };
	tell(i, &(struct probe_answer){ .err = c->ok ? HT_OK : HT_DENIED,
		    .why = c->ok ? "" : c->error,
		    .fields = fields,
		    .n_fields = c->n_set });
	return HT_OK;
}

void inquire_tick(struct inquiries *q, int64_t now_ns)
{
	for (size_t i = 0; i < INQUIRE_MAX; i++) {
		if (q->at[i].id[0] && now_ns >= q->at[i].until_ns)
			tell(&q->at[i],
			    &(struct probe_answer){ .err = HT_TIMEOUT, .why = "" });
	}
}
