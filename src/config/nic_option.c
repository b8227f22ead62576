/* One row per key: where its value goes, how it is read, what is legal. The rest of the file is the reader of rows. */
#include "config/nic_option.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Longest port id: "<port>-performant" is an id too. */
#define PORT_ID_LONGEST ((unsigned)(ID_MAX - 1 - sizeof("-performant") + 1))

enum key_place {
	TO_PORT,
	TO_BACKEND,
	TO_ALL_NICS,
	TO_OLD, /* the card that old software knows: legacy of a switch port; of a team the transient card; or the only one */
	TO_FAST, /* the performant card; of a team the persistent virtio card; or the only one */
	TO_BOOT, /* the card that firmware starts a guest from: as TO_OLD, but of a team the persistent one, since no firmware pairs */
};

#define SINGLE BIT(POLICY_SINGLE)
#define SWITCH BIT(POLICY_SWITCH)
#define TEAM   BIT(POLICY_TEAM)
#define ANY    (SINGLE | SWITCH | TEAM)

struct key;

struct reading {
	struct port_spec *port;
	const struct known *known;
	struct error *err;
	uint64_t seen;
};

/* Reads `value` into `field`. 0; -EINVAL or -ERANGE: the caller words it from the row; 1: an error was worded already. */
typedef int key_read(const struct key *key, struct reading *r, void *field, const char *value);

struct key {
	const char *name;
	enum key_place place;
	unsigned kinds;	     /* which ports have it */
	size_t offset, size; /* the field */
	key_read *read;
	const char *legal; /* for the message; NULL: made of names[] */
	const char *const *names;
	unsigned name_count;
	uint64_t min, max;
	bool repeats;
};

static int read_id(const struct key *key, struct reading *r, void *field, const char *value)
{
	size_t len = strlen(value);
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	static const char rest[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	(void)r;
	if (len < 1 || len > PORT_ID_LONGEST || strspn(value, letters) == 0 ||
	    strspn(value, rest) != len)
		return -EINVAL;
	if (strncmp(value, "anynic-", 7) == 0) /* ours: root ports, memory, monitor */
		return -EINVAL;
	str_copy(field, key->size, value);
	return 0;
}

static int read_text(const struct key *key, struct reading *r, void *field, const char *value)
{
	(void)r;
	if (value[0] == '\0')
		return -EINVAL;
	return str_copy(field, key->size, value) ? 0 : -ERANGE;
}

/* The name of a network interface, as the kernel takes it. */
static int read_ifname(const struct key *key, struct reading *r, void *field, const char *value)
{
	if (strcspn(value, "/ :\t\n") != strlen(value) || strcmp(value, ".") == 0 ||
	    strcmp(value, "..") == 0)
		return -EINVAL;
	return read_text(key, r, field, value);
}

static int read_name(const struct key *key, struct reading *r, void *field, const char *value)
{
	int found = name_find(key->names, key->name_count, value);
	unsigned chosen = (unsigned)found;

	(void)r;
	if (found < 0)
		return -EINVAL;
	memcpy(field, &chosen, sizeof(chosen));
	return 0;
}

static int read_number(const struct key *key, struct reading *r, void *field, const char *value)
{
	uint64_t number;
	int rc = parse_u64(value, key->min, key->max, &number);

	(void)r;
	if (rc < 0)
		return rc;
	if (key->size == sizeof(uint16_t)) {
		uint16_t v = (uint16_t)number;
		memcpy(field, &v, sizeof(v));
	} else {
		uint32_t v = (uint32_t)number;
		memcpy(field, &v, sizeof(v));
	}
	return 0;
}

static int read_on_off(const struct key *key, struct reading *r, void *field, const char *value)
{
	(void)key;
	(void)r;
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return -EINVAL;
	*(bool *)field = value[1] == 'n';
	return 0;
}

static int read_mac(const struct key *key, struct reading *r, void *field, const char *value)
{
	uint8_t mac[MAC_LEN];

	(void)key;
	if (mac_parse(value, mac) < 0 || mac_is_zero(mac))
		return -EINVAL;
	if (mac_is_multicast(mac)) {
		error_set(r->err, -EINVAL,
			  "mac=%s is a multicast address; a card needs a unicast MAC: an even "
			  "first byte, as in 52:54:00:12:34:56",
			  value);
		return 1;
	}
	memcpy(field, mac, MAC_LEN);
	r->port->mac_given = true;
	return 0;
}

/* "off" or "N/SECONDS" */
static int read_hold(const struct key *key, struct reading *r, void *field, const char *value)
{
	char count[16];
	const char *slash = strchr(value, '/');
	uint64_t n = 0, seconds = 0;

	(void)key;
	(void)field;
	if (strcmp(value, "off") != 0) {
		if (!slash || (size_t)(slash - value) >= sizeof(count))
			return -EINVAL;
		memcpy(count, value, (size_t)(slash - value));
		count[slash - value] = '\0';
		int rc = parse_u64(count, 1, HOLD_COUNT_MAX, &n);
		if (rc == 0)
			rc = parse_u64(slash + 1, 1, 86400, &seconds);
		if (rc < 0)
			return rc;
	}
	r->port->hold_count = (unsigned)n;
	r->port->hold_seconds = (unsigned)seconds;
	return 0;
}

static int read_model(const struct key *key, struct reading *r, void *field, const char *value)
{
	/* which models there are, and which fit, is validate.c's question: XML asks it too */
	return read_text(key, r, field, value);
}

/* "7" or "7:8:9", one for each queue pair */
static int read_fds(const struct key *key, struct reading *r, void *field, const char *value)
{
	struct backend_spec *b = &r->port->backend;
	char one[16];

	(void)key;
	(void)field;
	while (1) {
		size_t len = strcspn(value, ":");
		uint64_t fd;

		if (len >= sizeof(one) || b->nfds == QUEUES_MAX)
			return -ERANGE;
		memcpy(one, value, len);
		one[len] = '\0';
		int rc = parse_u64(one, 3, 1 << 20, &fd);
		if (rc < 0)
			return rc;
		b->fds[b->nfds++] = (int)fd;
		if (value[len] == '\0')
			return 0;
		value += len + 1;
	}
}

/* "10.0.2.0/24" */
static int read_net(const struct key *key, struct reading *r, void *field, const char *value)
{
	char address[20];
	struct in_addr in;
	uint64_t bits;
	const char *slash = strchr(value, '/');

	if (!slash || (size_t)(slash - value) >= sizeof(address))
		return -EINVAL;
	memcpy(address, value, (size_t)(slash - value));
	address[slash - value] = '\0';
	if (inet_pton(AF_INET, address, &in) != 1)
		return -EINVAL;
	/* the network needs room for gateway, DNS and guest */
	int rc = parse_u64(slash + 1, 8, 29, &bits);
	return rc < 0 ? rc : read_text(key, r, field, value);
}

/* "ADDRESS:PORT", address may be empty */
static bool is_endpoint(const char *text, size_t len)
{
	char copy[64];
	struct in_addr in;
	uint64_t port;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	char *colon = strrchr(copy, ':');
	if (!colon || parse_u64(colon + 1, 1, 65535, &port) < 0)
		return false;
	*colon = '\0';
	return copy[0] == '\0' || inet_pton(AF_INET, copy, &in) == 1;
}

/* "tcp:[ADDRESS]:PORT-[ADDRESS]:PORT", as QEMU writes it */
static int read_hostfwd(const struct key *key, struct reading *r, void *field, const char *value)
{
	struct backend_spec *b = &r->port->backend;
	const char *rest = value + 4;
	(void)key;
	(void)field;
	if (strncmp(value, "tcp:", 4) != 0 && strncmp(value, "udp:", 4) != 0)
		return -EINVAL;
	const char *dash = strchr(rest, '-');
	if (!dash || !is_endpoint(rest, (size_t)(dash - rest)) ||
	    !is_endpoint(dash + 1, strlen(dash + 1)))
		return -EINVAL;
	if (b->hostfwds == HOSTFWD_MAX)
		return -ERANGE;
	if (!str_copy(b->hostfwd[b->hostfwds], sizeof(b->hostfwd[0]), value))
		return -ERANGE;
	b->hostfwds++;
	return 0;
}

#define PORT(f)                                                                                    \
	TO_PORT, .offset = offsetof(struct port_spec, f), .size = sizeof(((struct port_spec *)0)->f)
#define BACKEND(f)                                                                                 \
	TO_BACKEND, .offset = offsetof(struct backend_spec, f),                                    \
		    .size = sizeof(((struct backend_spec *)0)->f)
#define NIC(f)	 .offset = offsetof(struct nic_spec, f), .size = sizeof(((struct nic_spec *)0)->f)
#define NAMES(t) .names = t, .name_count = ARRAY_SIZE(t)

#define MODEL_LEGAL  "the name of a model, see `anynic models`"
#define IFNAME_LEGAL "the name of a network interface, at most 15 characters"
#define PATH_LEGAL   "a path of at most 255 characters"

_Static_assert(sizeof(enum link_wish) == 4 && sizeof(enum tristate) == 4,
	       "read_name writes four bytes");

static const struct key keys[] = {
	{ "id", PORT(id), .kinds = ANY, .read = read_id,
	  .legal = "a letter, then letters, digits, '.', '_' or '-', at most 28, not beginning "
		   "with 'anynic-'" },
	{ "model", TO_OLD, NIC(model), .kinds = SINGLE, .read = read_model, .legal = MODEL_LEGAL },
	{ "legacy", TO_OLD, NIC(model), .kinds = SWITCH, .read = read_model, .legal = MODEL_LEGAL },
	{ "performant", TO_FAST, NIC(model), .kinds = SWITCH, .read = read_model,
	  .legal = MODEL_LEGAL },
	{ "transient", TO_OLD, NIC(model), .kinds = TEAM, .read = read_model,
	  .legal = MODEL_LEGAL " or hostdev" },
	{ "place", TO_ALL_NICS, NIC(place), .kinds = ANY, .read = read_name, NAMES(place_names) },
	{ "transport", TO_FAST, NIC(transport), .kinds = ANY, .read = read_name,
	  NAMES(transport_names) },
	{ "backend", BACKEND(type), .kinds = ANY, .read = read_text,
	  .legal = "the name of a backend, see `anynic backends`" },
	{ "driver", BACKEND(driver), .kinds = ANY, .read = read_name, NAMES(backend_driver_names) },
	{ "mac", PORT(mac), .kinds = ANY, .read = read_mac,
	  .legal = "a unicast MAC such as 52:54:00:12:34:56" },
	{ "link", PORT(link), .kinds = ANY, .read = read_name, NAMES(link_wish_names) },
	{ "legacy-delay", PORT(legacy_delay_ms), .kinds = SWITCH, .read = read_number,
	  .max = LEGACY_DELAY_MAX_MS, .legal = "milliseconds, 0 to 600000" },
	{ "hold", PORT(hold_count), .kinds = SWITCH | TEAM, .read = read_hold,
	  .legal = "off, or N/SECONDS with N 1 to 64 and SECONDS 1 to 86400, as in 6/60" },
	{ "queues", TO_FAST, NIC(queues), .kinds = ANY, .read = read_number, .min = 1,
	  .max = QUEUES_MAX, .legal = "queue pairs, 1 to 16" },
	{ "packed", TO_FAST, NIC(packed), .kinds = ANY, .read = read_on_off, .legal = "on, off" },
	{ "msix", TO_ALL_NICS, NIC(msix), .kinds = ANY, .read = read_name, NAMES(tristate_names) },
	{ "mtu", TO_FAST, NIC(mtu), .kinds = ANY, .read = read_number, .min = 68, .max = 65535,
	  .legal = "bytes, 68 to 65535" },
	{ "rev", TO_OLD, NIC(rev), .kinds = ANY, .read = read_number, .max = 255,
	  .legal = "a PCI revision, 0 to 0xff" },
	{ "vlan", TO_OLD, NIC(vlan), .kinds = SINGLE | TEAM, .read = read_number, .max = 4094,
	  .legal = "0 (none) to 4094" },
	{ "qos", TO_OLD, NIC(qos), .kinds = SINGLE | TEAM, .read = read_number, .max = 7,
	  .legal = "the priority of a VLAN, 0 to 7" },
	{ "trust", TO_OLD, NIC(trust), .kinds = SINGLE | TEAM, .read = read_name,
	  NAMES(tristate_names) },
	{ "spoofchk", TO_OLD, NIC(spoofchk), .kinds = SINGLE | TEAM, .read = read_name,
	  NAMES(tristate_names) },
	{ "bootindex", TO_BOOT, NIC(bootindex), .kinds = ANY, .read = read_number, .max = 65535,
	  .legal = "0 to 65535" },
	{ "romfile", TO_BOOT, NIC(romfile), .kinds = ANY, .read = read_text, .legal = PATH_LEGAL },
	{ "ifname", BACKEND(ifname), .kinds = ANY, .read = read_ifname, .legal = IFNAME_LEGAL },
	{ "fd", BACKEND(fds), .kinds = ANY, .read = read_fds,
	  .legal = "the number of an open descriptor above 2, or several (one for each queue pair, "
		   "at most 16) as 7:8:9" },
	{ "br", BACKEND(br), .kinds = ANY, .read = read_ifname, .legal = IFNAME_LEGAL },
	{ "iface-id", BACKEND(iface_id), .kinds = ANY, .read = read_text,
	  .legal = "the name of a logical port of OVN, at most 39 characters" },
	{ "dev", BACKEND(dev), .kinds = ANY, .read = read_text, .legal = "the name of a device" },
	{ "mode", BACKEND(mode), .kinds = ANY, .read = read_text,
	  .legal = "client or server (stream); vepa, bridge, private or passthrough (direct)" },
	{ "path", BACKEND(path), .kinds = ANY, .read = read_text, .legal = PATH_LEGAL },
	{ "net", BACKEND(net), .kinds = ANY, .read = read_net,
	  .legal = "an IPv4 network such as 10.0.2.0/24, with /8 to /29" },
	{ "hostfwd", BACKEND(hostfwd), .kinds = ANY, .read = read_hostfwd, .repeats = true,
	  .legal = "tcp or udp:[HOST-ADDRESS]:PORT-[GUEST-ADDRESS]:PORT, as in "
		   "tcp:127.0.0.1:2222-:22, at most 16 of them" },
	{ "tftp", BACKEND(tftp), .kinds = ANY, .read = read_text, .legal = PATH_LEGAL },
	{ "bootfile", BACKEND(bootfile), .kinds = ANY, .read = read_text, .legal = PATH_LEGAL },
	{ "capture", BACKEND(capture), .kinds = ANY, .read = read_text, .legal = PATH_LEGAL },
};
_Static_assert(ARRAY_SIZE(keys) <= 64, "one bit each in reading.seen");

static const char *const kind_words[] = { [POLICY_SINGLE] = "a single card",
					  [POLICY_SWITCH] = "an auto port",
					  [POLICY_TEAM] = "a team" };
NAMES_MATCH(kind_words, POLICY_KIND_COUNT);

static struct nic_spec *nic_for(struct port_spec *port, enum key_place place)
{
	bool first;

	if (port->nics == 1)
		return &port->nic[0];
	if (port->policy == POLICY_TEAM)
		first = place != TO_OLD; /* the persistent card */
	else
		first = place != TO_FAST;
	return &port->nic[first ? 0 : 1];
}

static int read_value(const struct key *key, struct reading *r, const char *value)
{
	char *base;

	switch (key->place) {
	case TO_PORT:
		base = (char *)r->port;
		break;
	case TO_BACKEND:
		base = (char *)&r->port->backend;
		break;
	case TO_ALL_NICS:
		for (unsigned i = 1; i < r->port->nics; i++) {
			int rc = key->read(key, r, (char *)&r->port->nic[i] + key->offset, value);
			if (rc != 0)
				return rc;
		}
		base = (char *)&r->port->nic[0];
		break;
	default:
		base = (char *)nic_for(r->port, key->place);
		break;
	}
	return key->read(key, r, base + key->offset, value);
}

static void list_names(char *to, size_t size, const char *const *names, unsigned count)
{
	to[0] = '\0';
	for (unsigned i = 0; i < count; i++) {
		size_t at = strlen(to);
		snprintf(to + at, size - at, "%s%s", i ? ", " : "", names[i]);
	}
}

static int bad_value(const struct key *key, struct reading *r, const char *value)
{
	char legal[160];
	const char *meant = NULL;

	if (key->names) {
		list_names(legal, sizeof(legal), key->names, key->name_count);
		meant = nearest_name(value, key->names, key->name_count);
	} else {
		str_copy(legal, sizeof(legal), key->legal);
	}
	return error_set(r->err, -EINVAL, "%s=%.80s is not legal%s%s%s; %s= takes %s", key->name,
			 value, meant ? " (did you mean " : "", meant ? meant : "",
			 meant ? "?)" : "", key->name, legal);
}

static int unknown_key(struct reading *r, const char *name)
{
	const char *names[ARRAY_SIZE(keys)];
	char list[400];
	unsigned count = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].kinds & BIT(r->port->policy))
			names[count++] = keys[i].name;
	list_names(list, sizeof(list), names, count);
	const char *meant = nearest_name(name, names, count);
	return error_set(r->err, -EINVAL, "unknown key '%.40s'%s%s%s; keys are %s", name,
			 meant ? ", did you mean " : "", meant ? meant : "", meant ? "?" : "",
			 list);
}

static int read_key(struct reading *r, const char *name, const char *value)
{
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			break;
	if (i == ARRAY_SIZE(keys))
		return unknown_key(r, name);

	const struct key *key = &keys[i];
	if (!(key->kinds & BIT(r->port->policy)))
		return error_set(r->err, -EINVAL, "%s= does not belong to %s", name,
				 kind_words[r->port->policy]);
	if ((r->seen & (1ull << i)) && !key->repeats)
		return error_set(r->err, -EINVAL, "%s= is given twice", name);
	r->seen |= 1ull << i;

	int rc = read_value(key, r, value);
	if (rc > 0)
		return -EINVAL;
	return rc < 0 ? bad_value(key, r, value) : 0;
}

/* The next comma-separated piece of *at, with ",," read as a comma. False at the end; *fits tells whether it fitted. */
static bool next_piece(const char **at, char *to, size_t size, bool *fits)
{
	const char *p = *at;
	size_t n = 0;

	if (!p)
		return false;
	*fits = true;
	for (; *p; p++) {
		if (*p == ',' && *++p != ',') {
			to[n] = '\0';
			*at = p;
			return true;
		}
		if (n + 1 == size)
			*fits = false;
		else
			to[n++] = *p;
	}
	to[n] = '\0';
	*at = NULL;
	return true;
}

/* Kind and cards from the first word; the keys that follow change them. */
static void set_defaults(struct port_spec *port, enum policy_kind policy)
{
	static const enum nic_role roles[POLICY_KIND_COUNT][PORT_NICS] = {
		[POLICY_SINGLE] = { ROLE_SINGLE, ROLE_SINGLE },
		[POLICY_SWITCH] = { ROLE_LEGACY, ROLE_PERFORMANT },
		[POLICY_TEAM] = { ROLE_PERSISTENT, ROLE_TRANSIENT },
	};
	static const char *const models[POLICY_KIND_COUNT][PORT_NICS] = {
		[POLICY_SINGLE] = { "virtio-net", "" },
		[POLICY_SWITCH] = { "rtl8139", "virtio-net" },
		[POLICY_TEAM] = { "virtio-net", "igbvf" },
	};

	*port = (struct port_spec){
		.policy = policy,
		.link = LINK_AUTO,
		.legacy_delay_ms = 500,
		.hold_count = 6,
		.hold_seconds = 60,
		.nics = policy == POLICY_SINGLE ? 1 : 2,
		.backend = { .type = "user" },
	};
	for (unsigned i = 0; i < QUEUES_MAX; i++)
		port->backend.fds[i] = -1;
	for (unsigned i = 0; i < port->nics; i++) {
		port->nic[i].role = roles[policy][i];
		port->nic[i].rev = -1;
		port->nic[i].bootindex = -1;
		port->nic[i].vlan = port->nic[i].qos = -1;
		str_copy(port->nic[i].model, MODEL_MAX, models[policy][i]);
	}
}

/* The first word says what the port is. Without one it is an auto port, or a single card when model= comes. */
static int read_kind(struct reading *r, const char *word, const char *text)
{
	if (strcmp(word, "auto") == 0) {
		set_defaults(r->port, POLICY_SWITCH);
	} else if (strcmp(word, "team") == 0) {
		set_defaults(r->port, POLICY_TEAM);
	} else if (strchr(word, '=')) {
		bool single = strncmp(text, "model=", 6) == 0 || strstr(text, ",model=");

		set_defaults(r->port, single ? POLICY_SINGLE : POLICY_SWITCH);
		return 1;
	} else {
		set_defaults(r->port, POLICY_SINGLE);
		if (!str_copy(r->port->nic[0].model, MODEL_MAX, word) || word[0] == '\0') {
			char names[160];
			known_model_names(r->known, names, sizeof(names));
			return error_set(r->err, -EINVAL,
					 "'%.40s' is no kind of port; the first word is auto, team "
					 "or a model: %s",
					 word, names);
		}
	}
	return 0;
}

static int read_piece(struct reading *r, char *piece)
{
	char *equals = strchr(piece, '=');

	if (!equals)
		return error_set(r->err, -EINVAL,
				 "'%.60s' is no key=value; a comma inside a value is written twice",
				 piece);
	*equals = '\0';
	return read_key(r, piece, equals + 1);
}

/* rev= of a switch port belongs to the card that has such a revision; the old one when both or none have. */
static void place_rev(struct port_spec *port, const struct known *known)
{
	struct nic_spec *old = nic_for(port, TO_OLD), *fast = nic_for(port, TO_FAST);

	if (port->policy != POLICY_SWITCH || old->rev < 0)
		return;
	const struct known_model *a = known_model_find(known, old->model);
	const struct known_model *b = known_model_find(known, fast->model);

	if (!a || !b || known_model_has_rev(a, old->rev) || !known_model_has_rev(b, old->rev))
		return;
	fast->rev = old->rev;
	old->rev = -1;
}

int nic_option_parse(struct port_spec *port, const char *text, const struct known *known,
		     struct error *err)
{
	struct reading r = { .port = port, .known = known, .err = err };
	char piece[PATH_ROOM + 40];
	const char *at = text;
	bool first = true, fits;
	int rc = 0;

	while (rc >= 0 && next_piece(&at, piece, sizeof(piece), &fits)) {
		bool kind = first && (rc = read_kind(&r, piece, text)) == 0;

		first = false;
		if (rc < 0 || kind)
			continue;
		if (!fits) {
			/* the key's own row words it: no legal value is that long */
			piece[sizeof(piece) - 1] = '\0';
			rc = error_set(err, -EINVAL, "'%.40s...' is too long", piece);
		} else {
			rc = read_piece(&r, piece);
		}
	}
	if (rc >= 0)
		place_rev(port, known);
	if (rc < 0 && err)
		snprintf(err->where, sizeof(err->where), "--nic %.50s%s", text,
			 strlen(text) > 50 ? "..." : "");
	return rc < 0 ? rc : 0;
}

/* FNV-1a; the end of each word is hashed too, so that "a","bc" and "ab","c" differ. */
static uint64_t hash_word(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x100000001b3ull;
	return (hash ^ 0xff) * 0x100000001b3ull;
}

void mac_stable(const struct guest_identity *who, const char *port, uint8_t mac[MAC_LEN])
{
	uint64_t hash = 0xcbf29ce484222325ull;
	char uid[16];

	snprintf(uid, sizeof(uid), "%u", who->uid);
	hash = hash_word(hash, who->machine_id, strlen(who->machine_id));
	hash = hash_word(hash, uid, strlen(uid));
	hash = hash_word(hash, who->guest, strlen(who->guest));
	hash = hash_word(hash, port, strlen(port));
	/* the low bytes of FNV follow the last letters closely: fold the high ones in */
	hash ^= hash >> 32;
	hash ^= hash >> 24;
	mac[0] = 0x52;
	mac[1] = 0x54;
	mac[2] = 0x00;
	mac[3] = (uint8_t)(hash >> 16);
	mac[4] = (uint8_t)(hash >> 8);
	mac[5] = (uint8_t)hash;
}

/* dev= of a card that is this host's names where it comes from. A backend that has a dev= too (direct, beside a team's card) shares it. */
static void complete_hostdev(struct port_spec *port)
{
	struct backend_spec *b = &port->backend;
	struct nic_spec *nic = &port->nic[port->nics - 1];

	if (strcmp(nic->model, "hostdev") != 0)
		return;
	if (!nic->host_dev[0] && !nic->host_pci[0])
		str_copy(nic->host_dev, sizeof(nic->host_dev), b->dev);
	if (port->nics == 1 && strcmp(b->type, "user") == 0)
		str_copy(b->type, sizeof(b->type), "hostdev");
	if (port->nics > 1 && strcmp(b->type, "direct") != 0 && strcmp(b->type, "auto") != 0)
		b->dev[0] = '\0';
}

static bool id_is_taken(const struct port_spec *ports, unsigned count, const char *id)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(ports[i].id, id) == 0)
			return true;
	return false;
}

/* The guest pairs the cards of a team; QEMU is told which ones by place.c, where it can do that. */
static void complete_team(struct port_spec *port)
{
	port->nic[0].standby = true;
	str_copy(port->nic[1].pair, ID_MAX, port->nic[0].id);
}

static void complete_nics(struct port_spec *port)
{
	for (unsigned i = 0; i < port->nics; i++) {
		struct nic_spec *nic = &port->nic[i];

		memcpy(nic->mac, port->mac, MAC_LEN);
		if (nic->id[0]) /* an alias of XML */
			;
		else if (nic->role == ROLE_SINGLE)
			str_copy(nic->id, ID_MAX, port->id);
		else
			snprintf(nic->id, ID_MAX, "%s-%s", port->id, role_names[nic->role]);
		if (nic->mtu)
			port->backend.mtu = nic->mtu;
	}
	if (port->policy == POLICY_TEAM)
		complete_team(port);
}

void ports_complete(struct port_spec *ports, unsigned count, const struct guest_identity *who)
{
	unsigned next = 0;

	for (unsigned i = 0; i < count; i++) {
		struct port_spec *port = &ports[i];

		while (port->id[0] == '\0') {
			char id[ID_MAX];

			snprintf(id, sizeof(id), "net%u", next++);
			if (!id_is_taken(ports, count, id))
				str_copy(port->id, ID_MAX, id);
		}
		if (!port->mac_given)
			mac_stable(who, port->id, port->mac);
		complete_nics(port);
		complete_hostdev(port);
		if (strcmp(port->backend.type, "direct") == 0 && !port->backend.nfds &&
		    !port->backend.mode[0])
			str_copy(port->backend.mode, sizeof(port->backend.mode), "vepa");
		port->backend.server = strcmp(port->backend.mode, "server") == 0;
	}
}
