/* anynic stop: end a guest as QEMU's own quit does, and wait until it has. */
#include <getopt.h>

#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"

#define STOP_TIMEOUT_S 30 /* run kills what did not end after 10 s */

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
	code = end_guest(c, "quit", seconds);
	client_close(c);
	return code;
}
