/* plug_world.h - ports that come and go, and the functions of teams, with the test in the place of QEMU, of the host and of who asks: service.c's
 * turn of the loop, without its process. Included once by a test program.
 */
#ifndef ANYNIC_TESTS_PLUG_WORLD_H
#define ANYNIC_TESTS_PLUG_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "cli/guest.h"
#include "cli/port_order.h"
#include "cli/service.h"
#include "host/hostdev.h"
#include "host/network_pool.h"

#define CLIENT 7

struct plug_world {
	struct service s;
	struct guest guest;
	int peer; /* QEMU's end of the monitor */
	char heard[16384];
	size_t heard_len;
	/* the next answer of the host */
	int open_rc, take_rc, set_rc;
	/* what was done, in order: "open net1, close net1" */
	char host[512];
	/* who asked */
	struct port_order order;
	bool asks;
	struct port_spec wanted; /* port_order_add's */
	unsigned place;		 /* where it gets one */
	bool kills;		 /* cards that anynic serves would end QEMU when they go */
	unsigned done;
	struct error failed;
};

static struct plug_world *world;

static uint64_t now_ns = NS_PER_S;
uint64_t __wrap_monotonic_ns(void);
uint64_t __wrap_monotonic_ns(void)
{
	return now_ns;
}

static void did(const char *what, const char *name)
{
	size_t at = strlen(world->host);

	snprintf(world->host + at, sizeof(world->host) - at, "%s%s %s", at ? ", " : "", what, name);
}

/* Since the last time this was asked. */
static void assert_host(const char *expected)
{
	assert_string_equal(world->host, expected);
	world->host[0] = '\0';
}

/* --- what the service has of others ------------------------------------------------------------------------------------ */

int service_open_port(struct service *s, unsigned port, struct error *err)
{
	did("open", s->spec[port].id);
	if (world->open_rc < 0)
		return error_set(err, world->open_rc, "the host has none");
	transient_init(&s->port[port].transient, &s->spec[port], port);
	for (unsigned n = 0; n < s->spec[port].nics; n++)
		if (s->spec[port].nic[n].netdev == NETDEV_HOSTDEV)
			str_copy(s->port[port].backend[n].pci, 16, "0000:03:10.2");
		else if (s->spec[port].nic[n].netdev == NETDEV_TAP)
			s->port[port].backend[n].nfds = 1; /* descriptor 0 */
	return 0;
}

void service_close_port(struct service *s, unsigned port)
{
	did("close", s->spec[port].id);
	transient_stop(s, &s->port[port].transient);
	s->port[port] = (struct service_port){ 0 };
	transient_init(&s->port[port].transient, &s->spec[port], port);
}

void service_read_datapath(struct service *s)
{
	(void)s;
}

bool service_nic_socket(const struct service *s, const struct nic_spec *nic, char path[SOCKET_PATH])
{
	(void)s;
	return snprintf(path, SOCKET_PATH, "/run/x/%s.sock", nic->id) < SOCKET_PATH;
}

void service_backend_request(struct service *s, unsigned port, unsigned nic,
			     struct backend_request *request)
{
	*request = (struct backend_request){ .port = s->spec[port].nic[nic].id };
}

int port_order_add(struct service *s, const struct port_order *order, struct guest *more,
		   struct error *err)
{
	(void)s;
	(void)order;
	(void)err;
	memset(more, 0, sizeof(*more));
	more->port[0] = world->wanted;
	return (int)world->place;
}

int port_order_remove(const struct service *s, const struct port_order *order, struct error *err)
{
	(void)err;
	for (unsigned i = 0; i < PORTS_MAX; i++)
		if (strcmp(s->spec[i].id, order->port) == 0)
			return (int)i;
	return -ENOENT;
}

bool port_order_kills_qemu(const struct nic_spec *nic)
{
	return world->kills && nic->netdev == NETDEV_NONE;
}

void guest_find_signals(const struct guest *guest, struct qemu_signals *signals)
{
	(void)guest;
	(void)signals;
}

const char *guest_network_of(const struct guest *guest, const char *alias)
{
	(void)guest;
	(void)alias;
	return "lan";
}

void guest_give_back_networks(const struct guest *guest)
{
	did("give back", guest->port[0].id);
}

/* --- what libraries do: wrapped ------------------------------------------------------------------------------------------ */

void __wrap_network_pool_release(struct vf_host *host, const char *network, const char *pci,
				 const struct vf_owner *owner);
void __wrap_network_pool_release(struct vf_host *host, const char *network, const char *pci,
				 const struct vf_owner *owner)
{
	(void)host;
	(void)pci;
	(void)owner;
	did("release", network);
}

int __wrap_host_backend_open(const struct backend_request *request, struct opened_backend *out,
			     struct error *err);
int __wrap_host_backend_open(const struct backend_request *request, struct opened_backend *out,
			     struct error *err)
{
	did("take", request->port);
	if (world->take_rc < 0)
		return error_set(err, world->take_rc, "no function is free");
	*out = (struct opened_backend){ .pci = "0000:03:10.4", .pidfd = -1, .log = -1 };
	return 0;
}

int __wrap_host_hostdev_set(const struct backend_request *request, struct opened_backend *out,
			    struct error *err);
int __wrap_host_hostdev_set(const struct backend_request *request, struct opened_backend *out,
			    struct error *err)
{
	(void)request;
	did("set", out->pci);
	return world->set_rc < 0 ? error_set(err, world->set_rc, "the card refuses the MAC") : 0;
}

void __wrap_host_hostdev_set_back(const struct opened_backend *out);
void __wrap_host_hostdev_set_back(const struct opened_backend *out)
{
	did("set back", out->pci);
}

void __wrap_opened_backend_close_fds(struct opened_backend *b);
void __wrap_opened_backend_close_fds(struct opened_backend *b)
{
	b->nfds = 0;
}

bool __wrap_card_watch_needed(const struct port_spec *ports, unsigned count);
bool __wrap_card_watch_needed(const struct port_spec *ports, unsigned count)
{
	(void)ports;
	(void)count;
	return false;
}

void __wrap_card_watch_port_came(struct card_watch *w, const struct port_spec *port);
void __wrap_card_watch_port_came(struct card_watch *w, const struct port_spec *port)
{
	(void)w;
	(void)port;
}

void __wrap_card_watch_port_goes(struct card_watch *w, const struct port_spec *port);
void __wrap_card_watch_port_goes(struct card_watch *w, const struct port_spec *port)
{
	(void)w;
	(void)port;
}

/* --- who asks -------------------------------------------------------------------------------------------------------------- */

bool __wrap_commands_next_order(struct commands *c, struct port_order *order);
bool __wrap_commands_next_order(struct commands *c, struct port_order *order)
{
	bool asks = world->asks;

	(void)c;
	*order = world->order;
	world->asks = false;
	return asks;
}

void __wrap_commands_order_done(struct commands *c, uint64_t client, json_object *value);
void __wrap_commands_order_done(struct commands *c, uint64_t client, json_object *value)
{
	(void)c;
	world->done += client == CLIENT;
	json_object_put(value);
}

void __wrap_commands_order_failed(struct commands *c, uint64_t client, const struct error *err);
void __wrap_commands_order_failed(struct commands *c, uint64_t client, const struct error *err)
{
	(void)c;
	if (client == CLIENT)
		world->failed = *err;
}

/* --- a turn of the loop ------------------------------------------------------------------------------------------------------ */

static void take_item(struct service *s, struct qmp_item *item)
{
	switch (item->kind) {
	case QMP_ITEM_REPLY:
	case QMP_ITEM_ERROR:
		if (!port_changes_reply(s, item) && !transient_reply(s, item))
			control_qemu_replied(&s->control, item->id, NULL);
		break;
	case QMP_ITEM_EVENT:
		transient_event(s, item->name, item->data);
		port_changes_event(s, item->name, item->data);
		control_qemu_event(&s->control, item->name, item->data);
		break;
	case QMP_ITEM_CLOSED:
		transient_monitor_gone(s);
		control_set_monitor(&s->control, NULL, false);
		port_changes_lost(s);
		s->monitor = NULL;
		break;
	default:
		break;
	}
}

static void turn(void)
{
	struct service *s = &world->s;
	struct qmp_client *client = s->monitor;
	struct qmp_item item;
	struct loop_event e;

	if (client)
		qmp_client_read(client);
	while (client && s->monitor && qmp_client_next(client, &item))
		take_item(s, &item);
	if (client && !s->monitor)
		qmp_client_destroy(client);
	while (loop_next(&s->loop, &e, 0) == 1)
		if (e.kind == KIND_PLUG_TIMER)
			port_changes_timer(s);
		else if (e.kind == KIND_TRANSIENT_TIMER)
			transient_timer(s, e.owner);
		else
			control_timer(&s->control, e.kind, e.owner);
	transient_look(s);
	port_changes_serve(s);
}

static void pass(uint64_t ns)
{
	now_ns += ns;
	turn();
}

/* --- the test is QEMU ---------------------------------------------------------------------------------------------------- */

static void say(const char *text)
{
	assert_int_equal(send(world->peer, text, strlen(text), 0), (ssize_t)strlen(text));
}

static void hear(void)
{
	ssize_t n;

	while ((n = recv(world->peer, world->heard + world->heard_len,
			 sizeof(world->heard) - 1 - world->heard_len, MSG_DONTWAIT)) > 0)
		world->heard_len += (size_t)n;
	world->heard[world->heard_len] = '\0';
}

/* The number of a command is the last one in it. */
static void answer(const char *command, const char *with)
{
	const char *id = strstr(command, "\"id\":");
	char reply[400];

	for (const char *last = id; last; last = strstr(last + 1, "\"id\":"))
		id = last;
	assert_non_null(id);
	snprintf(reply, sizeof(reply), "{%s,%.*s}\r\n", with, (int)strcspn(id, "}"), id);
	say(reply);
}

#define OK	  "\"return\":{}"
#define NO(class) "\"error\":{\"class\":\"" class "\",\"desc\":\"because\"}"

/* "\/" is "/". */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (text[0] != '\\' || text[1] != '/')
			*to++ = *text;
	*to = '\0';
}

/* Links and announcements are answered, and nobody counts them. */
static bool next_command(char *to, size_t size)
{
	hear();
	while (world->heard_len) {
		char *end = strchr(world->heard, '\n');

		assert_non_null(end);
		size_t len = (size_t)(end - world->heard) + 1;
		snprintf(to, size, "%.*s", (int)len, world->heard);
		world->heard_len -= len;
		memmove(world->heard, end + 1, world->heard_len + 1);
		unescape(to);
		if (!strstr(to, "\"set_link\"") && !strstr(to, "\"announce-self\""))
			return true;
		answer(to, OK);
	}
	return false;
}

/* The command that comes next holds `expected`; it is answered. */
static void expect(const char *expected, const char *with)
{
	char command[4096];

	if (!next_command(command, sizeof(command)))
		fail_msg("nothing instead of %s", expected);
	if (!strstr(command, expected))
		fail_msg("%s instead of %s", command, expected);
	answer(command, with);
	turn();
}

static void expect_nothing(void)
{
	char command[4096];

	if (next_command(command, sizeof(command)))
		fail_msg("%s instead of nothing", command);
}

static void deleted(const char *device)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "{\"event\":\"DEVICE_DELETED\",\"data\":{\"device\":\"%s\",\"path\":\"/x\"}}\r\n",
		 device);
	say(text);
	turn();
}

static void negotiated(const char *device)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "{\"event\":\"FAILOVER_NEGOTIATED\",\"data\":{\"device-id\":\"%s\"}}\r\n", device);
	say(text);
	turn();
}

/* --- beginning and end ------------------------------------------------------------------------------------------------------ */

/* QEMU has not said anything yet. */
static void connect_monitor(struct service *s)
{
	struct error err = { 0 };
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	world->peer = pair[1];
	s->monitor = qmp_client_create(pair[0], &err);
	assert_non_null(s->monitor);
}

static void begin_monitor(struct service *s)
{
	char command[4096];

	connect_monitor(s);
	say("{\"QMP\":{}}\r\n");
	turn();
	assert_true(next_command(command, sizeof(command)));
	answer(command, OK);
	control_set_monitor(&s->control, s->monitor, false);
	turn();
}

static void begin(const struct port_spec *ports, unsigned count)
{
	struct error err = { 0 };

	world = calloc(1, sizeof(*world));
	assert_non_null(world);
	struct service *s = &world->s;
	str_copy(world->guest.line.target, sizeof(world->guest.line.target), "x86_64");
	str_copy(world->guest.line.machine, sizeof(world->guest.line.machine), "q35");
	s->spec = calloc(PORTS_MAX, sizeof(*s->spec));
	s->port = calloc(PORTS_MAX, sizeof(*s->port));
	assert_true(s->spec && s->port);
	for (unsigned i = 0; i < count; i++)
		s->spec[i] = ports[i];
	s->options = (struct service_options){
		.name = "vm1", .ports = s->spec, .count = count, .guest = &world->guest
	};
	s->datapath = (struct datapath){ .sock = -1, .pid_fd = -1 };
	port_changes_init(&s->changes);
	assert_int_equal(loop_init(&s->loop, &err), 0);
	assert_int_equal(
		control_init(&s->control, "vm1", &s->loop, &s->datapath, s->spec, count, &err), 0);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		transient_init(&s->port[i].transient, &s->spec[i], i);
	control_start(&s->control);
	control_set_running(&s->control, true);
	begin_monitor(s);
}

static void end(void)
{
	struct service *s = &world->s;
	json_object *event;

	if (s->monitor)
		qmp_client_destroy(s->monitor);
	port_changes_finish(s);
	for (unsigned i = 0; i < PORTS_MAX; i++)
		transient_stop(s, &s->port[i].transient);
	while ((event = control_next_event(&s->control)))
		json_object_put(event);
	control_finish(&s->control);
	loop_finish(&s->loop);
	close(world->peer);
	free(s->spec);
	free(s->port);
	free(world);
	world = NULL;
}

/* The cards of a team: QEMU's virtio, and one of this model and netdev that comes and goes. */
#define TEAM_CARDS(its_model, its_netdev)                                                          \
	{                                                                                          \
		{ .id = "p",                                                                       \
		  .model = "virtio-net",                                                           \
		  .role = ROLE_PERSISTENT,                                                         \
		  .netdev = NETDEV_TAP,                                                            \
		  .standby = true,                                                                 \
		  .bootindex = -1 },                                                               \
			{ .id = "t",                                                               \
			  .model = its_model,                                                      \
			  .role = ROLE_TRANSIENT,                                                  \
			  .netdev = its_netdev,                                                    \
			  .pair = "p",                                                             \
			  .bootindex = -1 },                                                       \
	}

#endif
