#include "host/ovs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/ovsdb.h"

#define ASK_MS	  3000u
#define SWITCH_MS 5000		/* for ovs-vswitchd to take an interface */
#define MARK	  "anynic-port" /* the external id of a port that is ours */
#define SILENT_NS (20 * NS_PER_S)

/* --- what OVSDB's operations are made of ------------------------------------------------------------------------ */

static json_object *text(const char *s)
{
	return json_object_new_string(s);
}

/* An array of the values up to NULL; takes them. */
static json_object *list(json_object *first, ...)
{
	json_object *array = json_object_new_array();
	va_list more;

	va_start(more, first);
	for (json_object *o = first; o; o = va_arg(more, json_object *))
		json_object_array_add(array, o);
	va_end(more);
	return array;
}

static json_object *pair(const char *tag, const char *value)
{
	return list(text(tag), text(value), NULL);
}

static json_object *condition(const char *column, const char *function, json_object *value)
{
	return list(text(column), text(function), value, NULL);
}

static json_object *named(const char *name)
{
	return list(condition("name", "==", text(name)), NULL);
}

static json_object *operation(const char *op, const char *table, json_object *where)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "op", text(op));
	json_object_object_add(o, "table", text(table));
	if (where)
		json_object_object_add(o, "where", where);
	return o;
}

static json_object *select_columns(const char *table, json_object *where, json_object *columns)
{
	json_object *o = operation("select", table, where);

	json_object_object_add(o, "columns", columns);
	return o;
}

/* Refuses the transaction, or waits up to `ms`, until `column` of the rows is (not) what `rows` says. */
static json_object *wait_until(const char *table, json_object *where, const char *column,
			       const char *until, json_object *rows, int ms)
{
	json_object *o = operation("wait", table, where);

	json_object_object_add(o, "columns", list(text(column), NULL));
	json_object_object_add(o, "until", text(until));
	json_object_object_add(o, "rows", rows);
	json_object_object_add(o, "timeout", json_object_new_int(ms));
	return o;
}

static json_object *row_of(const char *column, json_object *value)
{
	json_object *row = json_object_new_object();

	json_object_object_add(row, column, value);
	return row;
}

/* Puts a port into the bridge's set of ports, or takes it out. */
static json_object *change_ports(json_object *where, const char *how, json_object *port)
{
	json_object *o = operation("mutate", "Bridge", where);

	json_object_object_add(o, "mutations",
			       list(list(text("ports"), text(how),
					 list(text("set"), list(port, NULL), NULL), NULL),
				    NULL));
	return o;
}

/* --- reading results -------------------------------------------------------------------------------------------- */

static json_object *rows_of(json_object *results, size_t index)
{
	json_object *rows = NULL;

	json_object_object_get_ex(json_object_array_get_idx(results, index), "rows", &rows);
	return json_object_is_type(rows, json_type_array) ? rows : NULL;
}

static size_t row_count(json_object *results, size_t index)
{
	json_object *rows = rows_of(results, index);

	return rows ? json_object_array_length(rows) : 0;
}

/* Column of the first row; NULL when there is none. */
static json_object *column_of(json_object *results, size_t index, const char *column)
{
	json_object *rows = rows_of(results, index), *value = NULL;
	json_object *row =
		rows && json_object_array_length(rows) ? json_object_array_get_idx(rows, 0) : NULL;

	if (json_object_is_type(row, json_type_object))
		json_object_object_get_ex(row, column, &value);
	return value;
}

/* ["uuid", TEXT] of the first row. */
static bool uuid_of(json_object *results, size_t index, char uuid[OVS_UUID])
{
	json_object *value = column_of(results, index, "_uuid");

	if (!json_object_is_type(value, json_type_array) || json_object_array_length(value) != 2)
		return false;
	json_object *s = json_object_array_get_idx(value, 1);
	return json_object_is_type(s, json_type_string) &&
	       json_object_get_string_len(s) == OVS_UUID - 1 &&
	       str_copy(uuid, OVS_UUID, json_object_get_string(s));
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static uint64_t hash_word(uint64_t hash, const char *word)
{
	for (; *word; word++) /* FNV-1a */
		hash = (hash ^ (uint8_t)*word) * 0x100000001b3ull;
	return (hash ^ 0xff) * 0x100000001b3ull; /* the end counts too */
}

/* FNV mixes upwards only, and names differ in their last letters. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;
	x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
	return x ^ (x >> 33);
}

/* Version 8 of RFC 9562: the bits are the maker's own. */
const char *ovs_uuid(char uuid[OVS_UUID], const char *guest, const char *port_id)
{
	uint64_t half[2];

	for (unsigned i = 0; i < 2; i++) {
		uint64_t hash = hash_word(0xcbf29ce484222325ull + i, "anynic");

		hash = hash_word(hash, guest);
		half[i] = mix(port_id ? hash_word(hash, port_id) : hash);
	}
	half[0] = (half[0] & ~0xf000ull) | 0x8000ull;
	half[1] = (half[1] & ~(3ull << 62)) | (2ull << 62);
	(void)snprintf(uuid, OVS_UUID, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(half[0] >> 32),
		       (unsigned)(half[0] >> 16) & 0xffff, (unsigned)half[0] & 0xffff,
		       (unsigned)(half[1] >> 48),
		       (unsigned long long)(half[1] & 0xffffffffffffull));
	return uuid;
}

static json_object *external_ids(const struct ovs_port *port)
{
	char mac[MAC_TEXT], mark[OVS_UUID], vm_id[OVS_UUID];
	bool given = port->iface_id && port->iface_id[0];

	ovs_uuid(mark, port->guest, port->port_id);
	return list(text("map"),
		    list(pair("iface-id", given ? port->iface_id : mark), pair(MARK, mark),
			 pair("attached-mac", mac_format(port->mac, mac)),
			 pair("vm-id", ovs_uuid(vm_id, port->guest, NULL)),
			 pair("iface-status", "active"), NULL),
		    NULL);
}

/* --- VLANs ------------------------------------------------------------------------------------------------------ */

static json_object *trunks(const struct vlan_tags *v)
{
	json_object *tags = json_object_new_array();

	for (unsigned i = 0; i < v->count; i++)
		json_object_array_add(tags, json_object_new_int(v->tag[i]));
	return list(text("set"), tags, NULL);
}

/* libvirt's words for it: an access port has a tag, a trunk the set of its VLANs and perhaps a native one. */
static void add_rules(json_object *row, const struct bridge_rules *rules)
{
	const struct vlan_tags *v = &rules->vlan;

	if (v->count && v->trunk)
		json_object_object_add(row, "trunks", trunks(v));
	if (v->count && !v->trunk)
		json_object_object_add(row, "tag", json_object_new_int(v->tag[0]));
	if (v->count && v->trunk && v->native >= 0) {
		json_object_object_add(row, "tag", json_object_new_int(v->native));
		json_object_object_add(
			row, "vlan_mode",
			text(v->native_tagged ? "native-tagged" : "native-untagged"));
	}
	if (rules->isolated)
		json_object_object_add(
			row, "other_config",
			list(text("map"), list(pair("protected", "true"), NULL), NULL));
}

/* --- limits ----------------------------------------------------------------------------------------------------- */

static json_object *map_of(json_object *first, json_object *second, json_object *third)
{
	return list(text("map"), list(first, second, third, NULL), NULL);
}

static json_object *number_pair(const char *key, uint64_t number)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
	return pair(key, digits);
}

/* Bits a second, and bits. Without max-rate the switch would give all that a link of its guess has: so it is the average, as for tc. */
static json_object *shape_of(const struct bandwidth_limit *l)
{
	return map_of(number_pair("min-rate", l->average * 8000ull),
		      number_pair("max-rate", (l->peak ? l->peak : l->average) * 8000ull),
		      l->burst ? number_pair("burst", l->burst * 8192ull) : NULL);
}

static json_object *limit_ids(const struct ovs_port *port)
{
	char mark[OVS_UUID], vm_id[OVS_UUID];

	return map_of(pair(MARK, ovs_uuid(mark, port->guest, port->port_id)),
		      pair("vm-id", ovs_uuid(vm_id, port->guest, NULL)),
		      pair("ifname", port->ifname));
}

static json_object *insert_row(const char *table, const char *name, json_object *row)
{
	json_object *o = operation("insert", table, NULL);

	json_object_object_add(o, "row", row);
	json_object_object_add(o, "uuid-name", text(name));
	return o;
}

/* What the guest receives: the port's QoS and its one queue, which belong to nobody and are deleted by name later. */
static void add_shape(json_object *operations, json_object *port_row, const struct ovs_port *port)
{
	const struct bandwidth_limit *l = &port->limits->in;
	json_object *queue = row_of("other_config", shape_of(l));
	json_object *qos = row_of("other_config", shape_of(l));
	json_object *first = list(json_object_new_int(0), pair("named-uuid", "queue"), NULL);

	json_object_object_add(queue, "external_ids", limit_ids(port));
	json_object_object_add(qos, "external_ids", limit_ids(port));
	json_object_object_add(qos, "type", text("linux-htb"));
	json_object_object_add(qos, "queues", map_of(first, NULL, NULL));
	json_object_object_add(port_row, "qos", pair("named-uuid", "qos"));
	json_object_array_add(operations, insert_row("Queue", "queue", queue));
	json_object_array_add(operations, insert_row("QoS", "qos", qos));
}

/* What it sends: kilobits a second, and kilobits; 0 of those is the switch's own choice. */
static void add_police(json_object *iface_row, const struct bandwidth_limit *l)
{
	uint64_t rate = MIN(l->average * 8ull, (uint64_t)UINT32_MAX);
	uint64_t burst = MIN(l->burst * 8ull, (uint64_t)UINT32_MAX);

	json_object_object_add(iface_row, "ingress_policing_rate",
			       json_object_new_int64((int64_t)rate));
	if (burst)
		json_object_object_add(iface_row, "ingress_policing_burst",
				       json_object_new_int64((int64_t)burst));
}

static void delete_limits(json_object *operations, const char *mark)
{
	static const char *const tables[] = { "QoS", "Queue" };

	for (unsigned i = 0; i < ARRAY_SIZE(tables); i++) {
		json_object *ours = list(text("map"), list(pair(MARK, mark), NULL), NULL);

		json_object_array_add(
			operations,
			operation("delete", tables[i],
				  list(condition("external_ids", "includes", ours), NULL)));
	}
}

/* --- the bridge ------------------------------------------------------------------------------------------------- */

static int find_bridge(struct ovsdb *db, const char *name, char uuid[OVS_UUID], struct error *err)
{
	json_object *results = ovsdb_transact(
		db, list(select_columns("Bridge", named(name), list(text("_uuid"), NULL)), NULL),
		ASK_MS, err);

	if (!results)
		return err->code;
	int found = uuid_of(results, 0, uuid);
	json_object_put(results);
	return found;
}

int ovs_talk_has_bridge(struct ovsdb *db, const char *name, struct error *err)
{
	char uuid[OVS_UUID];

	return find_bridge(db, name, uuid, err);
}

int ovs_has_bridge(const char *name, struct error *err)
{
	struct error local = { 0 };
	struct ovsdb *db = ovsdb_open(err ? err : &local);

	err = err ? err : &local;
	int rc = db ? ovs_talk_has_bridge(db, name, err) : err->code;
	ovsdb_close(db);
	return rc;
}

/* --- removing --------------------------------------------------------------------------------------------------- */

/* Uuid of the port that carries this name and our mark; 0 = there is none. *taken: one without our mark is there. */
static int find_ours(struct ovsdb *db, const char *ifname, const char *mark, char uuid[OVS_UUID],
		     bool *taken, struct error *err)
{
	json_object *where = list(condition("name", "==", text(ifname)),
				  condition("external_ids", "includes",
					    list(text("map"), list(pair(MARK, mark), NULL), NULL)),
				  NULL);
	json_object *results = ovsdb_transact(
		db,
		list(select_columns("Interface", where, list(text("_uuid"), NULL)),
		     select_columns("Port", named(ifname), list(text("_uuid"), NULL)), NULL),
		ASK_MS, err);

	if (!results)
		return err->code;
	bool there = uuid_of(results, 1, uuid), ours = row_count(results, 0) > 0;
	json_object_put(results);
	*taken = there && !ours;
	return there && ours;
}

/* Port and Interface have no other owner than the bridge's set: the database drops them with it. Limits it drops only when they are
 * deleted, and refuses that while the port has them. */
static int take_out(struct ovsdb *db, const char *uuid, const char *mark, struct error *err)
{
	json_object *where = list(condition("ports", "includes", pair("uuid", uuid)), NULL);
	json_object *bare = operation("update", "Port",
				      list(condition("_uuid", "==", pair("uuid", uuid)), NULL));
	json_object *operations = list(bare, NULL);

	json_object_object_add(bare, "row", row_of("qos", list(text("set"), list(NULL), NULL)));
	delete_limits(operations, mark);
	json_object_array_add(operations, change_ports(where, "delete", pair("uuid", uuid)));
	json_object *results = ovsdb_transact(db, operations, ASK_MS, err);

	json_object_put(results);
	return results ? 0 : err->code;
}

/* 1: it was there. */
static int remove_ours(struct ovsdb *db, const char *ifname, const char *mark, bool *taken,
		       struct error *err)
{
	char uuid[OVS_UUID];
	int found = find_ours(db, ifname, mark, uuid, taken, err);
	int rc = found > 0 ? take_out(db, uuid, mark, err) : found;

	return rc < 0 ? rc : found;
}

/* Of a port that somebody else took out, or whose bridge went: nobody else deletes them. */
static int forget_limits(struct ovsdb *db, const char *mark, struct error *err)
{
	json_object *operations = json_object_new_array();

	delete_limits(operations, mark);
	json_object *results = ovsdb_transact(db, operations, ASK_MS, err);

	json_object_put(results);
	return results ? 0 : err->code;
}

int ovs_talk_remove(struct ovsdb *db, const char *ifname, const char *guest, const char *port_id,
		    struct error *err)
{
	char mark[OVS_UUID];
	bool taken;
	int rc = remove_ours(db, ifname, ovs_uuid(mark, guest, port_id), &taken, err);

	if (rc == 0)
		rc = forget_limits(db, mark, err);
	return MIN(rc, 0);
}

/* There is one database on a host. One that hangs is not asked again for every port of every guest: whoever ends, or starts, waits for
 * it once. */
static uint64_t silent_since_ns; /* 0 = it answered when it was asked last */

static bool is_silent(void)
{
	return silent_since_ns && monotonic_ns() - silent_since_ns < SILENT_NS;
}

int ovs_port_remove(const char *ifname, const char *guest, const char *port_id, struct error *err)
{
	struct error local = { 0 };

	err = err ? err : &local;
	if (is_silent())
		return error_set(
			err, -ETIMEDOUT,
			"Open vSwitch's database does not answer: %s stays in it until the "
			"next start",
			ifname);
	struct ovsdb *db = ovsdb_open(err);
	int rc = db ? ovs_talk_remove(db, ifname, guest, port_id, err) : err->code;
	ovsdb_close(db);
	silent_since_ns = rc == -ETIMEDOUT ? MAX(monotonic_ns(), 1u) : 0;
	return rc;
}

/* --- adding ----------------------------------------------------------------------------------------------------- */

/* All or nothing; a bridge that goes, or a port of that name that comes, in the meantime refuses it. */
static json_object *insertion(const struct ovs_port *port, const char *bridge_uuid)
{
	json_object *bridge = list(condition("_uuid", "==", pair("uuid", bridge_uuid)), NULL);
	json_object *row = row_of("name", text(port->ifname));
	json_object *port_row = row_of("name", text(port->ifname));
	json_object *operations =
		list(wait_until("Bridge", json_object_get(bridge), "name",
				"==", list(row_of("name", text(port->bridge)), NULL), 0),
		     wait_until("Port", named(port->ifname), "name", "==", list(NULL), 0), NULL);
	char mark[OVS_UUID];

	/* those of a port that somebody else took out */
	delete_limits(operations, ovs_uuid(mark, port->guest, port->port_id));
	json_object_object_add(row, "external_ids", external_ids(port));
	json_object_object_add(port_row, "interfaces", pair("named-uuid", "iface"));
	if (port->rules)
		add_rules(port_row, port->rules);
	if (port->limits && port->limits->in.average)
		add_shape(operations, port_row, port);
	if (port->limits && port->limits->out.average)
		add_police(row, &port->limits->out);
	json_object_array_add(operations, insert_row("Interface", "iface", row));
	json_object_array_add(operations, insert_row("Port", "port", port_row));
	json_object_array_add(operations,
			      change_ports(bridge, "insert", pair("named-uuid", "port")));
	return operations;
}

static int insert(struct ovsdb *db, const struct ovs_port *port, const char *bridge_uuid,
		  struct error *err)
{
	json_object *results = ovsdb_transact(db, insertion(port, bridge_uuid), ASK_MS, err);

	json_object_put(results);
	if (results)
		return 0;
	if (err->code != -EAGAIN)
		return err->code;
	return error_set(
		err, -EAGAIN,
		"somebody else changed Open vSwitch's bridge %s, or made a port %s, at the "
		"same moment; next: try again",
		port->bridge, port->ifname);
}

/* ovs-vswitchd writes a number into ofport when it has taken the interface, -1 and a text into error when it could not. */
static int judge_interface(json_object *results, const struct ovs_port *port, struct error *err)
{
	json_object *number = column_of(results, 1, "ofport");
	json_object *reason = column_of(results, 1, "error");
	char why[200] = "no reason given";

	if (!row_count(results, 1))
		return error_set(err, -ENODEV,
				 "the port %s was removed from Open vSwitch's bridge %s at once",
				 port->ifname, port->bridge);
	if (json_object_is_type(number, json_type_int) && json_object_get_int(number) > 0)
		return 0;
	if (json_object_is_type(reason, json_type_string))
		str_copy(why, sizeof(why), json_object_get_string(reason));
	for (char *p = why; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	return error_set(err, -EIO, "Open vSwitch's bridge %s does not take %s: %s", port->bridge,
			 port->ifname, why);
}

static int wait_taken(struct ovsdb *db, const struct ovs_port *port, struct error *err)
{
	json_object *nothing = list(text("set"), list(NULL), NULL);
	json_object *results = ovsdb_transact(
		db,
		list(wait_until("Interface", named(port->ifname), "ofport",
				"!=", list(row_of("ofport", nothing), NULL), SWITCH_MS),
		     select_columns("Interface", named(port->ifname),
				    list(text("ofport"), text("error"), NULL)),
		     NULL),
		SWITCH_MS, err);

	if (!results)
		return err->code == -EAGAIN
			       ? error_set(
					 err, -ETIMEDOUT,
					 "Open vSwitch's bridge %s did not take %s in %d seconds; "
					 "next: systemctl status ovs-vswitchd",
					 port->bridge, port->ifname, SWITCH_MS / 1000)
			       : err->code;
	int rc = judge_interface(results, port, err);
	json_object_put(results);
	return rc;
}

int ovs_talk_add(struct ovsdb *db, const struct ovs_port *port, struct error *err)
{
	char bridge[OVS_UUID], mark[OVS_UUID];
	bool taken = false;

	int rc = find_bridge(db, port->bridge, bridge, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return error_set(err, -ENOENT,
				 "Open vSwitch has no bridge %s; next: ovs-vsctl add-br %s",
				 port->bridge, port->bridge);
	ovs_uuid(mark, port->guest, port->port_id);
	rc = remove_ours(db, port->ifname, mark, &taken, err);
	if (rc < 0)
		return rc;
	if (taken)
		return error_set(
			err, -EEXIST,
			"Open vSwitch has a port %s already; next: choose another ifname=, "
			"or remove it: ovs-vsctl del-port %s",
			port->ifname, port->ifname);
	rc = insert(db, port, bridge, err);
	if (rc < 0)
		return rc;
	rc = wait_taken(db, port, err);
	if (rc < 0) {
		struct error later = { 0 };
		if (remove_ours(db, port->ifname, mark, &taken, &later) < 0)
			log_warning("the port %s stays in Open vSwitch: %s", port->ifname,
				    later.text);
	}
	return rc;
}

int ovs_port_add(const struct ovs_port *port, struct error *err)
{
	struct error local = { 0 };
	struct ovsdb *db = ovsdb_open(err ? err : &local);

	err = err ? err : &local;
	int rc = db ? ovs_talk_add(db, port, err) : err->code;
	ovsdb_close(db);
	return rc;
}

/* --- OVN -------------------------------------------------------------------------------------------------------- */

/* Several controllers of one host have their names behind these: ovn-remote-NAME. */
#define OVN_REMOTE "ovn-remote"
#define OVN_BRIDGE "ovn-bridge"

/* Of a map, ["map", [[KEY, VALUE]...]]: what to call for each pair of strings. */
static void each_pair(json_object *map, void (*take)(const char *key, const char *value, void *to),
		      void *to)
{
	bool proper =
		json_object_is_type(map, json_type_array) && json_object_array_length(map) == 2;
	json_object *pairs = proper ? json_object_array_get_idx(map, 1) : NULL;
	size_t n =
		json_object_is_type(pairs, json_type_array) ? json_object_array_length(pairs) : 0;

	for (size_t i = 0; i < n; i++) {
		json_object *one = json_object_array_get_idx(pairs, i);

		if (!json_object_is_type(one, json_type_array))
			continue;
		json_object *key = json_object_array_get_idx(one, 0);
		json_object *value = json_object_array_get_idx(one, 1);
		if (json_object_is_type(key, json_type_string) &&
		    json_object_is_type(value, json_type_string))
			take(json_object_get_string(key), json_object_get_string(value), to);
	}
}

struct integration {
	const char *bridge;
	bool remote;  /* there is a controller */
	bool named;   /* it was told a bridge, */
	bool is_ours; /* and it is this one */
};

static bool is_key(const char *key, const char *name)
{
	size_t n = strlen(name);

	return strncmp(key, name, n) == 0 && (key[n] == '\0' || key[n] == '-');
}

static void take_setting(const char *key, const char *value, void *to)
{
	struct integration *in = to;

	/* other settings begin with the same words: ovn-remote-probe-interval, ovn-bridge-mappings */
	if (is_key(key, OVN_REMOTE) && strchr(value, ':'))
		in->remote = true;
	in->named |= strcmp(key, OVN_BRIDGE) == 0;
	in->is_ours |= is_key(key, OVN_BRIDGE) && strcmp(value, in->bridge) == 0;
}

int ovs_talk_is_ovn(struct ovsdb *db, const char *bridge, struct error *err)
{
	struct integration in = { .bridge = bridge };
	json_object *results = ovsdb_transact(
		db,
		list(select_columns("Open_vSwitch", list(NULL), list(text("external_ids"), NULL)),
		     NULL),
		ASK_MS, err);

	if (!results)
		return err->code;
	each_pair(column_of(results, 0, "external_ids"), take_setting, &in);
	json_object_put(results);
	return in.remote && (in.is_ours || (!in.named && strcmp(bridge, "br-int") == 0));
}

/* Rows of Interface that are this port of ours; with `installed`, if OVN's flows of it are in place. */
static json_object *interface_of(const struct ovs_port *port, bool installed)
{
	char mark[OVS_UUID];
	json_object *pairs = list(pair(MARK, ovs_uuid(mark, port->guest, port->port_id)), NULL);

	if (installed)
		json_object_array_add(pairs, pair("ovn-installed", "true"));
	return list(condition("name", "==", text(port->ifname)),
		    condition("external_ids", "includes", list(text("map"), pairs, NULL)), NULL);
}

static int check_there(struct ovsdb *db, const struct ovs_port *port, struct error *err)
{
	json_object *results =
		ovsdb_transact(db,
			       list(select_columns("Interface", interface_of(port, false),
						   list(text("_uuid"), NULL)),
				    NULL),
			       ASK_MS, err);
	if (!results)
		return err->code;
	size_t rows = row_count(results, 0);
	json_object_put(results);
	return rows ? 0
		    : error_set(err, -ENODEV, "the port %s was removed from Open vSwitch",
				port->ifname);
}

int ovs_talk_wait_installed(struct ovsdb *db, const struct ovs_port *port, int ms,
			    struct error *err)
{
	json_object *wanted = list(row_of("name", text(port->ifname)), NULL);
	json_object *results = ovsdb_transact(
		db,
		list(wait_until("Interface", interface_of(port, true), "name", "==", wanted, ms),
		     NULL),
		(unsigned)ms, err);
	json_object_put(results);
	if (results)
		return 1;
	return err->code == -EAGAIN ? check_there(db, port, err) : err->code;
}

int ovs_bridge_is_ovn(const char *name, struct error *err)
{
	struct ovsdb *db = ovsdb_open(err);
	int rc = db ? ovs_talk_is_ovn(db, name, err) : err->code;

	ovsdb_close(db);
	return rc;
}

int ovs_port_wait_installed(const struct ovs_port *port, int ms, struct error *err)
{
	struct ovsdb *db = ovsdb_open(err);
	int rc = db ? ovs_talk_wait_installed(db, port, ms, err) : err->code;

	ovsdb_close(db);
	return rc;
}
