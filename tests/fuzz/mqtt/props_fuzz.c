#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/props.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_back(void *arg, const char *name, const char *value)
{
	if (props_set(arg, name, value))
		abort();
}

/* Lines "name=value"; what was taken, is written and taken again alike. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct props p = { 0 }, q = { 0 };
	char *text = malloc(size + 1), *rest = text, *line;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (props_set(&p, line, value))
			continue;
	}
	free(text);
	props_each(&p, read_back, &q);
	if (memcmp(&p, &q, sizeof(p)) != 0)
		abort();
	return 0;
}
