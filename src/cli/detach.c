/* anynic detach: leave a guest that was attached; its links stay as they are. */
#include <getopt.h>

#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"

#define DETACH_SECONDS 10

int verb_detach(int argc, char **argv)
{
	static const struct option longs[] = { { 0 } };
	int code;

	if (getopt_long(argc, argv, "", longs, NULL) != -1)
		return fail_usage("detach", "unknown option");
	if (argc - optind > 1)
		return fail_usage("detach", "at most one NAME");
	struct client *c = open_guest(argv[optind], &code);
	if (!c)
		return code;
	code = end_guest(c, "detach", DETACH_SECONDS);
	client_close(c);
	return code;
}
