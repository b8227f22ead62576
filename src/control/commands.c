#include "control/commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/migration.h"
#include "control/spec_json.h"
#include "control/why.h"
#include "net/frame.h"

#define COUNTERS_WAIT_NS (2 * NS_PER_S)

#define ARGUMENTS_MAX 5

struct argument {
	const char *name;
	json_type type;
	bool required;
};

struct command {
	const char *name;
	void (*run)(struct commands *c, const struct qmp_request *r);
	struct argument argument[ARGUMENTS_MAX + 1]; /* ends with a NULL name */
};

/* --- arguments -------------------------------------------------------------------------------------------------- */

static json_object *get(const struct qmp_request *r, const char *name)
{
	json_object *value = NULL;

	if (r->arguments)
		json_object_object_get_ex(r->arguments, name, &value);
	return value;
}

/* A string argument, or NULL when it is not there. */
static const char *get_text(const struct qmp_request *r, const char *name)
{
	json_object *value = get(r, name);

	return value ? json_object_get_string(value) : NULL;
}

static const char *type_name(json_type type)
{
	switch (type) {
	case json_type_boolean:
		return "boolean";
	case json_type_int:
		return "integer";
	case json_type_array:
		return "array";
	default:
		return "string";
	}
}

static const struct argument *find_argument(const struct command *command, const char *name)
{
	for (const struct argument *a = command->argument; a->name; a++)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

/* What follows a NUL would be lost, and the rest may be somebody else's name. */
static bool holds_nul(json_object *value)
{
	if (json_object_is_type(value, json_type_string))
		return strlen(json_object_get_string(value)) !=
		       (size_t)json_object_get_string_len(value);
	for (size_t i = 0;
	     json_object_is_type(value, json_type_array) && i < json_object_array_length(value);
	     i++)
		if (holds_nul(json_object_array_get_idx(value, i)))
			return true;
	return false;
}

/* As QEMU words it. False when the error was sent. */
static bool arguments_fit(struct commands *c, const struct command *command,
			  const struct qmp_request *r)
{
	if (r->arguments) {
		json_object_object_foreach(r->arguments, key, value)
		{
			const struct argument *a = find_argument(command, key);
			if (!a) {
				qmp_reply_error(c->server, r->client, QMP_GENERIC_ERROR,
						"Parameter '%s' is unexpected", key);
				return false;
			}
			if (!json_object_is_type(value, a->type)) {
				qmp_reply_error(c->server, r->client, QMP_GENERIC_ERROR,
						"Invalid parameter type for '%s', expected: %s",
						key, type_name(a->type));
				return false;
			}
			if (holds_nul(value)) {
				qmp_reply_error(c->server, r->client, QMP_GENERIC_ERROR,
						"Parameter '%s' holds a NUL", key);
				return false;
			}
		}
	}
	for (const struct argument *a = command->argument; a->name; a++) {
		if (a->required && !get(r, a->name)) {
			qmp_reply_error(c->server, r->client, QMP_GENERIC_ERROR,
					"Parameter '%s' is missing", a->name);
			return false;
		}
	}
	return true;
}

static void reply(struct commands *c, const struct qmp_request *r, json_object *value)
{
	qmp_reply(c->server, r->client, value);
}

static void reply_code(struct commands *c, const struct qmp_request *r, int code,
		       const struct error *err)
{
	if (code == 0)
		reply(c, r, json_object_new_object());
	else
		qmp_reply_error(c->server, r->client,
				code == -ENOENT ? QMP_DEVICE_NOT_FOUND : QMP_GENERIC_ERROR, "%s",
				err->text);
}

/* The port that `port` names. False when it names none; the error was sent. *port = NULL: all. */
static bool which_port(struct commands *c, const struct qmp_request *r, struct control_port **port)
{
	const char *id = get_text(r, "port");

	*port = id ? control_find_port(c->control, id) : NULL;
	if (id && !*port) {
		qmp_reply_error(c->server, r->client, QMP_DEVICE_NOT_FOUND,
				"Device '%.100s' not found", id);
		return false;
	}
	return true;
}

/* --- queries ---------------------------------------------------------------------------------------------------- */

static void add_text(json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

static void add_number(json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

static void add_status(json_object *object, const struct control_nic *nic)
{
	add_text(object, "status", name_of(driver_state_names, DRIVER_STATE_COUNT, nic->status));
	add_text(object, "phase", name_of(driver_phase_names, DRIVER_PHASE_COUNT, nic->phase));
}

/* When the status began, by the clock on the wall. */
static json_object *since(const struct control_nic *nic)
{
	uint64_t now = monotonic_ns();

	return time_make(nic->since_ns && nic->since_ns <= now ? wall_ns() - (now - nic->since_ns)
							       : 0);
}

static const char *place_of(const struct nic_spec *spec)
{
	return place_names[spec->place == PLACE_QEMU ? PLACE_QEMU : PLACE_HOSTED];
}

static json_object *nic_driver_status(const struct control_port *p, unsigned i)
{
	json_object *object = json_object_new_object();

	add_text(object, "nic", p->spec.nic[i].id);
	add_text(object, "port", p->spec.id);
	add_text(object, "model", p->spec.nic[i].model);
	add_text(object, "place", place_of(&p->spec.nic[i]));
	add_status(object, &p->nic[i]);
	add_text(object, "evidence", p->nic[i].evidence);
	json_object_object_add(object, "since", since(&p->nic[i]));
	add_number(object, "resets", p->nic[i].resets);
	return object;
}

static void query_guest_driver_status(struct commands *c, const struct qmp_request *r)
{
	const char *wanted = get_text(r, "nic");
	json_object *list = json_object_new_array();

	for (unsigned n = 0; n < c->control->ports; n++) {
		const struct control_port *p = &c->control->port[n];
		for (unsigned i = 0; i < p->spec.nics; i++)
			if (!wanted || strcmp(wanted, p->spec.nic[i].id) == 0)
				json_object_array_add(list, nic_driver_status(p, i));
	}
	if (wanted && json_object_array_length(list) == 0) {
		json_object_put(list);
		qmp_reply_error(c->server, r->client, QMP_DEVICE_NOT_FOUND,
				"Device '%.100s' not found", wanted);
		return;
	}
	reply(c, r, list);
}

/* Which function of this host a team has, or why it has none. */
static const char *function_told(const struct control_port *p)
{
	for (unsigned i = 0; p->function.ours && i < p->spec.nics; i++)
		if (nic_is_plugged_later(&p->spec.nic[i]))
			return p->host[i].chosen;
	return "";
}

static json_object *port_backend(const struct control_port *p)
{
	const struct backend_spec *b = &p->spec.backend;
	json_object *object = json_object_new_object();
	const char *function = function_told(p);
	char good[800];

	/* what is to know of a backend that works: which driver it has and why, and what it cannot do */
	snprintf(good, sizeof(good), "%s%s%s%s%s", p->driver_why,
		 p->driver_why[0] && p->host[0].chosen[0] ? "; " : "", p->host[0].chosen,
		 function[0] ? "; transient: " : "", function);
	add_text(object, "type", b->type);
	add_text(object, "driver", name_of(backend_driver_names, BACKEND_DRIVER_COUNT, p->driver));
	json_object_object_add(object, "up", json_object_new_boolean(p->backend_up));
	add_text(object, "reason", p->backend_up ? good : p->backend_reason);
	if (b->ifname[0])
		add_text(object, "ifname", b->ifname);
	if (b->chosen[0]) /* backend=auto */
		add_text(object, "chosen", b->chosen);
	if (b->br[0])
		add_text(object, "br", b->br);
	if (b->dev[0])
		add_text(object, "dev", b->dev);
	if (b->mode[0])
		add_text(object, "mode", b->mode);
	if (b->path[0])
		add_text(object, "path", b->path);
	return object;
}

static json_object *port_nics(const struct control_port *p)
{
	json_object *list = json_object_new_array();

	for (unsigned i = 0; i < p->spec.nics; i++) {
		json_object *object = json_object_new_object();
		add_text(object, "nic", p->spec.nic[i].id);
		add_text(object, "model", p->spec.nic[i].model);
		add_text(object, "role", name_of(role_names, NIC_ROLE_COUNT, p->spec.nic[i].role));
		add_text(object, "place", place_of(&p->spec.nic[i]));
		add_status(object, &p->nic[i]);
		add_text(object, "link", p->nic[i].link ? "up" : "down");
		if (!port_in_datapath(&p->spec) && p->host[i].ifname[0]) /* each has its own */
			add_text(object, "ifname", p->host[i].ifname);
		json_add_policy(object, &p->spec.nic[i]);
		json_object_array_add(list, object);
	}
	return list;
}

/* What the kernel's vhost-net moves is counted by nobody: null, and never the few that went through us. */
static void add_seen(json_object *object, const char *name, uint64_t value, bool kernel)
{
	if (kernel)
		json_object_object_add(object, name, NULL);
	else
		add_number(object, name, value);
}

static json_object *nic_counters(const struct control_port *p, unsigned i)
{
	const struct msg_counters *m = &p->counters;
	json_object *object = json_object_new_object();
	bool kernel = p->driver == DRIVER_VHOST && strcmp(p->spec.nic[i].model, "virtio-net") == 0;

	add_seen(object, "tx-frames", m->nic[i].tx_frames, kernel);
	add_seen(object, "tx-bytes", m->nic[i].tx_bytes, kernel);
	add_seen(object, "rx-frames", m->nic[i].rx_frames, kernel);
	add_seen(object, "rx-bytes", m->nic[i].rx_bytes, kernel);
	add_seen(object, "interrupts", m->nic[i].interrupts, kernel);
	add_number(object, "reads", m->nic[i].reads);
	add_number(object, "writes", m->nic[i].writes);
	return object;
}

static json_object *port_counters(const struct control_port *p)
{
	const struct msg_counters *m = &p->counters;
	bool kernel = p->driver == DRIVER_VHOST;
	json_object *object = json_object_new_object();
	json_object *drops = json_object_new_object();
	json_object *nics = json_object_new_object();

	_Static_assert(DROP_REASON_COUNT <= MSG_DROPS_MAX, "every drop reason travels");
	add_seen(object, "tx-frames", m->tx_frames, kernel);
	add_seen(object, "tx-bytes", m->tx_bytes, kernel);
	add_seen(object, "rx-frames", m->rx_frames, kernel);
	add_seen(object, "rx-bytes", m->rx_bytes, kernel);
	add_number(object, "switches", p->switches);
	add_number(object, "wakeups", m->wakeups);
	for (unsigned i = DROP_NONE + 1; i < DROP_REASON_COUNT; i++)
		add_number(drops, drop_reason_name(i), m->drop[i]);
	json_object_object_add(object, "drops", drops);
	for (unsigned i = 0; i < p->spec.nics && i < m->nics; i++)
		json_object_object_add(nics, p->spec.nic[i].id, nic_counters(p, i));
	json_object_object_add(object, "nics", nics);
	return object;
}

static json_object *port_whole(const struct control_port *p)
{
	char mac[MAC_TEXT];
	json_object *object = json_object_new_object();

	add_text(object, "port", p->spec.id);
	add_text(object, "policy", name_of(policy_names, POLICY_KIND_COUNT, p->spec.policy));
	add_text(object, "mac", mac_format(p->spec.mac, mac));
	json_object_object_add(object, "active",
			       json_name(p->active < 0 ? NULL : p->spec.nic[p->active].id));
	add_text(object, "state",
		 name_of(port_state_names, PORT_STATE_COUNT, control_port_state(p)));
	add_number(object, "legacy-delay", p->spec.legacy_delay_ms);
	json_object_object_add(object, "backend", port_backend(p));
	json_object_object_add(object, "nics", port_nics(p));
	/* null: QEMU, or the kernel, moves the frames, and we do not see them */
	json_object_object_add(object, "counters",
			       port_in_datapath(&p->spec) ? port_counters(p) : NULL);
	return object;
}

static json_object *ports_whole(const struct control *control, const char *only)
{
	json_object *list = json_object_new_array();

	for (unsigned n = 0; n < control->ports; n++)
		if (control->port[n].spec.nics &&
		    (!only[0] || strcmp(only, control->port[n].spec.id) == 0))
			json_object_array_add(list, port_whole(&control->port[n]));
	return list;
}

/* Counters live in the datapath: the answer waits for them, but not for long. */
static void query_ports(struct commands *c, const struct qmp_request *r)
{
	struct control *control = c->control;
	struct control_port *p;

	if (!which_port(c, r, &p))
		return;
	const char *only = p ? p->spec.id : "";
	if (!c->counters_seq && control->datapath && !control->datapath_gone) {
		c->counters_seq = datapath_send(control->datapath, MSG_COUNTERS_GET, NULL, 0);
		loop_timer_set(control->loop, &c->timer, monotonic_ns() + COUNTERS_WAIT_NS);
	}
	if (!c->counters_seq || c->waiting_count == COMMANDS_WAITING) {
		reply(c, r, ports_whole(control, only));
		return;
	}
	c->waiting[c->waiting_count].client = r->client;
	str_copy(c->waiting[c->waiting_count].port, ID_MAX, only);
	c->waiting_count++;
}

void commands_counters_came(struct commands *c, uint32_t seq)
{
	if (seq && seq != c->counters_seq)
		return;
	c->counters_seq = 0;
	loop_timer_cancel(c->control->loop, &c->timer);
	for (unsigned i = 0; i < c->waiting_count; i++)
		qmp_reply(c->server, c->waiting[i].client,
			  ports_whole(c->control, c->waiting[i].port));
	c->waiting_count = 0;
}

static void query_why(struct commands *c, const struct qmp_request *r)
{
	struct control_port *only;
	json_object *list = json_object_new_array();

	if (!which_port(c, r, &only)) {
		json_object_put(list);
		return;
	}
	for (unsigned n = 0; n < c->control->ports; n++) {
		const struct control_port *p = &c->control->port[n];
		struct why why;
		if (!p->spec.nics || (only && only != p))
			continue;
		json_object *object = json_object_new_object();
		why_port(p, &why);
		add_text(object, "port", p->spec.id);
		add_text(object, "verdict",
			 name_of(why_verdict_names, WHY_VERDICT_COUNT, why.verdict));
		add_text(object, "text", why.text);
		add_text(object, "next-step", why.next_step);
		json_object_array_add(list, object);
	}
	reply(c, r, list);
}

static void query_version(struct commands *c, const struct qmp_request *r)
{
	reply(c, r, qmp_version());
}

static void list_add_name(json_object *list, const char *name)
{
	json_object *object = json_object_new_object();

	add_text(object, "name", name);
	json_object_array_add(list, object);
}

static void query_events(struct commands *c, const struct qmp_request *r)
{
	json_object *list = json_object_new_array();

	for (unsigned i = 0; i < EVENT_KIND_COUNT; i++)
		list_add_name(list, event_names[i]);
	reply(c, r, list);
}

/* --- what changes something ------------------------------------------------------------------------------------- */

static void quit(struct commands *c, const struct qmp_request *r)
{
	c->control->quit = true;
	reply(c, r, json_object_new_object());
}

static void detach(struct commands *c, const struct qmp_request *r)
{
	if (c->control->attached)
		quit(c, r);
	else
		qmp_reply_error(
			c->server, r->client, QMP_GENERIC_ERROR,
			"anynic serves the cards of this guest, so that it cannot leave it: "
			"only a guest of `anynic attach` can be detached; `anynic stop` ends "
			"this one");
}

static void set_link(struct commands *c, const struct qmp_request *r)
{
	struct error err = { 0 };

	int rc = control_set_link(c->control, get_text(r, "name"),
				  json_object_get_boolean(get(r, "up")), &err);
	reply_code(c, r, rc, &err);
}

static void set_port_policy(struct commands *c, const struct qmp_request *r)
{
	const char *port = get_text(r, "port");
	const char *mode = get_text(r, "mode");
	json_object *delay = get(r, "legacy-delay");
	struct error err = { 0 };
	bool manual = mode && strcmp(mode, "manual") == 0;

	if (!manual && (!mode || strcmp(mode, "auto") != 0)) {
		qmp_reply_error(
			c->server, r->client, QMP_GENERIC_ERROR,
			"Parameter 'mode' does not accept value '%.60s': use auto or manual", mode);
		return;
	}
	int64_t ms = delay ? json_object_get_int64(delay) : 0;
	if (ms < 0 || ms > LEGACY_DELAY_MAX_MS) {
		qmp_reply_error(c->server, r->client, QMP_GENERIC_ERROR,
				"Parameter 'legacy-delay' expects 0 to %d milliseconds",
				LEGACY_DELAY_MAX_MS);
		return;
	}
	int rc = control_set_mode(c->control, port, manual, &err);
	if (rc == 0 && delay)
		control_find_port(c->control, port)->spec.legacy_delay_ms = (unsigned)ms;
	reply_code(c, r, rc, &err);
}

static void migrate(struct commands *c, const struct qmp_request *r)
{
	json_object *timeout = get(r, "timeout");
	int64_t seconds = timeout ? json_object_get_int64(timeout) : MIGRATION_SECONDS;
	struct error err = { 0 };
	int rc;

	if (c->control->migration)
		rc = migration_begin(c->control->migration, get_text(r, "uri"),
				     (unsigned)MIN(MAX(seconds, 0), UINT32_MAX), &err);
	else
		rc = error_set(&err, -ENOTSUP, "this process has no guest that could move");
	reply_code(c, r, rc, &err);
}

static void migrate_cancel(struct commands *c, const struct qmp_request *r)
{
	struct error err = { 0 };
	int rc = c->control->migration ? migration_cancel(c->control->migration, &err) : -EINVAL;

	/* as QEMU: nothing to cancel is no error */
	reply_code(c, r, rc == -ENOENT || rc == -EINVAL ? 0 : rc, &err);
}

/* --- ports that come and go ---------------------------------------------------------------------------------------- */

static void refuse(struct commands *c, const struct qmp_request *r, const char *text)
{
	qmp_reply_error(c->server, r->client, QMP_INVALID_PARAMETER, "%s", text);
}

static void take_order(struct commands *c, const struct port_order *order)
{
	if (c->orders < COMMANDS_WAITING) /* a client has one command under way */
		c->order[c->orders++] = *order;
}

/* False: it was refused. */
static bool read_seconds(struct commands *c, const struct qmp_request *r, struct port_order *order,
			 unsigned usual, unsigned most)
{
	json_object *timeout = get(r, "timeout");
	int64_t seconds = timeout ? json_object_get_int64(timeout) : usual;

	order->seconds = (unsigned)seconds;
	if (seconds >= 1 && seconds <= most)
		return true;
	qmp_reply_error(c->server, r->client, QMP_INVALID_PARAMETER, "'timeout' is 1 to %u seconds",
			most);
	return false;
}

static void port_add(struct commands *c, const struct qmp_request *r)
{
	struct port_order order = { .client = r->client,
				    .nic = get_text(r, "nic"),
				    .interface = get_text(r, "interface"),
				    .place = get_text(r, "place"),
				    .networks = get(r, "networks") };

	if (!order.nic == !order.interface) {
		refuse(c, r,
		       "one of 'nic' (as after --nic) and 'interface' (libvirt's XML) is needed, "
		       "not both");
		return;
	}
	for (size_t i = 0; order.networks && i < json_object_array_length(order.networks); i++) {
		json_object *network = json_object_array_get_idx(order.networks, i);

		if (!json_object_is_type(network, json_type_string) ||
		    !json_object_get_string_len(network)) {
			refuse(c, r, "'networks' is an array of XML texts");
			return;
		}
	}
	if (order.interface && !order.interface[0]) {
		refuse(c, r, "'interface' is an XML text, and this one is empty");
		return;
	}
	if (read_seconds(c, r, &order, PLUG_SECONDS, PLUG_SECONDS_MAX))
		take_order(c, &order);
}

static void port_del(struct commands *c, const struct qmp_request *r)
{
	struct port_order order = { .client = r->client,
				    .remove = true,
				    .port = get_text(r, "port") };

	if (read_seconds(c, r, &order, UNPLUG_SECONDS, UNPLUG_SECONDS_MAX))
		take_order(c, &order);
}

bool commands_next_order(struct commands *c, struct port_order *order)
{
	if (!c->orders)
		return false;
	*order = c->order[0];
	c->orders--;
	memmove(&c->order[0], &c->order[1], c->orders * sizeof(c->order[0]));
	return true;
}

static enum qmp_error_class class_of(int code)
{
	switch (code) {
	case -ENOENT:
	case -ENODEV:
		return QMP_DEVICE_NOT_FOUND;
	case -EINVAL:
	case -ERANGE:
		return QMP_INVALID_PARAMETER;
	case -ENOTSUP:
		return QMP_NOT_SUPPORTED;
	case -ETIMEDOUT:
		return QMP_TIMED_OUT;
	default:
		return QMP_GENERIC_ERROR;
	}
}

void commands_order_done(struct commands *c, uint64_t client, json_object *value)
{
	if (client)
		qmp_reply(c->server, client, value);
	else
		json_object_put(value);
}

void commands_order_failed(struct commands *c, uint64_t client, const struct error *err)
{
	if (client)
		qmp_reply_error(c->server, client, class_of(err->code), "%s%s%s", err->where,
				err->where[0] ? ": " : "", err->text);
}

/* --- the table -------------------------------------------------------------------------------------------------- */

static void query_commands(struct commands *c, const struct qmp_request *r);

static const struct command table[] = {
	{ "query-version", query_version, { { 0 } } },
	{ "query-commands", query_commands, { { 0 } } },
	{ "query-events", query_events, { { 0 } } },
	{ "quit", quit, { { 0 } } },
	{ "detach", detach, { { 0 } } },
	{ "query-guest-driver-status",
	  query_guest_driver_status,
	  { { "nic", json_type_string, false } } },
	{ "query-ports", query_ports, { { "port", json_type_string, false } } },
	{ "query-why", query_why, { { "port", json_type_string, false } } },
	{ "set_link",
	  set_link,
	  { { "name", json_type_string, true }, { "up", json_type_boolean, true } } },
	{ "migrate",
	  migrate,
	  { { "uri", json_type_string, true }, { "timeout", json_type_int, false } } },
	{ "migrate_cancel", migrate_cancel, { { 0 } } },
	{ "port-add",
	  port_add,
	  { { "nic", json_type_string, false },
	    { "interface", json_type_string, false },
	    { "place", json_type_string, false },
	    { "networks", json_type_array, false },
	    { "timeout", json_type_int, false } } },
	{ "port-del",
	  port_del,
	  { { "port", json_type_string, true }, { "timeout", json_type_int, false } } },
	{ "set-port-policy",
	  set_port_policy,
	  { { "port", json_type_string, true },
	    { "mode", json_type_string, true },
	    { "legacy-delay", json_type_int, false } } },
};

static void query_commands(struct commands *c, const struct qmp_request *r)
{
	json_object *list = json_object_new_array();

	list_add_name(list, "qmp_capabilities"); /* answered by the server itself */
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		list_add_name(list, table[i].name);
	reply(c, r, list);
}

static const struct command *find_command(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

void commands_init(struct commands *c, struct control *control, struct qmp_server *server)
{
	*c = (struct commands){ .control = control, .server = server };
	c->timer = (struct loop_timer){ .kind = KIND_COUNTERS_TIMER, .owner = c };
}

void commands_finish(struct commands *c)
{
	if (c->control)
		loop_timer_cancel(c->control->loop, &c->timer);
}

bool commands_serve(struct commands *c)
{
	struct qmp_request r;
	bool some = false;

	for (; qmp_server_next(c->server, &r); some = true) {
		const struct command *command = find_command(r.command);
		if (!command)
			qmp_reply_error(c->server, r.client, QMP_COMMAND_NOT_FOUND,
					"The command %.100s has not been found", r.command);
		else if (arguments_fit(c, command, &r))
			command->run(c, &r);
	}
	return some;
}
