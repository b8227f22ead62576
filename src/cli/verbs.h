/* verbs.h - one function per verb; argv[0] is the verb itself. The result is the exit code. */
#ifndef ANYNIC_CLI_VERBS_H
#define ANYNIC_CLI_VERBS_H

int verb_attach(int argc, char **argv);
int verb_backends(int argc, char **argv);
int verb_detach(int argc, char **argv);
int verb_link(int argc, char **argv);
int verb_migrate(int argc, char **argv);
int verb_models(int argc, char **argv);
int verb_monitor(int argc, char **argv);
int verb_plan(int argc, char **argv);
int verb_plug(int argc, char **argv);
int verb_unplug(int argc, char **argv);
int verb_pool(int argc, char **argv);
int verb_qmp(int argc, char **argv);
int verb_run(int argc, char **argv);
int verb_serve(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_stop(int argc, char **argv);
int verb_why(int argc, char **argv);
int verb_xml(int argc, char **argv);

/* Prints how `verb` is used, on stderr. */
void usage_hint(const char *verb);

#endif
