/* anynic backends: where a port's frames can go. */
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>

#include "cli/exit.h"
#include "cli/known.h"
#include "cli/talk.h"
#include "cli/verbs.h"

/* Empty when it can be had here. */
static void why_missing(const struct known_backend *b, char *to, size_t size)
{
	struct error err = { 0 };

	to[0] = '\0';
	if (b->missing && b->missing(&err) < 0)
		str_copy(to, size, err.text);
}

static json_object *backend_as_json(const struct known_backend *b)
{
	json_object *o = json_object_new_object();
	char why[200];

	why_missing(b, why, sizeof(why));

	json_object_object_add(o, "backend", json_object_new_string(b->name));
	json_object_object_add(o, "summary", json_object_new_string(b->summary));
	json_object_object_add(o, "available", json_object_new_boolean(!why[0]));
	json_object_object_add(o, "reason", json_object_new_string(why));
	return o;
}

static void print_backend(const struct known_backend *b)
{
	char why[200];

	why_missing(b, why, sizeof(why));
	printf("%-10s %s\n", b->name, b->summary);
	if (why[0])
		printf("%-10s   not here: %s\n", "", why);
}

int verb_backends(int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	const struct known *known = cli_known();
	bool json = false;
	int o;

	while ((o = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		if (o != 'j')
			return fail_usage("backends", "unknown option");
		json = true;
	}
	if (optind < argc)
		return fail_usage("backends", "takes no '%s'", argv[optind]);
	json_object *list = json_object_new_array();
	for (unsigned i = 0; i < known->backend_count; i++) {
		if (known->backends[i].xml_only)
			continue;
		if (json)
			json_object_array_add(list, backend_as_json(&known->backends[i]));
		else
			print_backend(&known->backends[i]);
	}
	if (json)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
	return EXIT_OK;
}
