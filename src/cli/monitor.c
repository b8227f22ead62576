/* anynic monitor: one line per event. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/event_line.h"
#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "config/known.h"
#include "control/events.h"

struct options {
	bool json;
	double timeout; /* seconds; negative = none */
	const char *until;
	const char *name;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
					       { "timeout", required_argument, NULL, 't' },
					       { "until", required_argument, NULL, 'u' },
					       { 0 } };
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 't':
			o->timeout = strtod(optarg, &end);
			if (end == optarg || *end || !(o->timeout >= 0 && o->timeout <= 1e9))
				return fail_usage("monitor",
						  "--timeout %s: a number of seconds, 0 or more",
						  optarg);
			break;
		case 'u':
			o->until = optarg;
			break;
		default:
			return fail_usage("monitor", "unknown option");
		}
	}
	if (argc - optind > 1)
		return fail_usage("monitor", "at most one NAME");
	o->name = argv[optind];
	if (o->until && name_find(event_names, EVENT_KIND_COUNT, o->until) < 0) {
		const char *near = nearest_name(o->until, event_names, EVENT_KIND_COUNT);
		return fail_usage("monitor", "--until %s: there is no such event%s%s", o->until,
				  near ? "; did you mean "
				       : "; `anynic qmp NAME query-events` lists them",
				  near ? near : "");
	}
	return EXIT_OK;
}

static int follow(struct client *c, const struct options *o)
{
	uint64_t end = o->timeout < 0 ? UINT64_MAX : monotonic_ns() + (uint64_t)(o->timeout * 1e9);

	for (;;) {
		uint64_t now = monotonic_ns();
		uint64_t left = end == UINT64_MAX ? 0 : end > now ? (end - now) / NS_PER_MS + 1 : 0;
		int wait = end == UINT64_MAX ? -1 : (int)MIN(left, (uint64_t)INT32_MAX);
		json_object *event;
		int rc = client_next_event(c, wait, &event);
		if (rc == 0)
			return EXIT_TIMEOUT;
		if (rc == -EINTR)
			continue;
		if (rc < 0) {
			if (!o->until)
				return EXIT_OK; /* the guest ended: nothing more to tell */
			fprintf(stderr, "anynic: the guest ended before %s\n", o->until);
			return EXIT_FAILED;
		}
		if (o->json)
			event_json_print(stdout, event);
		else
			event_line_print(stdout, event);
		bool done = o->until && strcmp(text_of(event, "event"), o->until) == 0;
		json_object_put(event);
		if (done)
			return EXIT_OK;
	}
}

int verb_monitor(int argc, char **argv)
{
	struct options o = { .timeout = -1 };
	int code = parse(argc, argv, &o);

	if (code != EXIT_OK)
		return code;
	struct client *c = open_guest(o.name, &code);
	if (!c)
		return code;
	code = follow(c, &o);
	client_close(c);
	return code;
}
