#include "qemu/found.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "host/netlink.h"
#include "qemu/monitor_text.h"
#include "qemu/place.h"
#include "qemu/qmp_call.h"

#define FIND_NS	     (15 * NS_PER_S)
#define LIST_NS	     (3 * NS_PER_S) /* its clients wait meanwhile */
#define CHILDREN_MAX 4096u

static bool span_copy(char *to, size_t size, struct text_span s)
{
	bool fits = s.length < size;
	size_t n = MIN(s.length, size - 1);

	if (s.at)
		memcpy(to, s.at, n);
	to[s.at ? n : 0] = '\0';
	return fits;
}

static const char *text_of(json_object *o, const char *key)
{
	json_object *member;

	return json_object_object_get_ex(o, key, &member) &&
			       json_object_is_type(member, json_type_string)
		       ? json_object_get_string(member)
		       : "";
}

/* --- info network ------------------------------------------------------------------------------------------------ */

static struct found_card *card_of_line(struct found_guest *g, const struct network_line *l)
{
	struct text_span model = network_value(l->info, "model");
	struct text_span text = network_value(l->info, "macaddr");
	char mac_text[MAC_TEXT];
	uint8_t mac[MAC_LEN];

	for (unsigned i = 0; i < g->cards; i++)
		if (span_is(l->name, g->card[i].name))
			return &g->card[i];
	if (!span_copy(mac_text, sizeof(mac_text), text) || mac_parse(mac_text, mac) < 0)
		return NULL;
	/* a device without an id has a name that QEMU made */
	for (unsigned i = 0; i < g->cards; i++) {
		struct found_card *card = &g->card[i];
		if (card->name[0] || memcmp(card->mac, mac, MAC_LEN) != 0 ||
		    !span_is(model, card->device))
			continue;
		if (!span_copy(card->name, sizeof(card->name), l->name))
			card->name[0] = '\0';
		return card;
	}
	return NULL;
}

static bool is_nic(const struct network_line *l)
{
	return span_is(network_value(l->info, "type"), "nic");
}

void found_read_network(struct found_guest *g, const char *text)
{
	struct found_card *card = NULL;
	struct network_line l;
	int hub = -1;

	while (network_next(&text, &l)) {
		hub += l.hub;
		if (!l.peer || l.port)
			card = is_nic(&l) ? card_of_line(g, &l) : NULL;
		if (!card)
			continue;
		if (l.port) {
			card->hub = hub;
			str_copy(card->type, sizeof(card->type), "hub");
		} else if (l.peer) {
			span_copy(card->type, sizeof(card->type), network_value(l.info, "type"));
			span_copy(card->ifname, sizeof(card->ifname),
				  network_value(l.info, "ifname"));
		}
	}
}

/* The bridges that taps are in: none, when QEMU lives in another network namespace. All of Open vSwitch's have one master: no bridge to us. */
static void find_bridges(struct found_guest *g)
{
	struct netlink nl;
	struct link tap, bridge;

	if (netlink_open(&nl, NULL) < 0)
		return;
	for (unsigned i = 0; i < g->cards; i++)
		if (g->card[i].ifname[0] && netlink_find(&nl, g->card[i].ifname, &tap) == 0 &&
		    tap.master && netlink_get(&nl, tap.master, &bridge) == 0 &&
		    strcmp(bridge.kind, "bridge") == 0)
			str_copy(g->card[i].bridge, sizeof(g->card[i].bridge), bridge.name);
	netlink_close(&nl);
}

/* --- the tree of objects ----------------------------------------------------------------------------------------- */

struct search {
	struct qmp_client *client;
	uint64_t end_ns;
	int rc;
};

static json_object *get(struct search *s, const char *path, const char *property)
{
	json_object *arguments = qmp_text_argument("path", path);

	json_object_object_add(arguments, "property", json_object_new_string(property));
	return qmp_call(s->client, "qom-get", arguments, s->end_ns, &s->rc);
}

static void take_text(json_object *o, char *to, size_t size)
{
	if (!json_object_is_type(o, json_type_string) ||
	    !str_copy(to, size, json_object_get_string(o)))
		to[0] = '\0';
}

static void add_card(struct found_guest *g, const char *folder, const char *name,
		     const char *device)
{
	bool has_id = strcmp(folder, "/machine/peripheral") == 0;
	struct found_card card = { .hub = -1, .model = qemu_model_of(device) };
	int n = has_id ? snprintf(card.owner, sizeof(card.owner), "%s", name)
		       : snprintf(card.owner, sizeof(card.owner), "%s/%s", folder, name);

	if (!card.model || g->cards == WATCHED_MAX || n < 0 || (size_t)n >= sizeof(card.owner) ||
	    !str_copy(card.device, sizeof(card.device), device) ||
	    (has_id && !str_copy(card.name, sizeof(card.name), name)))
		return;
	g->card[g->cards++] = card;
}

/* The next one behind `at` that is a card: its type is "child<virtio-net-pci>". */
static bool next_card(json_object *list, size_t *at, const char **name, char device[64])
{
	size_t count =
		json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	while (*at < MIN(count, CHILDREN_MAX)) {
		json_object *child = json_object_array_get_idx(list, (*at)++);
		char end;

		*name = text_of(child, "name");
		if (sscanf(text_of(child, "type"), "child<%63[^>]%c", device, &end) == 2 &&
		    end == '>' && **name && watched_card_find(device))
			return true;
	}
	return false;
}

/* FNV-1a of their names: whoever makes two lists that are alike in it fools but himself. */
uint64_t found_list_mark(json_object *list)
{
	uint64_t mark = 0xcbf29ce484222325u;
	const char *name;
	char device[64];
	size_t at = 0;

	while (next_card(list, &at, &name, device))
		for (const char *c = name;; c++) { /* with its end */
			mark = (mark ^ (uint8_t)*c) * 0x100000001b3u;
			if (!*c)
				break;
		}
	return mark;
}

static void list_cards(struct search *s, struct found_guest *g, unsigned folder)
{
	json_object *list =
		qmp_call(s->client, "qom-list", qmp_text_argument("path", found_folders[folder]),
			 s->end_ns, &s->rc);
	const char *name;
	char device[64];
	size_t at = 0;

	g->mark[folder] = found_list_mark(list);
	while (next_card(list, &at, &name, device))
		add_card(g, found_folders[folder], name, device);
}

static void read_mac(struct search *s, struct found_card *card)
{
	char path[WATCHED_OWNER + 32], text[MAC_TEXT];

	snprintf(path, sizeof(path), "%s%s", card->owner[0] == '/' ? "" : "/machine/peripheral/",
		 card->owner);
	take_text(get(s, path, "mac"), text, sizeof(text));
	if (mac_parse(text, card->mac) < 0)
		memset(card->mac, 0, MAC_LEN);
}

/* "pc-q35-7.2-machine" */
static void read_machine(struct search *s, struct found_guest *g)
{
	json_object *o;

	take_text(get(s, "/machine", "type"), g->machine, sizeof(g->machine));
	char *suffix = strstr(g->machine, "-machine");
	if (suffix)
		*suffix = '\0';
	o = qmp_call(s->client, "query-target", NULL, s->end_ns, &s->rc);
	str_copy(g->target, sizeof(g->target), text_of(o, "arch"));
	o = qmp_call(s->client, "query-name", NULL, s->end_ns, &s->rc);
	str_copy(g->name, sizeof(g->name), text_of(o, "name"));
	o = qmp_call(s->client, "query-status", NULL, s->end_ns, &s->rc);
	g->running = o && qmp_status_is_running(o);
}

static void read_version(json_object *greeting, struct found_guest *g)
{
	json_object *o = greeting, *major, *minor;

	if (!json_object_object_get_ex(o, "version", &o) ||
	    !json_object_object_get_ex(o, "qemu", &o) ||
	    !json_object_object_get_ex(o, "major", &major) ||
	    !json_object_object_get_ex(o, "minor", &minor))
		return;
	g->major = (unsigned)json_object_get_int(major);
	g->minor = (unsigned)json_object_get_int(minor);
}

/* Cards that have no name cannot be steered. */
static void drop_nameless(struct found_guest *g)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < g->cards; i++)
		if (g->card[i].name[0])
			g->card[kept++] = g->card[i];
	g->cards = kept;
}

const char *const found_folders[FOUND_FOLDERS] = { "/machine/peripheral",
						   "/machine/peripheral-anon",
						   "/machine/unattached" };

static int find_cards(struct search *s, struct found_guest *g, struct error *err)
{
	g->cards = 0;
	for (unsigned i = 0; s->rc == 0 && i < FOUND_FOLDERS; i++)
		list_cards(s, g, i);
	for (unsigned i = 0; s->rc == 0 && i < g->cards; i++)
		read_mac(s, &g->card[i]);
	if (s->rc == 0)
		found_read_network(g, qmp_call_human(s->client, "info network", s->end_ns, &s->rc));
	if (s->rc < 0)
		return error_set(err, s->rc, "QEMU's monitor %s while it was asked for its cards",
				 s->rc == -ETIMEDOUT ? "fell silent" : "was closed");
	drop_nameless(g);
	find_bridges(g);
	return 0;
}

int qemu_list_cards(struct found_guest *g, struct qmp_client *c, struct error *err)
{
	struct search s = { .client = c, .end_ns = monotonic_ns() + LIST_NS };

	return find_cards(&s, g, err);
}

int qemu_find_cards(struct found_guest *g, struct qmp_client *c, struct error *err)
{
	struct search s = { .client = c, .end_ns = monotonic_ns() + FIND_NS };
	json_object *greeting = NULL;

	*g = (struct found_guest){ 0 };
	s.rc = qmp_call_ready(c, s.end_ns, &greeting);
	if (s.rc == -ETIMEDOUT)
		return error_set(err, s.rc,
				 "nobody greets: another client has this monitor (libvirt keeps "
				 "its own), or it is no QMP monitor; give QEMU one more, as in "
				 "-qmp unix:PATH,server=on,wait=off");
	if (s.rc < 0)
		return error_set(err, s.rc,
				 "this is no QMP monitor: it closed the connection before it said "
				 "who it is; tell the path of QEMU's -qmp socket");
	read_version(greeting, g);
	read_machine(&s, g);
	return find_cards(&s, g, err);
}
