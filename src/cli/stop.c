/* anynic stop: end a guest as QEMU's own quit does, and wait until it has. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "base/clock.h"
#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"

#define STOP_TIMEOUT_S 30 /* run kills what did not end after 10 s */

static int stop(struct client *c, uint64_t seconds)
{
	struct error err = { 0 };
	uint64_t end = monotonic_ns() + seconds * NS_PER_S;

	int rc = client_call(c, "quit", NULL, NULL, &err);
	if (rc < 0 && rc != -EPIPE)
		return fail(&err);
	for (uint64_t now = monotonic_ns(); now < end; now = monotonic_ns()) {
		json_object *event;
		rc = client_next_event(c, (int)((end - now) / NS_PER_MS) + 1, &event);
		if (rc == 1)
			json_object_put(event);
		else if (rc == -EPIPE)
			return EXIT_OK;
	}
	fprintf(stderr, "anynic: the guest did not end within %llu s\n",
		(unsigned long long)seconds);
	return EXIT_TIMEOUT;
}

int verb_stop(int argc, char **argv)
{
	static const struct option longs[] = { { "timeout", required_argument, NULL, 't' }, { 0 } };
	uint64_t seconds = STOP_TIMEOUT_S;
	int o, code;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (o != 't')
			return fail_usage("stop", "unknown option");
		if (parse_u64(optarg, 0, 86400, &seconds) < 0)
			return fail_usage("stop", "--timeout %s: seconds, 0 to 86400", optarg);
	}
	if (argc - optind > 1)
		return fail_usage("stop", "at most one NAME");
	struct client *c = open_guest(argv[optind], &code);
	if (!c)
		return code;
	code = stop(c, seconds);
	client_close(c);
	return code;
}
