/* What a machine is, by rules that are data (rules/device-classes.yaml): each rule looks
 * at one fact and speaks for one class with a confidence. Rules for the same class add
 * up; rules for another class count against. Nothing sure is `unknown`, which is an
 * answer. Read-only after loading; may be shared between threads. */
#ifndef HT_SERVER_DERIVE_CLASS_H
#define HT_SERVER_DERIVE_CLASS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/option.h"

enum device_class {
	CLASS_COMPUTER,
	CLASS_SERVER,
	CLASS_PRINTER,
	CLASS_PHONE,
	CLASS_MOBILE,
	CLASS_CAMERA,
	CLASS_NETWORK,
	CLASS_STORAGE,
	CLASS_UPS,
	CLASS_IOT,
	CLASS_UNKNOWN,
};
#define CLASS_COUNT   (CLASS_UNKNOWN + 1)
#define CLASS_WHY_MAX 256

/* What is known of one network card of the machine; strings may be NULL. */
struct class_facts {
	const char *hostname, *dhcp_class, *dhcp_parameters, *vendor;
	bool gateway;
	bool random_mac;
	bool host;        /* an agent of ours runs on it */
	bool host_server; /* and it says that nobody works at it */
};

struct class_verdict {
	enum device_class class;
	double confidence;       /* of the class, 0 to 1; of `unknown`: 0 */
	char why[CLASS_WHY_MAX]; /* one sentence */
};

struct class_rules;

/* Read the rules; a mistake is HT_CONFIG with file:line:column. */
HT_MUST_CHECK ht_err class_rules_load(
    const char *file, struct class_rules **out, struct ht_fault *fault);
HT_MUST_CHECK ht_err class_rules_parse(const char *file, const void *bytes, size_t len,
    struct class_rules **out, struct ht_fault *fault);
void class_rules_free(struct class_rules *r); /* accepts NULL */

const char *class_rules_version(const struct class_rules *r);

/* A locally administered MAC that a maker of virtual machines uses on purpose: it is
 * stable, so it counts as one of a vendor. NULL for any other. */
const char *class_local_vendor(const struct class_rules *r, const struct ht_mac *mac);

/* Names that many machines share ("localhost", "android-…"): they identify nothing. */
bool class_generic_hostname(const struct class_rules *r, const char *hostname);

/* Judge a machine by the facts of its cards (a rule counts once a machine). */
void class_judge(const struct class_rules *r, const struct class_facts *facts, size_t n,
    struct class_verdict *out);

const char *class_name(enum device_class c);
bool class_find(const char *name, enum device_class *out);

/* Shell-like match, ASCII case ignored: '*' any run, '?' one byte. Linear in practice,
 * no recursion. */
bool class_glob(const char *pattern, const char *text);

#endif
