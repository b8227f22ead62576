/* exit.h - exit codes of interfaces.md. */
#ifndef ANYNIC_CLI_EXIT_H
#define ANYNIC_CLI_EXIT_H

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_MISSING = 4, /* a required backend or feature */
	EXIT_TIMEOUT = 5,
};

/* -EINVAL, -ERANGE: usage; -ENOENT: not found; -ENOTSUP, -EOPNOTSUPP: missing; -ETIMEDOUT: timeout; 0: ok; else failed. */
int exit_code_of(int code);

#endif
