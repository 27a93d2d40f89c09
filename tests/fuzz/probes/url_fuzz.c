#include <stdlib.h>
#include <string.h>

#include "probes/wan/clean.h"
#include "probes/wan/service/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* A Location that somebody answered. What is asked for means the same when it is read
 * again, and what is told holds no user and no query. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char text[URL_MAX + 16], clean[64];
	struct url url, again;

	clean_copy(bytes, len, clean, sizeof(clean));
	if (len >= sizeof(text))
		return 0;
	memcpy(text, bytes, len);
	text[len] = '\0';
	if (url_parse(text, &url) != HT_OK)
		return 0;
	if (url_parse(url.text, &again) != HT_OK || !url_same_origin(&url, &again) ||
	    again.has_user || strchr(url.shown, '?') || strchr(url.shown, '#') ||
	    !url.host[0] || strchr(url.host, ','))
		abort();
	return 0;
}
