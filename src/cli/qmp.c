/* anynic qmp: one command, or a shell. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/event_line.h"
#include "cli/exit.h"
#include "cli/shell.h"
#include "cli/talk.h"
#include "cli/verbs.h"

static void print_value(json_object *value)
{
	puts(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PRETTY |
							   JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
}

/* The arguments object of a command line word. -EINVAL when it is none. */
static int parse_arguments(const char *text, json_object **arguments, struct error *err)
{
	*arguments = json_tokener_parse(text);
	if (!json_object_is_type(*arguments, json_type_object)) {
		json_object_put(*arguments);
		*arguments = NULL;
		return error_set(
			err, -EINVAL,
			"%.100s: the arguments are one JSON object, as in '{\"port\": \"net0\"}'",
			text);
	}
	return 0;
}

static int run_command(struct client *c, const char *command, json_object *arguments)
{
	struct error err = { 0 };
	json_object *value;

	if (client_call(c, command, arguments, &value, &err) < 0)
		return fail(&err);
	print_value(value);
	json_object_put(value);
	return EXIT_OK;
}

/* What a person types for a value: true, 5, {"a": 1}; everything else is a string. */
static json_object *value_of(const char *text)
{
	json_object *value = json_tokener_parse(text);

	if (value && !json_object_is_type(value, json_type_string))
		return value;
	json_object_put(value);
	return json_object_new_string(text);
}

/* One line of the shell: COMMAND [KEY=VALUE]..., or COMMAND {JSON}. */
static void run_line(struct client *c, char *line)
{
	struct error err = { 0 };
	char *rest;
	char *command = strtok_r(line, " \t\n", &rest);

	if (!command)
		return;
	while (*rest == ' ' || *rest == '\t')
		rest++;
	if (strcmp(command, "help") == 0) {
		run_command(c, "query-commands", NULL);
		return;
	}
	json_object *arguments = NULL;
	if (*rest == '{') {
		if (parse_arguments(rest, &arguments, &err) < 0) {
			fail(&err);
			return;
		}
	} else if (*rest) {
		arguments = json_object_new_object();
		for (char *word = strtok_r(NULL, " \t\n", &rest); word;
		     word = strtok_r(NULL, " \t\n", &rest)) {
			char *equals = strchr(word, '=');
			if (!equals) {
				fprintf(stderr, "%s: write KEY=VALUE, or one JSON object\n", word);
				json_object_put(arguments);
				return;
			}
			*equals = '\0';
			json_object_object_add(arguments, word, value_of(equals + 1));
		}
	}
	run_command(c, command, arguments);
}

/* Events that came meanwhile. False when the guest has ended. */
static bool print_events(struct client *c)
{
	json_object *event;
	int rc;

	while ((rc = client_next_event(c, 0, &event)) == 1) {
		event_json_print(stdout, event);
		json_object_put(event);
	}
	if (rc == -EPIPE)
		fputs("anynic: the guest has ended\n", stderr);
	return rc != -EPIPE;
}

static int run_shell(struct client *c, const char *name)
{
	struct shell *shell = shell_open(name, c);

	while (print_events(c)) {
		char *line = shell_read(shell);
		if (!line || strcmp(line, "exit") == 0)
			break;
		run_line(c, line);
	}
	shell_close(shell);
	return EXIT_OK;
}

int verb_qmp(int argc, char **argv)
{
	struct error err = { 0 };
	json_object *arguments = NULL;
	const char *name = argc > 1 ? argv[1] : NULL;
	const char *command = argc > 2 ? argv[2] : NULL;
	const char *text = argc > 3 ? argv[3] : NULL;
	char only[PLACE_NAME];
	int code;

	if (argc > 4 || (name && name[0] == '-'))
		return fail_usage("qmp", "NAME, a command and its arguments as one JSON object");
	/* a first word that is no live guest is a command for the only one */
	if (name && !text && !strchr(name, '/') && !guest_is_live(name) &&
	    only_guest(only, NULL) == 0) {
		text = command;
		command = name;
		name = only;
	}
	if (!name && only_guest(only, NULL) == 0)
		name = only;
	if (text && parse_arguments(text, &arguments, &err) < 0)
		return fail(&err);
	struct client *c = open_guest(name, &code);
	if (!c) {
		json_object_put(arguments);
		return code;
	}
	code = command ? run_command(c, command, arguments) : run_shell(c, name ? name : "anynic");
	client_close(c);
	return code;
}
