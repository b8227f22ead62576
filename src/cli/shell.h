/* shell.h - lines from a person: with history and completion where the terminal and the build allow, plain lines elsewhere. */
#ifndef ANYNIC_CLI_SHELL_H
#define ANYNIC_CLI_SHELL_H

#include "control/client.h"

struct shell;

/* Asks `c` once for its commands, for completion. */
struct shell *shell_open(const char *prompt, struct client *c);
void shell_close(struct shell *s);

/* The next line without its newline, valid until the next call. NULL at the end. */
char *shell_read(struct shell *s);

#endif
