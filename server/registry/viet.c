#include "server/registry/viet.h"

#include <stdint.h>

#include "base/err.h"

/* Base letters by code point; '?' where there is none. */
static const struct {
	uint32_t first;
	const char *letters;
} ranges[] = {
	{ 0xc0, "aaaaaa?ceeeeiiii?nooooo??uuuuy??aaaaaa?ceeeeiiii?nooooo??uuuuy?y" },
	{ 0x100,
	    "aaaaaaccccccccddddeeeeeeeeeegggggggghh??iiiiiiiii???jjkk?llllll????nnnnnn???"
	    "oooooo??"
	    "rrrrrrsssssssstttt??uuuuuuuuuuuuwwyyyzzzzzz" },
	{ 0x1a0, "oo?????????????uu" },
	{ 0x1ea0, "aaaaaaaaaaaaaaaaaaaaaaaaeeeeeeeeeeeeeeeeiiiioooooooooooooooooooooooo"
		  "uuuuuuuuuuuuuuyyyyyyyy" },
};

/* The next code point of valid UTF-8; a bad byte stands for itself. */
static uint32_t next_code(const unsigned char **p)
{
	uint32_t code = *(*p)++;
	int more = code >= 0xf0 ? 3 : code >= 0xe0 ? 2 : code >= 0xc0 ? 1 : 0;

	if (more)
		code &= 0x3fu >> more;
	for (; more > 0 && (**p & 0xc0) == 0x80; more--)
		code = code << 6 | (*(*p)++ & 0x3f);
	return code;
}

static char plain_letter(uint32_t code)
{
	if (code >= 'A' && code <= 'Z')
		return (char)(code - 'A' + 'a');
	if ((code >= 'a' && code <= 'z') || (code >= '0' && code <= '9'))
		return (char)code;
	for (size_t i = 0; i < HT_COUNT(ranges); i++) {
		const char *letters = ranges[i].letters;
		for (uint32_t at = ranges[i].first; *letters && at <= code;
		     at++, letters++)
			if (at == code && *letters != '?')
				return *letters;
	}
	return '\0';
}

static int is_combining(uint32_t code)
{
	return code >= 0x300 && code <= 0x36f;
}

void viet_plain(const char *text, char *out, size_t cap)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n = 0;
	int gap = 0;

	while (*p && n + 1 < cap) {
		uint32_t code = next_code(&p);
		if (is_combining(code))
			continue;
		char letter = plain_letter(code);
		if (!letter) {
			gap = n > 0;
			continue;
		}
		if (gap && n + 2 < cap)
			out[n++] = '_';
		gap = 0;
		out[n++] = letter;
	}
	out[n] = '\0';
}
