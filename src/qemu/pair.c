#include "qemu/pair.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What is being put together. */
struct pairing {
	struct found_port *ports;
	unsigned count;
	const struct found_guest *guest;
	const struct known *known;
	bool taken[WATCHED_MAX]; /* is in a port, or not wanted */
	unsigned pairs;
};

static int find_card(const struct found_guest *g, const char *name, size_t length)
{
	for (unsigned i = 0; i < g->cards; i++)
		if (strlen(g->card[i].name) == length && memcmp(g->card[i].name, name, length) == 0)
			return (int)i;
	return -1;
}

static void name_cards(const struct found_guest *g, char *to, size_t size)
{
	to[0] = '\0';
	for (unsigned i = 0; i < g->cards; i++) {
		size_t at = strlen(to);
		snprintf(to + at, size - at, "%s%s", i ? ", " : "", g->card[i].name);
	}
}

static int no_such_card(const struct found_guest *g, const char *name, size_t length,
			struct error *err)
{
	char names[300];

	name_cards(g, names, sizeof(names));
	return error_set(err, -ENOENT, "--nic %.*s: this QEMU has no such network card; it has %s",
			 (int)MIN(length, 60), name, names[0] ? names : "none that is known");
}

/* Older cards come first among the known ones. */
static int age(const struct known *known, const char *model)
{
	for (unsigned i = 0; i < known->model_count; i++)
		if (strcmp(known->models[i].name, model) == 0)
			return (int)i;
	return -1;
}

static const char *shared(const struct found_card *a, const struct found_card *b)
{
	if (a->hub >= 0 && a->hub == b->hub)
		return "one hub of QEMU's";
	if (a->bridge[0] && strcmp(a->bridge, b->bridge) == 0)
		return a->bridge;
	if (!mac_is_zero(a->mac) && memcmp(a->mac, b->mac, MAC_LEN) == 0)
		return "one MAC address";
	return NULL;
}

static void fill_nic(struct nic_spec *nic, const struct found_card *card, enum nic_role role)
{
	*nic = (struct nic_spec){ .role = role,
				  .place = PLACE_QEMU,
				  .netdev = NETDEV_TAP, /* no frame of theirs passes here */
				  .queues = 1,
				  .rev = -1,
				  .bootindex = -1,
				  .vlan = -1,
				  .qos = -1 };
	str_copy(nic->id, sizeof(nic->id), card->name);
	str_copy(nic->model, sizeof(nic->model), card->model);
	memcpy(nic->mac, card->mac, MAC_LEN);
}

static struct found_port *new_port(struct pairing *p, const struct found_card *card)
{
	struct found_port *port = &p->ports[p->count++];
	struct backend_spec *b = &port->spec.backend;

	*port = (struct found_port){ .spec = { .mac_given = true,
					       .legacy_delay_ms = 500,
					       .hold_count = 6,
					       .hold_seconds = 60 } };
	memcpy(port->spec.mac, card->mac, MAC_LEN);
	str_copy(b->type, sizeof(b->type), card->type[0] ? card->type : "none");
	str_copy(b->ifname, sizeof(b->ifname), card->ifname);
	str_copy(b->br, sizeof(b->br), card->bridge);
	return port;
}

/* "port0", unless a card has that name. */
static void name_pair(struct pairing *p, char id[ID_MAX])
{
	do
		snprintf(id, ID_MAX, "port%u", p->pairs++);
	while (find_card(p->guest, id, strlen(id)) >= 0);
}

static void add_pair(struct pairing *p, unsigned legacy, unsigned performant, const char *why)
{
	const struct found_card *a = &p->guest->card[legacy], *b = &p->guest->card[performant];
	struct found_port *port = new_port(p, b);

	port->spec.policy = POLICY_SWITCH;
	port->spec.nics = 2;
	name_pair(p, port->spec.id);
	fill_nic(&port->spec.nic[0], a, ROLE_LEGACY);
	fill_nic(&port->spec.nic[1], b, ROLE_PERFORMANT);
	port->card[0] = a;
	port->card[1] = b;
	p->taken[legacy] = p->taken[performant] = true;
	snprintf(port->why, sizeof(port->why), "%s%s", why,
		 memcmp(a->mac, b->mac, MAC_LEN) == 0
			 ? ""
			 : "; their MAC addresses differ, so the guest's network changes its "
			   "address with a switch");
}

static void add_single(struct pairing *p, unsigned i)
{
	const struct found_card *card = &p->guest->card[i];
	struct found_port *port = new_port(p, card);

	port->spec.policy = POLICY_SINGLE;
	port->spec.nics = 1;
	str_copy(port->spec.id, sizeof(port->spec.id), card->name);
	fill_nic(&port->spec.nic[0], card, ROLE_SINGLE);
	port->card[0] = card;
	p->taken[i] = true;
}

/* "LEGACY,PERFORMANT" */
static int add_named_pair(struct pairing *p, const char *names, const char *comma,
			  struct error *err)
{
	size_t length = (size_t)(comma - names);
	int a = find_card(p->guest, names, length);
	int b = find_card(p->guest, comma + 1, strlen(comma + 1));

	if (a < 0)
		return no_such_card(p->guest, names, length, err);
	if (b < 0)
		return no_such_card(p->guest, comma + 1, strlen(comma + 1), err);
	if (a == b || p->taken[a] || p->taken[b])
		return error_set(err, -EINVAL, "--nic %.100s: a card is in one port only", names);
	add_pair(p, (unsigned)a, (unsigned)b, "named as a pair");
	return 0;
}

/* Of two cards the older one is the legacy card. False: they are of one model. */
static bool add_by_age(struct pairing *p, unsigned a, unsigned b, const char *why)
{
	int age_a = age(p->known, p->guest->card[a].model);
	int age_b = age(p->known, p->guest->card[b].model);

	if (age_a == age_b)
		return false;
	add_pair(p, age_a < age_b ? a : b, age_a < age_b ? b : a, why);
	return true;
}

/* The only card that shares something with this one; -1: none, or several. */
static int partner_of(const struct pairing *p, unsigned i)
{
	int found = -1;

	for (unsigned k = 0; k < p->guest->cards; k++) {
		if (k == i || p->taken[k] || !shared(&p->guest->card[i], &p->guest->card[k]))
			continue;
		if (found >= 0)
			return -1;
		found = (int)k;
	}
	return found;
}

static void pair_what_shares(struct pairing *p)
{
	for (unsigned i = 0; i < p->guest->cards; i++) {
		char why[PAIR_WHY];

		if (p->taken[i] || p->count == PORTS_MAX)
			continue;
		int k = partner_of(p, i);
		if (k < 0 || partner_of(p, (unsigned)k) != (int)i)
			continue;
		snprintf(why, sizeof(why), "both are on %s",
			 shared(&p->guest->card[i], &p->guest->card[k]));
		add_by_age(p, i, (unsigned)k, why);
	}
}

/* Two cards that were named one by one are meant as a pair, if they can be one. */
static void pair_the_named(struct pairing *p, const int *named, unsigned count)
{
	if (count == 2 && named[0] != named[1] && !p->taken[named[0]] && !p->taken[named[1]] &&
	    p->count < PORTS_MAX)
		add_by_age(p, (unsigned)named[0], (unsigned)named[1], "named together");
}

int qemu_pair_cards(struct found_port *ports, unsigned *count, const struct found_guest *g,
		    const char *const *names, unsigned name_count, const struct known *known,
		    struct error *err)
{
	struct pairing p = { .ports = ports, .guest = g, .known = known };
	int named[PORTS_MAX] = { 0 };
	unsigned singles = 0;

	*count = 0;
	for (unsigned i = 0; i < name_count; i++) {
		const char *comma = strchr(names[i], ',');
		int card = find_card(g, names[i], strlen(names[i]));
		int rc = 0;

		if (p.count + singles == PORTS_MAX)
			return error_set(err, -EINVAL, "at most %d --nic", PORTS_MAX);
		if (comma)
			rc = add_named_pair(&p, names[i], comma, err);
		else if (card < 0)
			rc = no_such_card(g, names[i], strlen(names[i]), err);
		else
			named[singles++] = card;
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; name_count && i < g->cards; i++) {
		bool wanted = false;
		for (unsigned k = 0; k < singles; k++)
			wanted |= named[k] == (int)i;
		p.taken[i] |= !wanted;
	}
	pair_the_named(&p, named, singles);
	pair_what_shares(&p);
	for (unsigned i = 0; i < g->cards && p.count < PORTS_MAX; i++)
		if (!p.taken[i])
			add_single(&p, i);
	*count = p.count;
	return 0;
}
