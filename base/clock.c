#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

int64_t ht_mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * HT_NS_PER_S + ts.tv_nsec;
}

int64_t ht_wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * HT_MS_PER_S + ts.tv_nsec / HT_NS_PER_MS;
}

bool ht_clock_synchronised(void)
{
	static const int64_t year_2020_ms = INT64_C(1577836800000);
	const char *forced = getenv("HATANG_CLOCK");
	struct timex tx = { 0 };

	if (forced && strcmp(forced, "free") == 0)
		return false;
	if (ht_wall_ms() < year_2020_ms)
		return false;
	if (forced && strcmp(forced, "synchronised") == 0)
		return true;
	return adjtimex(&tx) != TIME_ERROR && !(tx.status & STA_UNSYNC);
}

static bool is_uuid(const char *text)
{
	static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";

	for (size_t i = 0; i < HT_BOOT_ID_LEN; i++) {
		if (form[i] == '-' ? text[i] != '-'
				   : !text[i] || !strchr("0123456789abcdef", text[i]))
			return false;
	}
	return !text[HT_BOOT_ID_LEN];
}

ht_err ht_boot_id(char out[static HT_BOOT_ID_LEN + 1])
{
	const char *forced = getenv("HATANG_BOOT_ID");
	char text[64] = "";
	FILE *f;

	if (forced && is_uuid(forced)) {
		memcpy(out, forced, HT_BOOT_ID_LEN + 1);
		return HT_OK;
	}
	f = fopen("/proc/sys/kernel/random/boot_id", "re");
	if (!f)
		return HT_IO;
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	if (n < HT_BOOT_ID_LEN)
		return HT_IO;
	memcpy(out, text, HT_BOOT_ID_LEN);
	out[HT_BOOT_ID_LEN] = '\0';
	return HT_OK;
}

void ht_rfc3339(int64_t unix_ms, char out[static HT_RFC3339_LEN + 1])
{
	int64_t ms = unix_ms % HT_MS_PER_S;
	time_t s = (time_t)(unix_ms / HT_MS_PER_S);
	struct tm tm;

	if (ms < 0) {
		ms += HT_MS_PER_S;
		s--;
	}
	if (!gmtime_r(&s, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
		memcpy(out, "9999-12-31T23:59:59.999Z", HT_RFC3339_LEN + 1);
		return;
	}
	char text[64];
	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)ms);
	memcpy(out, text, HT_RFC3339_LEN);
	out[HT_RFC3339_LEN] = '\0';
}

static bool digits(const char **at, int n, int *out)
{
	int v = 0;

	for (int i = 0; i < n; i++) {
		char c = (*at)[i];

		if (c < '0' || c > '9')
			return false;
		v = v * 10 + (c - '0');
	}
	*at += n;
	*out = v;
	return true;
}

static bool lit(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* Fraction digits after the point: the first three count. */
static bool fraction_ms(const char **at, int *ms)
{
	int scale = 100, n = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++, n++) {
		*ms += (**at - '0') * scale;
		scale /= 10;
	}
	return n > 0;
}

/* "Z" or "+07:00". */
static bool zone_minutes(const char **at, int *minutes)
{
	int h, m, sign = **at == '-' ? -1 : 1;

	if (lit(at, 'Z') || lit(at, 'z'))
		return true;
	if (!lit(at, '+') && !lit(at, '-'))
		return false;
	if (!digits(at, 2, &h) || !lit(at, ':') || !digits(at, 2, &m) || h > 23 || m > 59)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

ht_err ht_rfc3339_parse(const char *text, int64_t *out_unix_ms)
{
	struct tm tm = { 0 }, check;
	const char *at = text;
	int year, month, ms = 0, zone = 0;

	if (!digits(&at, 4, &year) || !lit(&at, '-') || !digits(&at, 2, &month) ||
	    !lit(&at, '-') || !digits(&at, 2, &tm.tm_mday))
		return HT_MALFORMED;
	if (lit(&at, 'T') || lit(&at, 't') || lit(&at, ' ')) {
		if (!digits(&at, 2, &tm.tm_hour) || !lit(&at, ':') ||
		    !digits(&at, 2, &tm.tm_min) || !lit(&at, ':') ||
		    !digits(&at, 2, &tm.tm_sec))
			return HT_MALFORMED;
		if (lit(&at, '.') && !fraction_ms(&at, &ms))
			return HT_MALFORMED;
		if (!zone_minutes(&at, &zone))
			return HT_MALFORMED;
	}
	if (*at)
		return HT_MALFORMED;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	check = (struct tm){
		.tm_year = tm.tm_year, .tm_mon = tm.tm_mon, .tm_mday = tm.tm_mday
	};
	timegm(&check); /* normalises a day that is not in the calendar */
	if (year < 1970 || check.tm_mon != tm.tm_mon || check.tm_mday != tm.tm_mday ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return HT_RANGE;
	*out_unix_ms = ((int64_t)timegm(&tm) - zone * 60) * HT_MS_PER_S + ms;
	return HT_OK;
}
