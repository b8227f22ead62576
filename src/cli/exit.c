#include "cli/exit.h"

#include <errno.h>

int exit_code_of(int code)
{
	switch (code) {
	case 0:
		return EXIT_OK;
	case -EINVAL:
	case -ERANGE:
		return EXIT_USAGE;
	case -ENOENT:
		return EXIT_NOT_FOUND;
	case -ENOTSUP: /* is EOPNOTSUPP too */
		return EXIT_MISSING;
	case -ETIMEDOUT:
		return EXIT_TIMEOUT;
	default:
		return EXIT_FAILED;
	}
}
