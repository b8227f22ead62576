#include "control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "control/json_text.h"
#include "control/place.h"

#define ANSWER_TIMEOUT_MS 10000
#define ANSWER_MAX	  (16u << 20)
#define EVENTS_MAX	  1024u /* that wait while a command is under way */

struct client {
	int fd;
	struct json_text text;
	char input[16384];
	size_t at, length;
	json_object *events; /* array, oldest first */
};

/* The next text of the server: 1, 0 at the deadline (monotonic ns), -EPIPE, -EPROTO, -EINTR. */
static int next_text(struct client *c, uint64_t deadline, json_object **value)
{
	for (;;) {
		while (c->at < c->length) {
			enum json_text_state state;
			c->at += json_text_feed(&c->text, c->input + c->at, c->length - c->at,
						&state);
			if (state == JSON_TEXT_BAD)
				return -EPROTO;
			if (state == JSON_TEXT_MORE)
				break;
			*value = json_text_parse(&c->text);
			return *value ? 1 : -EPROTO;
		}
		uint64_t now = monotonic_ns();
		int left = deadline == UINT64_MAX ? -1
			   : deadline <= now	  ? 0
						  : (int)((deadline - now) / NS_PER_MS) + 1;
		struct pollfd p = { .fd = c->fd, .events = POLLIN };
		int n = poll(&p, 1, left);
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		ssize_t got = recv(c->fd, c->input, sizeof(c->input), 0);
		if (got <= 0)
			return got < 0 && errno == EINTR ? -EINTR : -EPIPE;
		c->at = 0;
		c->length = (size_t)got;
	}
}

static int send_whole(struct client *c, const char *text, size_t length)
{
	while (length) {
		ssize_t n = send(c->fd, text, length, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -EPIPE;
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

static int send_command(struct client *c, const char *command, json_object *arguments)
{
	json_object *message = json_object_new_object();
	size_t length;

	json_object_object_add(message, "execute", json_object_new_string(command));
	if (arguments)
		json_object_object_add(message, "arguments", arguments);
	const char *text =
		json_object_to_json_string_length(message, JSON_C_TO_STRING_PLAIN, &length);
	int rc = text ? send_whole(c, text, length) : -ENOMEM;
	if (rc == 0)
		rc = send_whole(c, "\n", 1);
	json_object_put(message);
	return rc;
}

static const char *text_of(json_object *object, const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value ? json_object_get_string(value) : "";
}

static int server_error(json_object *error, struct error *err)
{
	static const struct {
		const char *class;
		int code;
	} codes[] = {
		{ "DeviceNotFound", -ENOENT },
		{ "InvalidParameter", -EINVAL },
		{ "NotSupported", -ENOTSUP },
		{ "TimedOut", -ETIMEDOUT },
	};
	int code = -EPROTO;

	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++)
		if (strcmp(text_of(error, "class"), codes[i].class) == 0)
			code = codes[i].code;
	return error_set(err, code, "%.480s", text_of(error, "desc"));
}

/* Keeps events until the answer comes. */
static int wait_answer(struct client *c, json_object **value, unsigned ms, struct error *err)
{
	uint64_t deadline = monotonic_ns() + ms * NS_PER_MS;
	json_object *message, *part;

	for (;;) {
		int rc = next_text(c, deadline, &message);
		if (rc == -EINTR)
			continue;
		if (rc == 0)
			return error_set(err, -ETIMEDOUT,
					 "the guest's control process does not answer");
		if (rc < 0)
			return error_set(err, rc,
					 rc == -EPIPE ? "the guest has ended"
						      : "the answer is no QMP");
		if (json_object_object_get_ex(message, "event", NULL)) {
			if (json_object_array_length(c->events) < EVENTS_MAX)
				json_object_array_add(c->events, message);
			else
				json_object_put(message);
			continue;
		}
		if (json_object_object_get_ex(message, "error", &part))
			rc = server_error(part, err);
		else if (json_object_object_get_ex(message, "return", &part))
			rc = 0;
		else
			rc = error_set(err, -EPROTO, "the answer is no QMP");
		if (rc == 0 && value)
			*value = json_object_get(part);
		json_object_put(message);
		return rc;
	}
}

int client_call_for(struct client *c, unsigned ms, const char *command, json_object *arguments,
		    json_object **value, struct error *err)
{
	if (value)
		*value = NULL;
	/* a server that is about to close may still have answered: read before judging */
	send_command(c, command, arguments);
	return wait_answer(c, value, ms, err);
}

int client_call(struct client *c, const char *command, json_object *arguments, json_object **value,
		struct error *err)
{
	return client_call_for(c, ANSWER_TIMEOUT_MS, command, arguments, value, err);
}

static int negotiate(struct client *c, struct error *err)
{
	uint64_t deadline = monotonic_ns() + ANSWER_TIMEOUT_MS * NS_PER_MS;
	json_object *greeting = NULL;

	int rc = next_text(c, deadline, &greeting);
	if (rc == 0)
		return error_set(err, -ETIMEDOUT, "the guest's control process does not answer");
	if (rc < 0 || !json_object_object_get_ex(greeting, "QMP", NULL)) {
		json_object_put(greeting);
		return error_set(err, -EPROTO, "what answers there is no QMP server");
	}
	json_object_put(greeting);
	return client_call(c, "qmp_capabilities", NULL, NULL, err);
}

struct client *client_open(const char *guest, struct error *err)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	json_text_init(&c->text, ANSWER_MAX);
	c->events = json_object_new_array();
	c->fd = place_connect(guest, err);
	if (c->fd < 0 || negotiate(c, err) < 0) {
		client_close(c);
		return NULL;
	}
	return c;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	fd_close(&c->fd);
	json_text_finish(&c->text);
	json_object_put(c->events);
	free(c);
}

int client_next_event(struct client *c, int timeout_ms, json_object **event)
{
	uint64_t deadline =
		timeout_ms < 0 ? UINT64_MAX : monotonic_ns() + (uint64_t)timeout_ms * NS_PER_MS;

	if (json_object_array_length(c->events)) {
		*event = json_object_get(json_object_array_get_idx(c->events, 0));
		json_object_array_del_idx(c->events, 0, 1);
		return 1;
	}
	for (;;) {
		int rc = next_text(c, deadline, event);
		if (rc != 1)
			return rc == -EPROTO ? -EPIPE : rc;
		if (json_object_object_get_ex(*event, "event", NULL))
			return 1;
		json_object_put(*event); /* an answer to nothing */
	}
}

int client_fd(const struct client *c)
{
	return c->fd;
}
