#include "control/qmp.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "control/json_text.h"

const char *const qmp_error_class_names[] = {
	[QMP_GENERIC_ERROR] = "GenericError",	   [QMP_COMMAND_NOT_FOUND] = "CommandNotFound",
	[QMP_DEVICE_NOT_FOUND] = "DeviceNotFound", [QMP_INVALID_PARAMETER] = "InvalidParameter",
	[QMP_NOT_SUPPORTED] = "NotSupported",	   [QMP_TIMED_OUT] = "TimedOut",
};
NAMES_MATCH(qmp_error_class_names, QMP_ERROR_CLASS_COUNT);

#define INPUT_ROOM 16384u

/* Text on its way to a client. */
struct output {
	char *data;
	size_t at, length, room;
};

struct qmp_client {
	struct loop_source source;
	uint64_t id;
	bool negotiated;
	bool ended;	      /* the client sends no more; it still gets its answers */
	bool dead;	      /* disconnected; freed at the next safe moment */
	bool handed_out;      /* `command` is with the owner */
	json_object *message; /* the command under way; NULL = none */
	struct json_text text;
	char input[INPUT_ROOM];
	size_t input_at, input_length;
	struct output output;
};

struct qmp_server {
	struct loop *loop;
	struct loop_source listener;
	unsigned client_kind;
	uint64_t next_id;
	struct qmp_client *client[QMP_CLIENTS_MAX];
	unsigned clients;
	unsigned turn; /* where qmp_server_next looks first */
};

/* --- clients ---------------------------------------------------------------------------------------------------- */

static void disconnect(struct qmp_server *s, struct qmp_client *c)
{
	if (c->dead)
		return;
	c->dead = true;
	loop_unwatch(s->loop, &c->source);
	fd_close(&c->source.fd);
}

static void free_client(struct qmp_client *c)
{
	json_object_put(c->message);
	json_text_finish(&c->text);
	free(c->output.data);
	free(c);
}

static void reap(struct qmp_server *s)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->clients; i++) {
		if (s->client[i]->dead)
			free_client(s->client[i]);
		else
			s->client[kept++] = s->client[i];
	}
	if (kept < s->clients && s->listener.fd >= 0)
		loop_watch(s->loop, &s->listener, EPOLLIN);
	s->clients = kept;
}

static struct qmp_client *find_client(struct qmp_server *s, uint64_t id)
{
	for (unsigned i = 0; i < s->clients; i++)
		if (s->client[i]->id == id && !s->client[i]->dead)
			return s->client[i];
	return NULL;
}

static size_t waiting(const struct qmp_client *c)
{
	return c->output.length - c->output.at;
}

/* Reads only when the last command is done: a client cannot pile up work. */
static void watch(struct qmp_server *s, struct qmp_client *c)
{
	uint32_t events = 0;

	if (c->dead)
		return;
	if (!c->message && !c->ended && c->input_at == c->input_length)
		events |= EPOLLIN;
	if (waiting(c))
		events |= EPOLLOUT;
	/* a hang-up is always reported by a watched descriptor; with nothing to do it is found with the next answer */
	if (loop_watch(s->loop, &c->source, events) < 0)
		disconnect(s, c);
}

/* --- output ----------------------------------------------------------------------------------------------------- */

static void flush(struct qmp_server *s, struct qmp_client *c)
{
	struct output *o = &c->output;

	while (!c->dead && o->at < o->length) {
		ssize_t n = send(c->source.fd, o->data + o->at, o->length - o->at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			disconnect(s, c);
			return;
		}
		o->at += (size_t)n;
	}
	if (o->at == o->length)
		o->at = o->length = 0;
	watch(s, c);
}

static bool reserve(struct output *o, size_t more)
{
	if (o->at && o->room - o->length < more) {
		memmove(o->data, o->data + o->at, o->length - o->at);
		o->length -= o->at;
		o->at = 0;
	}
	if (o->room - o->length >= more)
		return true;
	size_t room = MAX(2 * o->room, o->length + more);
	char *data = realloc(o->data, room);
	if (!data)
		return false;
	o->data = data;
	o->room = room;
	return true;
}

static void put_line(struct qmp_server *s, struct qmp_client *c, const char *text, size_t length)
{
	if (c->dead)
		return;
	/* what the socket takes does not count: only what has to wait here */
	if (waiting(c) + length + 2 > QMP_PENDING_MAX || !reserve(&c->output, length + 2)) {
		disconnect(s, c);
		return;
	}
	struct output *o = &c->output;
	memcpy(o->data + o->length, text, length);
	memcpy(o->data + o->length + length, "\r\n", 2); /* as QEMU ends its lines */
	o->length += length + 2;
	flush(s, c);
}

static void put_json(struct qmp_server *s, struct qmp_client *c, json_object *value)
{
	size_t length;
	const char *text = json_object_to_json_string_length(
		value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);

	if (text)
		put_line(s, c, text, length);
	else
		disconnect(s, c);
}

static void put_error(struct qmp_server *s, struct qmp_client *c, enum qmp_error_class class,
		      const char *desc, json_object *id)
{
	json_object *reply = json_object_new_object();
	json_object *error = json_object_new_object();

	json_object_object_add(error, "class",
			       json_object_new_string(name_of(qmp_error_class_names,
							      QMP_ERROR_CLASS_COUNT, class)));
	json_object_object_add(error, "desc", json_object_new_string(desc));
	json_object_object_add(reply, "error", error);
	if (id)
		json_object_object_add(reply, "id", json_object_get(id));
	put_json(s, c, reply);
	json_object_put(reply);
}

json_object *qmp_version(void)
{
	unsigned major = 0, minor = 0, micro = 0;
	json_object *version = json_object_new_object();
	json_object *number = json_object_new_object();

	/* the member is called qemu because QMP clients look for it there; the numbers are ours */
	sscanf(ANYNIC_VERSION, "%u.%u.%u", &major, &minor, &micro);
	json_object_object_add(number, "micro", json_object_new_int((int)micro));
	json_object_object_add(number, "minor", json_object_new_int((int)minor));
	json_object_object_add(number, "major", json_object_new_int((int)major));
	json_object_object_add(version, "qemu", number);
	json_object_object_add(version, "package",
			       json_object_new_string("anynic-" ANYNIC_VERSION));
	return version;
}

static void greet(struct qmp_server *s, struct qmp_client *c)
{
	json_object *greeting = json_object_new_object();
	json_object *qmp = json_object_new_object();

	json_object_object_add(qmp, "version", qmp_version());
	json_object_object_add(qmp, "capabilities", json_object_new_array());
	json_object_object_add(greeting, "QMP", qmp);
	put_json(s, c, greeting);
	json_object_put(greeting);
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static json_object *member(json_object *object, const char *name)
{
	json_object *value = NULL;

	json_object_object_get_ex(object, name, &value);
	return value;
}

static void forget_message(struct qmp_client *c)
{
	json_object_put(c->message);
	c->message = NULL;
	c->handed_out = false;
}

static void refuse(struct qmp_server *s, struct qmp_client *c, enum qmp_error_class class,
		   const char *fmt, ...) PRINTF(4, 5);

/* Answers the command under way with an error. */
static void refuse(struct qmp_server *s, struct qmp_client *c, enum qmp_error_class class,
		   const char *fmt, ...)
{
	char desc[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(desc, sizeof(desc), fmt, args);
	va_end(args);
	json_object *id =
		json_object_is_type(c->message, json_type_object) ? member(c->message, "id") : NULL;
	put_error(s, c, class, desc, id);
	forget_message(c);
	watch(s, c);
}

/* The command's name, or NULL when it is no string or holds a NUL. */
static const char *command_name(json_object *message)
{
	json_object *execute = member(message, "execute");

	if (!json_object_is_type(execute, json_type_string))
		return NULL;
	const char *name = json_object_get_string(execute);
	return strlen(name) == (size_t)json_object_get_string_len(execute) ? name : NULL;
}

/* False when the message is no command; it was answered then. */
static bool message_is_command(struct qmp_server *s, struct qmp_client *c)
{
	if (!json_object_is_type(c->message, json_type_object)) {
		refuse(s, c, QMP_GENERIC_ERROR, "QMP input must be a JSON object");
		return false;
	}
	json_object_object_foreach(c->message, key, value)
	{
		if (strcmp(key, "execute") == 0 || strcmp(key, "id") == 0)
			continue;
		if (strcmp(key, "arguments") != 0) {
			refuse(s, c, QMP_GENERIC_ERROR, "QMP input member '%s' is unexpected", key);
			return false;
		}
		if (!json_object_is_type(value, json_type_object)) {
			refuse(s, c, QMP_GENERIC_ERROR,
			       "QMP input member 'arguments' must be an object");
			return false;
		}
	}
	if (!json_object_object_get_ex(c->message, "execute", NULL)) {
		refuse(s, c, QMP_GENERIC_ERROR, "QMP input lacks member 'execute'");
		return false;
	}
	if (!command_name(c->message)) {
		refuse(s, c, QMP_GENERIC_ERROR, "QMP input member 'execute' must be a string");
		return false;
	}
	return true;
}

/* qmp_capabilities: this server has none that could be enabled. */
static void negotiate(struct qmp_server *s, struct qmp_client *c)
{
	json_object *arguments = member(c->message, "arguments");

	if (c->negotiated) {
		refuse(s, c, QMP_COMMAND_NOT_FOUND,
		       "Capabilities negotiation is already complete, command ignored");
		return;
	}
	if (arguments) {
		json_object_object_foreach(arguments, key, value)
		{
			if (strcmp(key, "enable") != 0) {
				refuse(s, c, QMP_GENERIC_ERROR, "Parameter '%s' is unexpected",
				       key);
				return;
			}
			if (!json_object_is_type(value, json_type_array)) {
				refuse(s, c, QMP_GENERIC_ERROR,
				       "Invalid parameter type for 'enable', expected: array");
				return;
			}
			if (json_object_array_length(value)) {
				refuse(s, c, QMP_GENERIC_ERROR, "Capability %s is not available",
				       json_object_to_json_string(
					       json_object_array_get_idx(value, 0)));
				return;
			}
		}
	}
	c->negotiated = true;
	qmp_reply(s, c->id, json_object_new_object());
}

/* A text is complete: answers it here, or leaves it for qmp_server_next. */
static void take_text(struct qmp_server *s, struct qmp_client *c)
{
	json_object *message = json_text_parse(&c->text);

	if (!message) {
		put_error(s, c, QMP_GENERIC_ERROR, c->text.problem, NULL);
		return;
	}
	c->message = message;
	if (!message_is_command(s, c))
		return;
	if (strcmp(command_name(message), "qmp_capabilities") == 0)
		negotiate(s, c);
	else if (!c->negotiated)
		refuse(s, c, QMP_COMMAND_NOT_FOUND,
		       "Expecting capabilities negotiation with 'qmp_capabilities'");
}

/* Works on the input until a command is there for the owner. */
static void pump(struct qmp_server *s, struct qmp_client *c)
{
	while (!c->dead && !c->message && c->input_at < c->input_length) {
		enum json_text_state state;
		c->input_at += json_text_feed(&c->text, c->input + c->input_at,
					      c->input_length - c->input_at, &state);
		if (state == JSON_TEXT_COMPLETE)
			take_text(s, c);
		else if (state == JSON_TEXT_BAD)
			put_error(s, c, QMP_GENERIC_ERROR, c->text.problem, NULL);
	}
	if (c->ended && !c->message && c->input_at == c->input_length && !waiting(c))
		disconnect(s, c);
	else
		watch(s, c);
}

static void receive(struct qmp_server *s, struct qmp_client *c)
{
	ssize_t n = recv(c->source.fd, c->input, sizeof(c->input), MSG_DONTWAIT);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		disconnect(s, c);
		return;
	}
	c->ended = n == 0;
	c->input_at = 0;
	c->input_length = (size_t)n;
}

/* --- what the owner calls --------------------------------------------------------------------------------------- */

struct qmp_server *qmp_server_create(int listen_fd, struct loop *loop, unsigned listen_kind,
				     unsigned client_kind, struct error *err)
{
	struct qmp_server *s = calloc(1, sizeof(*s));

	if (!s) {
		fd_close(&listen_fd);
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	s->loop = loop;
	s->client_kind = client_kind;
	s->listener = (struct loop_source){ .fd = listen_fd, .kind = listen_kind, .owner = s };
	int rc = listen_fd < 0 ? 0 : fd_set_nonblock(listen_fd, true);
	if (rc == 0 && listen_fd >= 0)
		rc = loop_watch(loop, &s->listener, EPOLLIN);
	if (rc < 0) {
		error_set(err, rc, "control socket: %s", strerror(-rc));
		qmp_server_destroy(s);
		return NULL;
	}
	return s;
}

void qmp_server_destroy(struct qmp_server *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->clients; i++)
		disconnect(s, s->client[i]);
	loop_unwatch(s->loop, &s->listener);
	fd_close(&s->listener.fd);
	reap(s);
	free(s);
}

int qmp_server_add(struct qmp_server *s, int fd)
{
	struct qmp_client *c = s->clients < QMP_CLIENTS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		fd_close(&fd);
		return -ENOMEM;
	}
	c->id = ++s->next_id;
	c->source = (struct loop_source){ .fd = fd, .kind = s->client_kind, .owner = c };
	json_text_init(&c->text, QMP_COMMAND_MAX);
	s->client[s->clients++] = c;
	if (s->clients == QMP_CLIENTS_MAX)
		loop_unwatch(s->loop, &s->listener);
	greet(s, c);
	return 0;
}

void qmp_server_accept(struct qmp_server *s)
{
	int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		qmp_server_add(s, fd);
	else if (errno == EMFILE || errno == ENFILE)
		loop_unwatch(s->loop, &s->listener); /* until a client leaves */
}

void qmp_server_serve(struct qmp_server *s, struct qmp_client *c, uint32_t events)
{
	if (events & EPOLLOUT)
		flush(s, c);
	if (c->dead)
		return;
	if (events & EPOLLIN)
		receive(s, c);
	else if (events & (EPOLLHUP | EPOLLERR))
		disconnect(s, c);
	if (!c->dead)
		pump(s, c);
}

bool qmp_server_next(struct qmp_server *s, struct qmp_request *request)
{
	reap(s);
	for (unsigned i = 0; i < s->clients; i++) {
		struct qmp_client *c = s->client[(s->turn + i) % s->clients];
		pump(s, c);
		if (c->dead || !c->message || c->handed_out)
			continue;
		c->handed_out = true;
		s->turn = (s->turn + i + 1) % s->clients;
		*request = (struct qmp_request){ .client = c->id,
						 .command = command_name(c->message),
						 .arguments = member(c->message, "arguments") };
		return true;
	}
	return false;
}

void qmp_reply(struct qmp_server *s, uint64_t client, json_object *value)
{
	struct qmp_client *c = find_client(s, client);

	if (!c || !c->message) {
		json_object_put(value);
		return;
	}
	json_object *reply = json_object_new_object();
	json_object *id = member(c->message, "id");
	json_object_object_add(reply, "return", value);
	if (id)
		json_object_object_add(reply, "id", json_object_get(id));
	forget_message(c);
	put_json(s, c, reply);
	json_object_put(reply);
	watch(s, c);
}

void qmp_reply_error(struct qmp_server *s, uint64_t client, enum qmp_error_class class,
		     const char *fmt, ...)
{
	struct qmp_client *c = find_client(s, client);
	char desc[512];
	va_list args;

	if (!c || !c->message)
		return;
	va_start(args, fmt);
	vsnprintf(desc, sizeof(desc), fmt, args);
	va_end(args);
	refuse(s, c, class, "%s", desc);
}

void qmp_server_event(struct qmp_server *s, json_object *event)
{
	for (unsigned i = 0; i < s->clients; i++)
		if (s->client[i]->negotiated)
			put_json(s, s->client[i], event);
}

void qmp_server_drain(struct qmp_server *s, int timeout_ms)
{
	uint64_t end = monotonic_ns() + (uint64_t)timeout_ms * NS_PER_MS;

	for (unsigned i = 0; i < s->clients; i++) {
		struct qmp_client *c = s->client[i];
		uint64_t now;
		while (!c->dead && waiting(c) && (now = monotonic_ns()) < end) {
			struct pollfd p = { .fd = c->source.fd, .events = POLLOUT };
			if (poll(&p, 1, (int)((end - now) / NS_PER_MS) + 1) > 0)
				flush(s, c);
		}
	}
}
