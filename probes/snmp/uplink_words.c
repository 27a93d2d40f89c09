/* Words that people write on ports. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "probes/snmp/uplink.h"

enum { FOLDED_MAX = 256 };

/* Folded: small letters, no marks, one blank for all else. A word stands by itself; a
 * number may follow. */
static const char *const outside[] = { "wan", "internet", "uplink", "up link", "isp",
	"vnpt", "viettel", "vtl", "fpt", "cmc", "mobifone", "tslcd", "cpnet", "metronet",
	"mpls", "leased line", "leasedline", "ftth", "gpon", "pppoe", "truyen so lieu",
	"so lieu chuyen dung", "duong truyen", "kenh truyen", "wan tinh" };
static const char *const inside[] = { "lan", "noi bo", "camera", "cam", "wifi", "wlan",
	"dmz", "server", "servers", "may chu", "user", "users", "guest", "khach", "voip",
	"mgmt", "management", "quan tri", "may tinh", "may in", "ap" };

/* Base letters of the code points U+00C0..U+00FF; '\0': not a letter. */
static const char latin1[] = "aaaaaaaceeeeiiiidnooooo\0ouuuuy\0s"
			     "aaaaaaaceeeeiiiidnooooo\0ouuuuy\0y";

struct range {
	uint16_t first, last;
	char base;
};

/* The rest of Vietnamese: đ, ă, ĩ, ũ, ơ, ư and the block of stacked marks. */
static const struct range ranges[] = { { 0x0102, 0x0103, 'a' }, { 0x0110, 0x0111, 'd' },
	{ 0x0128, 0x0129, 'i' }, { 0x0168, 0x0169, 'u' }, { 0x01a0, 0x01a1, 'o' },
	{ 0x01af, 0x01b0, 'u' }, { 0x1ea0, 0x1eb7, 'a' }, { 0x1eb8, 0x1ec7, 'e' },
	{ 0x1ec8, 0x1ecb, 'i' }, { 0x1ecc, 0x1ee3, 'o' }, { 0x1ee4, 0x1ef1, 'u' },
	{ 0x1ef2, 0x1ef9, 'y' } };

/* The next code point of UTF-8 that table.c has cleaned; a stray byte is one of itself.
 */
static uint32_t next_point(const uint8_t **at)
{
	const uint8_t *p = *at;
	size_t n = p[0] < 0xc0 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*at = p + 1;
			return p[0];
		}
		c = c << 6 | (p[i] & 0x3f);
	}
	*at = p + n;
	return c;
}

/* 0: it is no letter or digit; 1: a mark, that is passed over. */
static char fold_point(uint32_t c)
{
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
		return (char)c;
	if (c >= 'A' && c <= 'Z')
		return (char)(c - 'A' + 'a');
	if (c >= 0x0300 && c <= 0x036f)
		return 1;
	if (c >= 0xc0 && c <= 0xff)
		return latin1[c - 0xc0];
	for (size_t i = 0; i < HT_COUNT(ranges); i++) {
		if (c >= ranges[i].first && c <= ranges[i].last)
			return ranges[i].base;
	}
	return 0;
}

static void fold(const char *text, char out[static FOLDED_MAX])
{
	const uint8_t *at = (const uint8_t *)text;
	size_t n = 0;

	while (*at && n + 1 < FOLDED_MAX) {
		char c = fold_point(next_point(&at));

		if (c == 1)
			continue;
		if (c)
			out[n++] = c;
		else if (n && out[n - 1] != ' ')
			out[n++] = ' ';
	}
	out[n] = '\0';
}

static bool letter(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool begins_with_word(const char *at, const char *word)
{
	size_t n = 0;

	while (word[n] && at[n] == word[n])
		n++;
	return !word[n] && !letter(at[n]);
}

static bool has_any(const char *folded, const char *const *words, size_t n)
{
	for (const char *at = folded; *at; at++) {
		if (!letter(*at) || (at > folded && letter(at[-1])))
			continue;
		for (size_t i = 0; i < n; i++) {
			if (begins_with_word(at, words[i]))
				return true;
		}
	}
	return false;
}

int uplink_words(const char *text)
{
	char folded[FOLDED_MAX];

	if (!text)
		return 0;
	fold(text, folded);
	return has_any(folded, outside, HT_COUNT(outside)) -
	       has_any(folded, inside, HT_COUNT(inside));
}
