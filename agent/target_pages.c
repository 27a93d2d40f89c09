#include "agent/target_pages.h"

#include <string.h>

#include "base/targets.h"

void target_pages_init(struct target_pages *p)
{
	*p = (struct target_pages){ 0 };
	ht_buf_init(&p->text, HT_TARGETS_BYTES_MAX);
}

void target_pages_drop(struct target_pages *p)
{
	ht_buf_fini(&p->text);
	target_pages_init(p);
}

void target_pages_fini(struct target_pages *p)
{
	ht_buf_fini(&p->text);
}

ht_err target_pages_take(
    struct target_pages *p, const struct control_cmd *c, int64_t *out_next)
{
	if (strcmp(p->hash, c->hash) != 0 || p->pages != c->pages) {
		target_pages_drop(p);
		memcpy(p->hash, c->hash, sizeof(p->hash));
		p->pages = c->pages;
	}
	if (c->page == p->next) {
		ht_buf_puts(&p->text, c->text);
		p->next++;
	}
	ht_err err = ht_buf_err(&p->text);
	if (err)
		target_pages_drop(p);
	else
		*out_next = p->next;
	return err;
}
