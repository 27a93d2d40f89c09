/* lab-topology FILE: check a topology and print it as JSON for the lab. */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "tests/lab/topology.h"

static void put_int(struct json_object *o, const char *key, int64_t v)
{
	json_object_object_add(o, key, json_object_new_int64(v));
}

static void put_text(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, v ? json_object_new_string(v) : NULL);
}

static struct json_object *machines_json(const struct topology_machines *m)
{
	struct json_object *o = json_object_new_object();

	put_int(o, "computer", m->computers);
	put_int(o, "server", m->servers);
	put_int(o, "printer", m->printers);
	put_int(o, "phone", m->phones);
	put_int(o, "mobile", m->mobiles);
	put_int(o, "camera", m->cameras);
	return o;
}

static struct json_object *link_json(const struct topology_link *l, const char *site)
{
	struct json_object *o = json_object_new_object();
	char id[128];

	snprintf(id, sizeof(id), "%s-wan", site);
	put_text(o, "id", l->id ? l->id : id);
	put_text(o, "kind", topology_kinds[l->kind]);
	put_text(o, "line_type", topology_line_types[l->line_type]);
	put_text(o, "provider", l->provider);
	put_int(o, "down_bps", l->down_bps);
	put_int(o, "up_bps", l->up_bps);
	put_int(o, "contracted_down_bps",
	    l->contracted_down_bps ? l->contracted_down_bps : l->down_bps);
	put_int(o, "contracted_up_bps",
	    l->contracted_up_bps ? l->contracted_up_bps : l->up_bps);
	return o;
}

static struct json_object *site_json(const struct topology_site *s)
{
	struct json_object *o = json_object_new_object();

	put_text(o, "id", s->id);
	put_text(o, "name", s->name);
	put_text(o, "level", topology_levels[s->level]);
	put_text(o, "parent", s->parent);
	put_text(o, "subnet", s->subnet);
	if (s->servants >= 0)
		put_int(o, "servants", s->servants);
	json_object_object_add(o, "machines", machines_json(&s->machines));
	json_object_object_add(o, "link", link_json(&s->link, s->id));
	json_object_object_add(o, "agent", json_object_new_boolean(s->agent));
	json_object_object_add(o, "firewall", json_object_new_boolean(s->firewall));
	json_object_object_add(o, "snmp", json_object_new_boolean(s->snmp));
	return o;
}

static struct json_object *topology_json(const struct topology *t)
{
	struct json_object *o = json_object_new_object(),
			   *sites = json_object_new_array();

	put_text(o, "name", t->name);
	put_int(o, "servants", t->servants);
	put_int(o, "every_s", t->every_ns / HT_NS_PER_S);
	put_int(o, "targets", t->targets);
	for (size_t i = 0; i < t->sites.n; i++)
		json_object_array_add(
		    sites, site_json((struct topology_site *)t->sites.at + i));
	json_object_object_add(o, "sites", sites);
	return o;
}

int main(int argc, char **argv)
{
	struct ht_yaml yaml = { 0 };
	struct topology topology = { 0 };
	struct ht_fault fault = { 0 };

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		puts("lab-topology FILE: check a lab topology and print it as JSON. Its "
		     "keys:");
		ht_options_print(&topology_options, stdout);
		return HT_EXIT_OK;
	}
	if (argc != 2) {
		fputs("usage: lab-topology FILE | --help\n", stderr);
		return HT_EXIT_USAGE;
	}
	if (topology_load(argv[1], &yaml, &topology, &fault)) {
		fprintf(stderr, "%s\n", fault.text);
		return HT_EXIT_CONFIG;
	}
	struct json_object *o = topology_json(&topology);
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	ht_options_fini(&topology_options, &topology);
	ht_yaml_fini(&yaml);
	return HT_EXIT_OK;
}
