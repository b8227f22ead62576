/* verbs.h - one function per verb; argv[0] is the verb itself. The result is the exit code. */
#ifndef ANYNIC_CLI_VERBS_H
#define ANYNIC_CLI_VERBS_H

int verb_plan(int argc, char **argv);
int verb_models(int argc, char **argv);
int verb_backends(int argc, char **argv);

#endif
