/* anynic models: the cards that this program has. */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>

#include "cli/exit.h"
#include "cli/known.h"
#include "cli/talk.h"
#include "cli/verbs.h"

static json_object *model_as_json(const struct known_model *m)
{
	json_object *o = json_object_new_object(), *roles = json_object_new_array(),
		    *revs = json_object_new_array();

	json_object_array_add(roles, json_object_new_string("single"));
	if (m->legacy)
		json_object_array_add(roles, json_object_new_string("legacy"));
	if (m->performant)
		json_object_array_add(roles, json_object_new_string("performant"));
	if (m->rev_zero)
		json_object_array_add(revs, json_object_new_int(0));
	for (unsigned i = 0; i < KNOWN_REVS && m->revs[i]; i++)
		json_object_array_add(revs, json_object_new_int(m->revs[i]));
	json_object_object_add(o, "model", json_object_new_string(m->name));
	json_object_object_add(o, "summary", json_object_new_string(m->summary));
	json_object_object_add(o, "roles", roles);
	json_object_object_add(o, "queues", json_object_new_int(MAX(m->queues_max, 1)));
	json_object_object_add(o, "mtu", json_object_new_int(m->mtu_max));
	json_object_object_add(o, "packed", json_object_new_boolean(m->packed));
	json_object_object_add(o, "revs", revs);
	return o;
}

static void print_model(const struct known_model *m)
{
	const char *role = m->legacy && m->performant ? "legacy, performant"
			   : m->legacy		      ? "legacy"
			   : m->performant	      ? "performant"
						      : "single only";

	printf("%-12s %-20s %s\n", m->name, role, m->summary);
}

int verb_models(int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	const struct known *known = cli_known();
	bool json = false;
	int o;

	while ((o = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		if (o != 'j')
			return fail_usage("models", "unknown option");
		json = true;
	}
	if (optind < argc)
		return fail_usage("models", "takes no '%s'", argv[optind]);
	json_object *list = json_object_new_array();
	for (unsigned i = 0; i < known->model_count; i++) {
		if (json)
			json_object_array_add(list, model_as_json(&known->models[i]));
		else
			print_model(&known->models[i]);
	}
	if (json)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
	return EXIT_OK;
}
