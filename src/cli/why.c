/* anynic why: why there is, or is not, network. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"

static void print(json_object *list)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		json_object *w = json_object_array_get_idx(list, i);
		printf("%s: %s\n  %s\n", text_of(w, "port"), text_of(w, "verdict"),
		       text_of(w, "text"));
		if (text_of(w, "next-step")[0])
			printf("  next: %s\n", text_of(w, "next-step"));
	}
}

static int ask(const char *name, const char *port, bool json)
{
	struct error err = { 0 };
	json_object *arguments = NULL, *list;
	int code;

	struct client *c = open_guest(name, &code);
	if (!c)
		return code;
	if (port) {
		arguments = json_object_new_object();
		json_object_object_add(arguments, "port", json_object_new_string(port));
	}
	int rc = client_call(c, "query-why", arguments, &list, &err);
	client_close(c);
	if (rc < 0)
		return fail(&err);
	if (json)
		puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
	else
		print(list);
	json_object_put(list);
	return EXIT_OK;
}

int verb_why(int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' }, { 0 } };
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		if (c != 'j')
			return fail_usage("why", "unknown option");
		json = true;
	}
	int words = argc - optind;
	if (words > 2)
		return fail_usage("why", "too many words");
	const char *name = words > 0 ? argv[optind] : NULL;
	const char *port = words > 1 ? argv[optind + 1] : NULL;
	char only[PLACE_NAME];
	/* one word that is no live guest is a port of the only one */
	if (words == 1 && !guest_is_live(name) && only_guest(only, NULL) == 0 &&
	    !strchr(name, '/')) {
		port = name;
		name = NULL;
	}
	return ask(name, port, json);
}
