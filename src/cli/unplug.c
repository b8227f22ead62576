/* anynic unplug: takes a port out of a guest that runs. */
#include <getopt.h>
#include <stdio.h>

#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "control/commands.h"

#define MORE_MS 10000 /* behind the guest's time: ours */

struct options {
	const char *name, *port;
	uint64_t seconds;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "timeout", required_argument, NULL, 't' }, { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1)
		if (c != 't')
			return fail_usage("unplug", "unknown option");
		else if (parse_u64(optarg, 1, UNPLUG_SECONDS_MAX, &o->seconds) < 0)
			return fail_usage("unplug", "--timeout %.20s: seconds, 1 to %d", optarg,
					  UNPLUG_SECONDS_MAX);
	if (argc - optind < 1 || argc - optind > 2)
		return fail_usage("unplug", "tell the port");
	o->port = argv[argc - 1];
	if (argc - optind == 2)
		o->name = argv[optind];
	return EXIT_OK;
}

int verb_unplug(int argc, char **argv)
{
	struct options o = { .seconds = UNPLUG_SECONDS };
	struct error err = { 0 };
	int code = parse(argc, argv, &o);

	if (code != EXIT_OK)
		return code;
	struct client *c = open_guest(o.name, &code);
	if (!c)
		return code;
	json_object *arguments = json_object_new_object();
	json_object_object_add(arguments, "port", json_object_new_string(o.port));
	json_object_object_add(arguments, "timeout", json_object_new_int64((int64_t)o.seconds));
	int rc = client_call_for(c, (unsigned)(o.seconds * 1000 + MORE_MS), "port-del", arguments,
				 NULL, &err);
	if (rc == 0)
		printf("%s is unplugged\n", o.port);
	client_close(c);
	return rc < 0 ? fail(&err) : EXIT_OK;
}
