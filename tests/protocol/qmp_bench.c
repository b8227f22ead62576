#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/place.h"
#include "qmp_bench.h"

static const struct port_spec ports[] = {
	{ .id = "net0",
	  .policy = POLICY_SWITCH,
	  .mac = { 0x52, 0x54, 0, 1, 2, 3 },
	  .legacy_delay_ms = 500,
	  .hold_count = 6,
	  .hold_seconds = 60,
	  .nics = 2,
	  .nic = { { .id = "net0-legacy", .model = "rtl8139", .role = ROLE_LEGACY },
		   { .id = "net0-performant", .model = "virtio-net", .role = ROLE_PERFORMANT } },
	  .backend = { .type = "user" } },
	{ .id = "lan0",
	  .policy = POLICY_SINGLE,
	  .nics = 1,
	  .nic = { { .id = "lan0", .model = "virtio-net", .role = ROLE_SINGLE } },
	  .backend = { .type = "null" } },
};

int bench_setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct error err = { 0 };

	assert_int_equal(loop_init(&b->loop, &err), 0);
	assert_int_equal(control_init(&b->control, "test", &b->loop, NULL, ports, 2, &err), 0);
	snprintf(b->path, sizeof(b->path), "/tmp/anynic-test-%d.qmp", (int)getpid());
	int fd = place_listen(b->path, &err);
	assert_true(fd >= 0);
	b->server = qmp_server_create(fd, &b->loop, KIND_QMP_LISTEN, KIND_QMP_CLIENT, &err);
	assert_non_null(b->server);
	commands_init(&b->commands, &b->control, b->server);
	*state = b;
	return 0;
}

int bench_teardown(void **state)
{
	struct bench *b = *state;

	commands_finish(&b->commands);
	qmp_server_destroy(b->server);
	control_finish(&b->control);
	loop_finish(&b->loop);
	unlink(b->path);
	free(b);
	return 0;
}

void turn(struct bench *b)
{
	struct loop_event e;

	while (loop_next(&b->loop, &e, 5) > 0) {
		if (e.kind == KIND_QMP_LISTEN)
			qmp_server_accept(b->server);
		else if (e.kind == KIND_QMP_CLIENT)
			qmp_server_serve(b->server, e.owner, e.events);
		commands_serve(&b->commands);
		for (json_object *event = control_next_event(&b->control); event;
		     event = control_next_event(&b->control)) {
			qmp_server_event(b->server, event);
			json_object_put(event);
		}
	}
}

int connect_client(struct bench *b)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	str_copy(address.sun_path, sizeof(address.sun_path), b->path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	turn(b);
	return fd;
}

int negotiated_client(struct bench *b)
{
	int fd = connect_client(b);

	json_object_put(hear(b, fd));
	say(b, fd, "{\"execute\": \"qmp_capabilities\"}\n");
	expect(b, fd, "{\"return\":{}}");
	return fd;
}

void say_bytes(struct bench *b, int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t n = send(fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			text += n;
			length -= (size_t)n;
		}
		turn(b);
	}
}

void say(struct bench *b, int fd, const char *text)
{
	say_bytes(b, fd, text, strlen(text));
}

static json_object *parse(const char *text, size_t length)
{
	struct json_tokener *tokener = json_tokener_new_ex(256);
	json_object *value = json_tokener_parse_ex(tokener, text, (int)length);

	json_tokener_free(tokener);
	return value;
}

json_object *hear(struct bench *b, int fd)
{
	static char line[3 << 20];
	size_t n = 0;

	for (int tries = 0; n < sizeof(line) && tries < 20;) {
		/* up to and with the newline, nothing of the next message */
		ssize_t got = recv(fd, line + n, sizeof(line) - n, MSG_DONTWAIT | MSG_PEEK);
		if (got == 0)
			return NULL;
		if (got < 0) {
			tries++;
			turn(b);
			continue;
		}
		char *end = memchr(line + n, '\n', (size_t)got);
		size_t take = end ? (size_t)(end - (line + n)) + 1 : (size_t)got;
		n += (size_t)recv(fd, line + n, take, 0);
		if (end)
			return parse(line, n);
	}
	return NULL;
}

void expect(struct bench *b, int fd, const char *json)
{
	json_object *got = hear(b, fd);

	assert_non_null(got);
	assert_string_equal(json_object_to_json_string_ext(got, JSON_C_TO_STRING_PLAIN), json);
	json_object_put(got);
}

const char *expect_error(struct bench *b, int fd, const char *class, const char *words)
{
	static char id[128];
	json_object *got = hear(b, fd), *error, *part;

	assert_non_null(got);
	assert_true(json_object_object_get_ex(got, "error", &error));
	assert_true(json_object_object_get_ex(error, "class", &part));
	assert_string_equal(json_object_get_string(part), class);
	assert_true(json_object_object_get_ex(error, "desc", &part));
	if (!strstr(json_object_get_string(part), words))
		fail_msg("'%s' is not in '%s'", words, json_object_get_string(part));
	id[0] = '\0';
	if (json_object_object_get_ex(got, "id", &part))
		str_copy(id, sizeof(id),
			 json_object_to_json_string_ext(part, JSON_C_TO_STRING_PLAIN));
	json_object_put(got);
	return id;
}

bool is_closed(struct bench *b, int fd)
{
	char waste[4096];

	for (int tries = 0; tries < 5000; tries++) {
		ssize_t n = recv(fd, waste, sizeof(waste), MSG_DONTWAIT);
		if (n == 0)
			return true;
		if (n < 0) {
			struct pollfd p = { .fd = fd, .events = POLLIN };
			turn(b);
			if (poll(&p, 1, 20) == 0)
				return false;
		}
	}
	return false;
}
