/* Ready-made channels: webhooks whose address, headers and template are ours, so that a
 * file names only a token and a receiver; and the templates of e-mail. Const tables. */
#ifndef HT_SERVER_ALERT_PRESET_H
#define HT_SERVER_ALERT_PRESET_H

#include <stdbool.h>
#include <stddef.h>

struct preset {
	const char *kind, *help;
	const char *url;    /* "%s" stands for the token; NULL: the file must give one */
	const char *header; /* that carries the token, after `prefix`; NULL: none does */
	const char *prefix;
	const char *content_type, *body;
	const char *params[4];                 /* that the file must give */
	const char *reply_field, *reply_value; /* what the answer must say */
	bool can_edit;
};
extern const struct preset presets[];
extern const size_t presets_len;
const struct preset *preset_find(const char *kind); /* NULL: none */

extern const char preset_subject[], preset_text[], preset_html[], preset_json[];

#endif
