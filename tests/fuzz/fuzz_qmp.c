/* Text into the control socket: parser, negotiation, commands. Whatever came, every line out is JSON, and after a 0xff (start
 * afresh) the connection answers a good command, unless the server hung up on a client that owed it too much.
 *
 * First byte: bit 0 negotiates beforehand; the rest + 1 is how many bytes go in at once.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct port_spec ports[] = {
	{ .id = "net0",
	  .policy = POLICY_SWITCH,
	  .legacy_delay_ms = 500,
	  .hold_count = 6,
	  .hold_seconds = 60,
	  .nics = 2,
	  .nic = { { .id = "net0-legacy", .model = "rtl8139", .role = ROLE_LEGACY },
		   { .id = "net0-performant", .model = "virtio-net", .role = ROLE_PERFORMANT } },
	  .backend = { .type = "user" } },
};

struct world {
	struct loop loop;
	struct control control;
	struct datapath datapath;
	struct qmp_server *server;
	struct commands commands;
	int client, peer;
	bool hung_up;
	char *heard;
	size_t length, room;
};

static void hear(struct world *w)
{
	for (;;) {
		if (w->room - w->length < 65536) {
			w->room = 2 * w->room + 131072;
			w->heard = realloc(w->heard, w->room);
			if (!w->heard)
				abort();
		}
		ssize_t n =
			recv(w->client, w->heard + w->length, w->room - w->length, MSG_DONTWAIT);
		if (n == 0)
			w->hung_up = true;
		if (n <= 0)
			return;
		w->length += (size_t)n;
	}
}

/* The datapath's part: it answers what it is asked for. */
static bool serve_datapath(struct world *w)
{
	static struct message m;
	bool asked = false;

	while (message_receive(w->peer, &m) == 1) {
		asked = true;
		if (m.type == MSG_COUNTERS_GET)
			commands_counters_came(&w->commands, m.seq);
	}
	return asked;
}

static void turn(struct world *w)
{
	struct loop_event e;

	for (;;) {
		int n = loop_next(&w->loop, &e, 0);
		if (n > 0 && e.kind == KIND_QMP_CLIENT)
			qmp_server_serve(w->server, e.owner, e.events);
		else if (n > 0)
			control_timer(&w->control, e.kind, e.owner);
		commands_serve(&w->commands);
		for (json_object *event = control_next_event(&w->control); event;
		     event = control_next_event(&w->control)) {
			qmp_server_event(w->server, event);
			json_object_put(event);
		}
		hear(w);
		if (!serve_datapath(w) && n <= 0)
			return;
	}
}

static void say(struct world *w, const void *text, size_t length)
{
	const char *at = text;

	while (length && !w->hung_up) {
		ssize_t n = send(w->client, at, length, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			at += n;
			length -= (size_t)n;
		}
		turn(w);
		if (n < 0)
			hear(w);
	}
}

/* Every line is one JSON document. True when one of them answers the last command. */
static bool all_is_json(const struct world *w)
{
	struct json_tokener *tokener = json_tokener_new_ex(256);
	bool answered = false;

	for (size_t at = 0; at < w->length;) {
		const char *end = memchr(w->heard + at, '\n', w->length - at);
		if (!end)
			break; /* cut by a hang-up */
		size_t length = (size_t)(end - (w->heard + at));
		json_tokener_reset(tokener);
		json_object *line = json_tokener_parse_ex(tokener, w->heard + at, (int)length), *id;
		if (!json_object_is_type(line, json_type_object))
			abort();
		if (json_object_object_get_ex(line, "id", &id) &&
		    json_object_is_type(id, json_type_string) &&
		    strcmp(json_object_get_string(id), "the last one") == 0)
			answered = true;
		json_object_put(line);
		at += length + 1;
	}
	json_tokener_free(tokener);
	return answered;
}

static void open_world(struct world *w)
{
	int pair[2], qmp[2];

	if (loop_init(&w->loop, NULL) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, qmp) < 0)
		abort();
	datapath_adopt(&w->datapath, pair[0]);
	w->peer = pair[1];
	fd_set_nonblock(w->peer, true);
	w->client = qmp[0];
	control_init(&w->control, "fuzz", &w->loop, &w->datapath, ports, ARRAY_SIZE(ports), NULL);
	control_start(&w->control);
	w->server = qmp_server_create(-1, &w->loop, KIND_QMP_LISTEN, KIND_QMP_CLIENT, NULL);
	commands_init(&w->commands, &w->control, w->server);
	if (qmp_server_add(w->server, qmp[1]) < 0)
		abort();
}

static void close_world(struct world *w)
{
	commands_finish(&w->commands);
	qmp_server_destroy(w->server);
	control_finish(&w->control);
	datapath_finish(&w->datapath);
	loop_finish(&w->loop);
	close(w->client);
	close(w->peer);
	free(w->heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char capabilities[] = "{\"execute\":\"qmp_capabilities\"}\n";
	static const char last[] =
		"\xff\n{\"execute\":\"query-version\",\"id\":\"the last one\"}\n";
	struct world w = { 0 };

	if (size < 1)
		return 0;
	log_set_level(LOG_ERROR);
	open_world(&w);
	if (data[0] & 1)
		say(&w, capabilities, sizeof(capabilities) - 1);
	size_t step = (size_t)(data[0] >> 1) * 16 + 1;
	for (size_t at = 1; at < size; at += step)
		say(&w, data + at, MIN(step, size - at));
	say(&w, last, sizeof(last) - 1);
	turn(&w);
	hear(&w);
	if (!all_is_json(&w) && !w.hung_up)
		abort();
	close_world(&w);
	return 0;
}
