/* Datagrams of rtnetlink, then the memory of lives out of the same bytes. */
#include <stdlib.h>

#include "probes/wan/local/lives.h"
#include "probes/wan/local/netlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct netlink_progress p = { 0 };
	struct table t;
	struct lives l;
	struct ht_buf b;

	table_init(&t, 64);
	ht_err err = netlink_parse(bytes, len, 1, 1, &t, &p);
	(void)err;
	table_settle(&t);
	err = lives_decode(&l, bytes, len);
	if (lives_update(&l, &t, 1, 5) == HT_OK) {
		ht_buf_init(&b, 1 << 20);
		lives_encode(&l, &b);
		lives_fini(&l);
		/* two interfaces of one name are none that a kernel has */
		err = lives_decode(&l, b.data, b.len);
		ht_buf_fini(&b);
	}
	lives_fini(&l);
	table_fini(&t);
	return 0;
}
