#include "cli/talk.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/exit.h"
#include "cli/verbs.h"

int fail(const struct error *err)
{
	fprintf(stderr, "anynic: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
	return exit_code_of(err->code);
}

int fail_usage(const char *verb, const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "anynic %s: ", verb);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	usage_hint(verb);
	return EXIT_USAGE;
}

int only_guest(char name[PLACE_NAME], struct error *err)
{
	char names[GUESTS_MAX][PLACE_NAME];
	unsigned n = place_list(names, GUESTS_MAX);

	if (n == 0)
		return error_set(err, -ENOENT, "no guest is running: start one with `anynic run`");
	if (n > 1)
		return error_set(err, -EINVAL, "%u guests are running (%s, %s%s): name one", n,
				 names[0], names[1], n > 2 ? ", ..." : "");
	str_copy(name, PLACE_NAME, names[0]);
	return 0;
}

struct client *open_guest(const char *guest, int *code)
{
	struct error err = { 0 };
	char name[PLACE_NAME];

	if (!guest && only_guest(name, &err) < 0) {
		*code = fail(&err);
		return NULL;
	}
	struct client *c = client_open(guest ? guest : name, &err);
	if (!c)
		*code = fail(&err);
	return c;
}

bool guest_is_live(const char *name)
{
	int fd = place_connect(name, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

json_object *member_of(json_object *object, const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value;
}

const char *text_of(json_object *object, const char *name)
{
	json_object *value = member_of(object, name);

	return value ? json_object_get_string(value) : "";
}

int end_guest(struct client *c, const char *command, uint64_t seconds)
{
	struct error err = { 0 };
	uint64_t end = monotonic_ns() + seconds * NS_PER_S;

	int rc = client_call(c, command, NULL, NULL, &err);
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
