/* A lab topology: a province on one machine. Read from YAML with the options reader, so
 * that a bad file is refused with file, line, column and the cure. */
#ifndef HT_TESTS_LAB_TOPOLOGY_H
#define HT_TESTS_LAB_TOPOLOGY_H

#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/option.h"
#include "base/yaml.h"

enum topology_level { TOPOLOGY_PROVINCE, TOPOLOGY_DISTRICT, TOPOLOGY_COMMUNE };
enum { TOPOLOGY_SITES_MAX = 500, TOPOLOGY_MACHINES_MAX = 250 };

struct topology_machines {
	int64_t computers, servers, printers, phones, mobiles, cameras;
};

struct topology_link {
	char *id; /* default: "<site>-wan" */
	int kind, line_type;
	char *provider;
	int64_t down_bps, up_bps;
	int64_t contracted_down_bps, contracted_up_bps; /* 0: as the rates */
};

struct topology_site {
	char *id, *name, *parent;
	int level;
	int64_t servants; /* -1: not declared */
	char *subnet;
	struct topology_machines machines;
	struct topology_link link;
	bool agent;    /* an agent stands in this office */
	bool firewall; /* the agent's machine drops what it does not know */
	bool snmp;     /* the router answers SNMP to the core */
};

struct topology {
	char *name;
	int64_t servants;     /* the province's own */
	int64_t every_ns;     /* from one round of pings of a link to the next */
	int64_t targets;      /* further links that only answer pings */
	struct ht_list sites; /* struct topology_site */
};

extern const struct ht_options topology_options;

/* Load and check. HT_CONFIG with the place and the cure. `yaml` keeps the tree. */
HT_MUST_CHECK ht_err topology_load(
    const char *file, struct ht_yaml *yaml, struct topology *out, struct ht_fault *fault);

extern const char *const topology_levels[];
extern const char *const topology_kinds[];
extern const char *const topology_line_types[];

#endif
