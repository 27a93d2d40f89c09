/* http and https addresses (RFC 3986, as libcurl reads them, so that both mean the same
 * host). Pure: text in, parts out. A name with letters
 * beyond ASCII is refused: its ACE form ("xn--…", RFC 5890) is wanted, because how curl
 * would make that depends on the locale. */
#ifndef HT_PROBES_WAN_URL_H
#define HT_PROBES_WAN_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define URL_MAX 2048 /* bytes of a URL */

struct url {
	char text[URL_MAX + 1];  /* to ask for: no user, password, fragment */
	char shown[URL_MAX + 1]; /* to tell: no query either */
	char host[254];          /* lower case; an IPv6 address without brackets */
	uint16_t port;
	bool https, has_user;
};

/* HT_MALFORMED; HT_UNSUPPORTED for another scheme; HT_TOOLARGE. */
HT_MUST_CHECK ht_err url_parse(const char *text, struct url *out);

/* Same scheme, host and port (RFC 6454): what is meant for one may be told to the other.
 */
bool url_same_origin(const struct url *a, const struct url *b);

#endif
