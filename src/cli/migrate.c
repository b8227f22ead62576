/* anynic migrate: move a guest to the QEMU that waits for it, and tell how it goes until it is there, or here as before. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli/event_line.h"
#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "control/migration.h"

struct options {
	const char *name, *uri;
	uint64_t seconds;
	bool json;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* The first ^C takes the guest back; a second one leaves it to itself. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
					       { "timeout", required_argument, NULL, 't' },
					       { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 't':
			if (parse_u64(optarg, 1, MIGRATION_SECONDS_MAX, &o->seconds) < 0)
				return fail_usage("migrate", "--timeout %s: seconds, 1 to %d",
						  optarg, MIGRATION_SECONDS_MAX);
			break;
		default:
			return fail_usage("migrate", "unknown option");
		}
	}
	if (argc - optind < 1 || argc - optind > 2)
		return fail_usage("migrate", "tell the guest's NAME and the URI where it goes");
	o->uri = argv[argc - 1];
	if (argc - optind == 2)
		o->name = argv[optind];
	if (!strchr(o->uri, ':'))
		return fail_usage("migrate", "%s is no URI; QEMU's are tcp:HOST:PORT and unix:PATH",
				  o->uri);
	return EXIT_OK;
}

static bool is_migration(json_object *event, const char **status)
{
	*status = text_of(member_of(event, "data"), "status");
	return strcmp(text_of(event, "event"), "MIGRATION") == 0;
}

/* What the other end begins anew, for a person. */
static void tell_left_behind(json_object *event)
{
	json_object *list = member_of(member_of(event, "data"), "left-behind");

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		json_object *one = json_object_array_get_idx(list, i);
		const char *command = text_of(one, "command");

		printf("not taken along: %s%s%s\n", text_of(one, "what"),
		       command[0] ? ", set by hand; next, on the other host: " : "", command);
	}
}

/* Events until the guest is there, or stays. */
static int follow(struct client *c, bool json)
{
	bool cancelled = false;
	const char *status;
	json_object *event;

	for (;;) {
		if (interrupted && !cancelled) {
			cancelled = true;
			client_call(c, "migrate_cancel", NULL, NULL, NULL);
		}
		int rc = client_next_event(c, -1, &event);
		if (rc == -EINTR)
			continue;
		if (rc < 0) {
			fprintf(stderr,
				"anynic: the guest's anynic ended before it said how the migration "
				"went; look at the other end\n");
			return EXIT_FAILED;
		}
		if (json)
			event_json_print(stdout, event);
		else
			event_line_print(stdout, event);
		bool ours = is_migration(event, &status);
		bool done = ours && strcmp(status, "completed") == 0;
		bool failed = ours && strcmp(status, "failed") == 0;
		bool late = failed &&
			    json_object_get_boolean(member_of(member_of(event, "data"), "timeout"));
		if (done && !json)
			tell_left_behind(event);
		json_object_put(event);
		if (done || failed)
			return done ? EXIT_OK : late ? EXIT_TIMEOUT : EXIT_FAILED;
	}
}

int verb_migrate(int argc, char **argv)
{
	struct options o = { .seconds = MIGRATION_SECONDS };
	struct error err = { 0 };
	int code = parse(argc, argv, &o);

	if (code != EXIT_OK)
		return code;
	struct client *c = open_guest(o.name, &code);
	if (!c)
		return code;
	catch_signals();
	json_object *arguments = json_object_new_object();
	json_object_object_add(arguments, "uri", json_object_new_string(o.uri));
	json_object_object_add(arguments, "timeout", json_object_new_int64((int64_t)o.seconds));
	if (client_call(c, "migrate", arguments, NULL, &err) < 0)
		code = fail(&err);
	else
		code = follow(c, o.json);
	client_close(c);
	return code;
}
