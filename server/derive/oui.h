/* Vendors of network cards by the first three bytes of their MAC, from IEEE's oui.txt
 * (Debian's ieee-data). Read-only after loading; may be shared between threads. */
#ifndef HT_SERVER_DERIVE_OUI_H
#define HT_SERVER_DERIVE_OUI_H

#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"

#define OUI_FILE       "/usr/share/ieee-data/oui.txt"
#define OUI_FILE_MAX   (32u << 20) /* bytes */
#define OUI_VENDOR_MAX 120         /* bytes of a name; longer ones are cut */

struct oui;

/* HT_NOTFOUND (the package is not installed: vendors are unknown then), HT_TOOLARGE,
 * HT_IO, HT_NOMEM. */
HT_MUST_CHECK ht_err oui_load(const char *file, struct oui **out);

/* The text of oui.txt: lines "AABBCC     (base 16)<tabs>Vendor"; others are passed over.
 */
HT_MUST_CHECK ht_err oui_parse(const char *text, size_t len, struct oui **out);
void oui_free(struct oui *o); /* accepts NULL */

size_t oui_count(const struct oui *o);

/* The vendor, or NULL: not listed, `o` is NULL, or the MAC is locally administered. */
const char *oui_find(const struct oui *o, const struct ht_mac *mac);

#endif
