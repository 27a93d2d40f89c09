/* The last address at which the broker answered, kept in a small file so that an agent
 * that starts during an outage of the resolver still finds it. Private to mqtt/. */
#ifndef HT_MQTT_CLIENT_ADDRESS_H
#define HT_MQTT_CLIENT_ADDRESS_H

#include "base/addr.h"

/* HT_NOTFOUND, HT_MALFORMED, HT_IO. `file` may be NULL. */
HT_MUST_CHECK ht_err client_address_load(const char *file, struct ht_addr *out);

/* Atomic: written aside, then renamed. `file` may be NULL. HT_IO. */
HT_MUST_CHECK ht_err client_address_save(const char *file, const struct ht_addr *address);

#endif
