#include "qemu/qmp_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/fd.h"

#define DEPTH_MAX  64
#define IN_MAX	   (16u << 20) /* one reply; query-qmp-schema is the longest, well under a megabyte */
#define OUT_MAX	   (4u << 20) /* QEMU does not read: it hangs */
#define READ_CHUNK 65536
#define READ_ROUND 16 /* chunks at one wake-up */

enum qmp_state { QMP_GREETING, QMP_NEGOTIATING, QMP_READY, QMP_CLOSING, QMP_CLOSED };

struct qmp_client {
	int fd;
	enum qmp_state state;
	uint64_t next_id;
	json_tokener *tokener;
	json_object *current; /* what the last item points into */
	json_object *greeting;
	struct buffer in; /* received and not yet parsed, from in_at on */
	size_t in_at;
	size_t partial;	   /* bytes of an unfinished value that the tokener holds */
	struct buffer out; /* to be written, from out_at on */
	size_t out_at;
	int pass_fd; /* -1 = none; it goes with the byte at pass_at of `out` */
	size_t pass_at;
	struct buffer held; /* commands that wait for the negotiation */
	char reason[128];   /* why it is closed */
};

static void close_with(struct qmp_client *c, const char *reason)
{
	if (c->state >= QMP_CLOSING)
		return;
	str_copy(c->reason, sizeof(c->reason), reason);
	c->state = QMP_CLOSING;
}

struct qmp_client *qmp_client_create(int fd, struct error *err)
{
	struct qmp_client *c = calloc(1, sizeof(*c));

	if (c) {
		c->fd = fd;
		c->next_id = 1;
		c->pass_fd = -1;
		c->tokener = json_tokener_new_ex(DEPTH_MAX);
	}
	int rc = fd_set_nonblock(fd, true);
	if (c && c->tokener && rc == 0)
		return c;
	error_set(err, rc < 0 ? rc : -ENOMEM, "QEMU's monitor: %s",
		  strerror(rc < 0 ? -rc : ENOMEM));
	if (c)
		qmp_client_destroy(c);
	else
		close(fd);
	return NULL;
}

void qmp_client_destroy(struct qmp_client *c)
{
	if (!c)
		return;
	fd_close(&c->fd);
	fd_close(&c->pass_fd);
	if (c->tokener)
		json_tokener_free(c->tokener);
	json_object_put(c->current);
	json_object_put(c->greeting);
	buffer_finish(&c->in);
	buffer_finish(&c->out);
	buffer_finish(&c->held);
	free(c);
}

int qmp_client_fd(const struct qmp_client *c)
{
	return c->fd;
}

bool qmp_client_wants_write(const struct qmp_client *c)
{
	return c->state < QMP_CLOSING && c->out_at < c->out.length;
}

/* Keeps what is not done yet, at the front. */
static void drop_front(struct buffer *b, size_t *at)
{
	if (*at == 0)
		return;
	memmove(b->data, b->data + *at, b->length - *at);
	b->length -= *at;
	*at = 0;
}

/* The descriptor goes with its command's first bytes, and what is before it goes alone. */
static ssize_t send_some(struct qmp_client *c)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec piece = { c->out.data + c->out_at, c->out.length - c->out_at };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };

	if (c->pass_fd >= 0 && c->out_at < c->pass_at) {
		piece.iov_len = c->pass_at - c->out_at;
	} else if (c->pass_fd >= 0) {
		m.msg_control = control;
		m.msg_controllen = sizeof(control);
		struct cmsghdr *head = CMSG_FIRSTHDR(&m);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &c->pass_fd, sizeof(int));
	}
	ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0 && m.msg_control)
		fd_close(&c->pass_fd);
	return n;
}

void qmp_client_write(struct qmp_client *c)
{
	while (qmp_client_wants_write(c)) {
		ssize_t n = send_some(c);

		if (n < 0 && errno == EINTR)
			continue;
		/* what QEMU said before it went is still to be read: the end comes from there */
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EPIPE &&
		    errno != ECONNRESET)
			close_with(c, strerror(errno));
		if (n < 0)
			break;
		c->out_at += (size_t)n;
	}
	if (c->pass_fd >= 0)
		c->pass_at -= c->out_at;
	drop_front(&c->out, &c->out_at);
}

void qmp_client_read(struct qmp_client *c)
{
	uint8_t chunk[READ_CHUNK];

	drop_front(&c->in, &c->in_at);
	for (unsigned i = 0; i < READ_ROUND && c->state < QMP_CLOSING; i++) {
		ssize_t n = recv(c->fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			close_with(c, strerror(errno));
		else if (n == 0)
			close_with(c, "QEMU closed its monitor");
		else if (c->in.length + (size_t)n + c->partial > IN_MAX)
			close_with(c, "QEMU's monitor sent too much at once");
		else
			buffer_put(&c->in, chunk, (size_t)n);
		if (c->in.failed)
			close_with(c, "out of memory");
	}
}

/* The next whole JSON value, or NULL: none yet, or (state) it was none. */
static json_object *next_value(struct qmp_client *c)
{
	while (c->in_at < c->in.length) {
		size_t left = c->in.length - c->in_at;
		json_object *o = json_tokener_parse_ex(
			c->tokener, (const char *)c->in.data + c->in_at, (int)left);
		enum json_tokener_error e = json_tokener_get_error(c->tokener);

		if (e == json_tokener_continue) {
			c->partial += left;
			c->in_at = c->in.length;
			return NULL;
		}
		if (e != json_tokener_success || !json_object_is_type(o, json_type_object)) {
			json_object_put(o);
			/* what was read of it is no longer trusted, nor is what follows */
			c->in_at = c->in.length;
			close_with(c, "QEMU's monitor sent something that is no QMP");
			return NULL;
		}
		c->in_at += json_tokener_get_parse_end(c->tokener);
		c->partial = 0;
		return o;
	}
	return NULL;
}

static void queue(struct buffer *to, json_object *command)
{
	const char *text = json_object_to_json_string_ext(command, JSON_C_TO_STRING_PLAIN);

	buffer_put(to, text, strlen(text));
	buffer_put(to, "\r\n", 2);
	json_object_put(command);
}

static json_object *command_of(const char *name, uint64_t id, json_object *arguments)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "execute", json_object_new_string(name));
	if (arguments)
		json_object_object_add(o, "arguments", arguments);
	json_object_object_add(o, "id", json_object_new_int64((int64_t)id));
	return o;
}

uint64_t qmp_client_send(struct qmp_client *c, const char *command, json_object *arguments)
{
	if (c->state >= QMP_CLOSING) {
		json_object_put(arguments);
		return 0;
	}
	uint64_t id = c->next_id++;
	queue(c->state == QMP_READY ? &c->out : &c->held, command_of(command, id, arguments));
	if (c->out.failed || c->held.failed ||
	    c->out.length - c->out_at + c->held.length > OUT_MAX) {
		close_with(c, "QEMU does not read its monitor");
		return 0;
	}
	qmp_client_write(c);
	return id;
}

uint64_t qmp_client_send_fd(struct qmp_client *c, const char *command, json_object *arguments,
			    int fd)
{
	int copy = c->state == QMP_READY && c->pass_fd < 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

	if (copy < 0) {
		json_object_put(arguments);
		return 0;
	}
	c->pass_fd = copy;
	c->pass_at = c->out.length;
	return qmp_client_send(c, command, arguments);
}

static const char *text_member(json_object *o, const char *key)
{
	json_object *member;

	return json_object_object_get_ex(o, key, &member) &&
			       json_object_is_type(member, json_type_string)
		       ? json_object_get_string(member)
		       : "";
}

static uint64_t number_member(json_object *o, const char *key)
{
	json_object *member;

	return json_object_object_get_ex(o, key, &member) ? (uint64_t)json_object_get_int64(member)
							  : 0;
}

static void fill_event(struct qmp_item *item, json_object *o)
{
	json_object *stamp;

	item->kind = QMP_ITEM_EVENT;
	item->name = text_member(o, "event");
	item->data = NULL;
	json_object_object_get_ex(o, "data", &item->data);
	if (json_object_object_get_ex(o, "timestamp", &stamp)) {
		item->seconds = number_member(stamp, "seconds");
		item->microseconds = number_member(stamp, "microseconds");
	}
}

/* The reply to qmp_capabilities: what was held may go. */
static void negotiated(struct qmp_client *c, struct qmp_item *item, bool ok)
{
	if (!ok) {
		close_with(c, "QEMU refused qmp_capabilities");
		return;
	}
	c->state = QMP_READY;
	buffer_put(&c->out, c->held.data, c->held.length);
	c->held.length = 0;
	qmp_client_write(c);
	item->kind = QMP_ITEM_READY;
	item->data = c->greeting;
}

/* One value from QEMU as an item. False: nothing that the caller must see. */
static bool fill_item(struct qmp_client *c, struct qmp_item *item, json_object *o)
{
	json_object *member;

	if (json_object_object_get_ex(o, "QMP", &member)) {
		if (c->state != QMP_GREETING)
			return false;
		c->greeting = json_object_get(member);
		c->state = QMP_NEGOTIATING;
		queue(&c->out, command_of("qmp_capabilities", 0, NULL));
		qmp_client_write(c);
		return false;
	}
	if (json_object_object_get_ex(o, "event", &member)) {
		fill_event(item, o);
		return true;
	}
	item->id = number_member(o, "id");
	bool ok = json_object_object_get_ex(o, "return", &item->data);
	if (c->state == QMP_NEGOTIATING) {
		negotiated(c, item, ok);
		return c->state == QMP_READY;
	}
	if (!ok && !json_object_object_get_ex(o, "error", &member))
		return false;
	item->kind = ok ? QMP_ITEM_REPLY : QMP_ITEM_ERROR;
	if (!ok) {
		item->name = text_member(member, "class");
		item->text = text_member(member, "desc");
	}
	return true;
}

bool qmp_client_next(struct qmp_client *c, struct qmp_item *item)
{
	json_object *o;

	if (c->state == QMP_CLOSED)
		return false;
	while ((o = next_value(c)) != NULL) {
		json_object_put(c->current);
		c->current = o;
		*item = (struct qmp_item){ .name = "", .text = "" };
		if (fill_item(c, item, o))
			return true;
	}
	if (c->state != QMP_CLOSING)
		return false;
	*item = (struct qmp_item){ .kind = QMP_ITEM_CLOSED, .name = "", .text = c->reason };
	c->state = QMP_CLOSED;
	return true;
}

uint64_t qmp_client_device_add(struct qmp_client *c, json_object *device)
{
	return qmp_client_send(c, "device_add", device);
}

uint64_t qmp_client_device_del(struct qmp_client *c, const char *id)
{
	json_object *arguments = json_object_new_object();

	json_object_object_add(arguments, "id", json_object_new_string(id));
	return qmp_client_send(c, "device_del", arguments);
}

uint64_t qmp_client_system_reset(struct qmp_client *c)
{
	return qmp_client_send(c, "system_reset", NULL);
}

uint64_t qmp_client_announce(struct qmp_client *c, const char *nic)
{
	static const struct {
		const char *name;
		int value;
	} rounds[] = { { "initial", 10 }, { "max", 550 }, { "rounds", 5 }, { "step", 100 } };
	json_object *arguments = json_object_new_object();

	for (unsigned i = 0; i < ARRAY_SIZE(rounds); i++)
		json_object_object_add(arguments, rounds[i].name,
				       json_object_new_int(rounds[i].value));
	if (nic) {
		json_object *nics = json_object_new_array();

		json_object_array_add(nics, json_object_new_string(nic));
		json_object_object_add(arguments, "interfaces", nics);
		json_object_object_add(arguments, "id", json_object_new_string(nic));
	}
	return qmp_client_send(c, "announce-self", arguments);
}

uint64_t qmp_client_set_link(struct qmp_client *c, const char *name, bool up)
{
	json_object *arguments = json_object_new_object();

	json_object_object_add(arguments, "name", json_object_new_string(name));
	json_object_object_add(arguments, "up", json_object_new_boolean(up));
	return qmp_client_send(c, "set_link", arguments);
}

uint64_t qmp_client_cont(struct qmp_client *c)
{
	return qmp_client_send(c, "cont", NULL);
}

uint64_t qmp_client_quit(struct qmp_client *c)
{
	return qmp_client_send(c, "quit", NULL);
}

uint64_t qmp_client_query_status(struct qmp_client *c)
{
	return qmp_client_send(c, "query-status", NULL);
}

uint64_t qmp_client_query_cpus(struct qmp_client *c)
{
	return qmp_client_send(c, "query-cpus-fast", NULL);
}

bool qmp_status_is_running(json_object *data)
{
	json_object *running;

	return json_object_object_get_ex(data, "running", &running) &&
	       json_object_get_boolean(running);
}

unsigned qmp_cpu_count(json_object *data)
{
	return json_object_is_type(data, json_type_array) ? (unsigned)json_object_array_length(data)
							  : 0;
}
