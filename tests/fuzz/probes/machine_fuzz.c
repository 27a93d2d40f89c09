#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/posture/machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct machine_listeners l;
	struct machine_updates u;
	char out[100];

	machine_listeners_parse(text, size, &l);
	machine_listeners_describe(&l, out, sizeof(out));
	if (l.n > MACHINE_LISTENERS_MAX || strlen(out) >= sizeof(out))
		abort();
	machine_updates_parse(text, size, &u);
	if (u.security > u.pending)
		abort();
	machine_apt_value(text, size, "A::B", out, sizeof(out));
	machine_os_name(text, size, out, sizeof(out));
	return 0;
}
