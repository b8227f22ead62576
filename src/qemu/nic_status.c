#include "qemu/nic_status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "qemu/monitor_text.h"

#define MOVING_NS	(50 * NS_PER_MS)
#define STILL_NS	(250 * NS_PER_MS)
#define STILL_NS_MOST	(2 * NS_PER_S)
#define MOVING_LASTS_NS (2 * NS_PER_S)
/* whole and quick looks may take 1/625 of QEMU's time each. Where they are cheap, that is every 250 ms. */
#define COST_FACTOR 625u

/* Bits of watched_nic.asked behind those of the reads. */
#define BIT_RING   BIT(CARD_READS)
#define BIT_AVAIL  BIT(CARD_READS + 1)
#define BIT_FILTER BIT(CARD_READS + 2)

void nic_status_init(struct nic_status *w, const struct qemu_signals *signals)
{
	memset(w, 0, sizeof(*w));
	w->signals = *signals;
	w->next_ns = NIC_STATUS_OFF;
}

int nic_status_add(struct nic_status *w, const char *nic, const char *owner, const char *device,
		   enum nic_role role)
{
	const struct watched_card *card = watched_card_find(device);

	if (!card)
		return -ENOTSUP;
	if (w->nics == WATCHED_MAX)
		return -ENOSPC;
	struct watched_nic *n = &w->nic[w->nics];
	*n = (struct watched_nic){ .card = card, .performant = role == ROLE_PERFORMANT };
	if (!str_copy(n->id, sizeof(n->id), nic) || !str_copy(n->owner, sizeof(n->owner), owner))
		return -ENAMETOOLONG;
	return (int)w->nics++;
}

/* --- when -------------------------------------------------------------------------------------------------------- */

static void look_at_once(struct nic_status *w, uint64_t now)
{
	w->moving_ns = now + MOVING_LASTS_NS;
	w->next_ns = w->whole_ns = now;
}

static unsigned index_of(const struct nic_status *w, const char *nic)
{
	unsigned i = 0;

	while (i < w->nics && strcmp(w->nic[i].id, nic) != 0)
		i++;
	return i;
}

/* What was asked of it is no longer waited for: its answers are nobody's. */
static void forget_questions(struct nic_status *w, unsigned nic)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < w->asking; i++) {
		bool tree = w->asked[i].what == ASKED_TREE;

		if (!tree && w->asked[i].nic == nic)
			continue;
		w->asked[kept] = w->asked[i];
		w->asked[kept].nic =
			(uint8_t)(w->asked[kept].nic - (!tree && w->asked[i].nic > nic));
		kept++;
	}
	w->asking = kept;
}

void nic_status_remove(struct nic_status *w, const char *nic, uint64_t now)
{
	unsigned i = index_of(w, nic);

	if (i == w->nics)
		return;
	forget_questions(w, i);
	w->nics--;
	memmove(&w->nic[i], &w->nic[i + 1], (w->nics - i) * sizeof(w->nic[0]));
	look_at_once(w, now);
}

void nic_status_look(struct nic_status *w, uint64_t now)
{
	look_at_once(w, now);
}

void nic_status_start(struct nic_status *w, bool running, uint64_t now)
{
	w->started = true;
	w->running = running;
	w->asking = 0;
	look_at_once(w, now);
}

void nic_status_stop(struct nic_status *w)
{
	for (unsigned i = 0; w->started && i < w->nics; i++) {
		struct watched_nic *n = &w->nic[i];

		report_set(&n->now, n->now.state, n->now.phase,
			   "QEMU's monitor is closed: what became of the driver is not known");
		n->pending = n->told;
	}
	w->started = false;
	w->asking = 0;
}

void nic_status_set_running(struct nic_status *w, bool running, uint64_t now)
{
	if (running && !w->running)
		look_at_once(w, now);
	w->running = running;
}

uint64_t nic_status_deadline(const struct nic_status *w)
{
	/* before the guest's first instruction there is nothing to see either */
	if (!w->started || !w->running || w->nics == 0 || w->asking)
		return NIC_STATUS_OFF;
	return w->next_ns;
}

static bool any_driver(const struct nic_status *w)
{
	for (unsigned i = 0; i < w->nics; i++)
		if (w->nic[i].seen.bus_master || w->nic[i].filter_wanted)
			return true;
	return false;
}

static uint64_t pause_after(const struct nic_status *w, uint64_t cost_ns, uint64_t now)
{
	if (now < w->moving_ns)
		return MOVING_NS;
	return MIN(MAX(cost_ns * COST_FACTOR, STILL_NS), STILL_NS_MOST);
}

/* A look has ended. The least cost of late counts, so that a busy host does not look like a slow QEMU. */
static void set_next(struct nic_status *w, uint64_t now)
{
	uint64_t *cost = w->whole ? &w->whole_cost_ns : &w->quick_cost_ns;
	uint64_t took = now - w->asked_ns;

	*cost = *cost ? MIN(*cost + *cost / 8, took) : took;
	if (w->whole)
		w->whole_ns = now + pause_after(w, w->whole_cost_ns, now);
	/* a quick look has nothing to look at without a driver */
	w->next_ns = any_driver(w) ? MIN(now + pause_after(w, w->quick_cost_ns, now), w->whole_ns)
				   : w->whole_ns;
	w->next_ns = MAX(w->next_ns, now + 1);
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

static void note_asked(struct nic_status *w, uint64_t id, enum asked_what what, unsigned nic,
		       unsigned read, uint64_t address)
{
	if (!id)
		return; /* the monitor is closed: that is told by itself */
	w->asked[w->asking].id = id;
	w->asked[w->asking].what = what;
	w->asked[w->asking].nic = (uint8_t)nic;
	w->asked[w->asking].read = (uint8_t)read;
	w->asked[w->asking].address = address;
	w->asking++;
}

static uint64_t send_human(struct qmp_client *c, const char *line)
{
	json_object *arguments = json_object_new_object();

	json_object_object_add(arguments, "command-line", json_object_new_string(line));
	return qmp_client_send(c, "human-monitor-command", arguments);
}

static void ask_memory(struct nic_status *w, struct qmp_client *c, unsigned nic,
		       enum asked_what what, unsigned read, uint64_t address, unsigned size)
{
	char line[48];

	if (w->asking == ASKED_MAX)
		return;
	snprintf(line, sizeof(line), "xp /1%cx 0x%" PRIx64,
		 size == 1   ? 'b'
		 : size == 2 ? 'h'
			     : 'w',
		 address);
	note_asked(w, send_human(c, line), what, nic, read, address);
}

static void ask_read(struct nic_status *w, struct qmp_client *c, unsigned nic, unsigned read)
{
	struct watched_nic *n = &w->nic[nic];
	const struct card_read *r = &n->card->read[read];

	if (n->asked & BIT(read) || !n->seen.has_base || !w->signals.can[SIGNAL_MEMORY])
		return;
	n->asked |= BIT(read);
	ask_memory(w, c, nic, ASKED_READ, read, n->seen.base + r->offset, r->size);
}

/* True when the answer must be waited for. */
static bool ask_ring(struct nic_status *w, struct qmp_client *c, unsigned nic)
{
	struct watched_nic *n = &w->nic[nic];
	json_object *arguments;
	char path[WATCHED_OWNER + 48];

	if (n->asked & BIT_RING || n->no_ring || !w->signals.can[SIGNAL_RING] ||
	    w->asking == ASKED_MAX)
		return false;
	n->asked |= BIT_RING;
	snprintf(path, sizeof(path), "%s%s/virtio-backend",
		 n->owner[0] == '/' ? "" : "/machine/peripheral/", n->owner);
	arguments = json_object_new_object();
	json_object_object_add(arguments, "path", json_object_new_string(path));
	json_object_object_add(arguments, "queue", json_object_new_int(0));
	note_asked(w, qmp_client_send(c, "x-query-virtio-queue-status", arguments), ASKED_RING, nic,
		   0, 0);
	return true;
}

/* What the driver gave: a split ring's avail index. A packed ring has none: its first descriptor's length then, which only a driver writes. */
static void ask_avail(struct nic_status *w, struct qmp_client *c, unsigned nic)
{
	struct watched_nic *n = &w->nic[nic];
	const struct card_seen *s = &n->seen;

	if (n->asked & BIT_AVAIL || !s->ring_known || !s->ring || !w->signals.can[SIGNAL_MEMORY])
		return;
	n->asked |= BIT_AVAIL;
	if (n->packed)
		ask_memory(w, c, nic, ASKED_AVAIL, 0, s->ring + 8, 4);
	else if (s->avail_ring)
		ask_memory(w, c, nic, ASKED_AVAIL, 0, s->avail_ring + 2, 2);
}

/* By QEMU's id only: a card without one has a name that QEMU made, and is left alone. */
static void ask_filter(struct nic_status *w, struct qmp_client *c, unsigned nic)
{
	struct watched_nic *n = &w->nic[nic];
	json_object *arguments;

	if (n->asked & BIT_FILTER || !w->signals.can[SIGNAL_FILTER] || n->owner[0] == '/' ||
	    w->asking == ASKED_MAX)
		return;
	n->asked |= BIT_FILTER;
	n->filter_wanted = false;
	arguments = json_object_new_object();
	json_object_object_add(arguments, "name", json_object_new_string(n->owner));
	note_asked(w, qmp_client_send(c, "query-rx-filter", arguments), ASKED_FILTER, nic, 0, 0);
}

static bool phase_open(const struct watched_nic *n)
{
	struct driver_report r;

	card_judge(n->card, &n->seen, &r);
	return r.state == DRIVER_READY && r.phase == PHASE_UNKNOWN;
}

/* What a whole look still lacks of one card. Asks it, if anything; called again when the answers are there. */
static void ask_whole(struct nic_status *w, struct qmp_client *c, unsigned nic)
{
	struct watched_nic *n = &w->nic[nic];
	const struct card_seen *s = &n->seen;

	if (!s->present || !s->bus_master)
		return;
	ask_read(w, c, nic, 0);
	if (n->asked & BIT(0) && !(s->have & BIT(0)) && w->asking)
		return; /* all else depends on it */
	bool receives = card_receives(n->card, s);
	if (!n->has_details || (receives && (!s->given || phase_open(n))))
		for (unsigned i = 1; i < n->card->reads; i++)
			ask_read(w, c, nic, i);
	/* without the status register the ring alone tells that a driver went */
	if (card_ring_wanted(n->card, s) && (!s->given || !(s->have & BIT(0))) &&
	    !ask_ring(w, c, nic) && !s->given)
		ask_avail(w, c, nic);
	if (n->card->virtio && (n->filter_wanted || (receives && s->given && phase_open(n))))
		ask_filter(w, c, nic);
}

/* One register of each card that a driver has, and whether buffers came where they were missing. */
static void ask_quick(struct nic_status *w, struct qmp_client *c, unsigned nic)
{
	struct watched_nic *n = &w->nic[nic];
	const struct card_seen *s = &n->seen;

	if (!s->present || !s->bus_master)
		return;
	ask_read(w, c, nic, 0);
	if (card_ring_wanted(n->card, s) && !s->given)
		ask_avail(w, c, nic);
	if (n->filter_wanted)
		ask_filter(w, c, nic);
}

/* --- answers ----------------------------------------------------------------------------------------------------- */

static void forget_driver(struct watched_nic *n)
{
	struct card_seen *s = &n->seen;

	s->have = 0;
	s->given = s->ring_known = s->avail_known = s->vlan_known = false;
	n->has_details = false;
}

static void take_region(struct watched_nic *n, const struct mtree_region *r)
{
	struct card_seen *s = &n->seen;

	s->present = true;
	s->mapped |= !span_begins(r->name, "bus master");
	if (r->alias && span_is(r->name, "bus master")) {
		s->bus_master = true;
	} else if (span_begins(r->name, n->card->registers) && r->to - r->from >= 0xff &&
		   r->to > r->from && r->from) {
		s->has_base = true;
		s->base = r->from;
	}
}

static void take_tree(struct nic_status *w, const char *text)
{
	struct mtree_region r;
	bool had_driver[WATCHED_MAX] = { 0 };
	uint64_t had_base[WATCHED_MAX] = { 0 };

	for (unsigned i = 0; i < w->nics; i++) {
		struct card_seen *s = &w->nic[i].seen;
		had_driver[i] = s->bus_master;
		had_base[i] = s->has_base ? s->base : 0;
		s->tree = true;
		s->present = s->bus_master = s->mapped = s->has_base = false;
	}
	while (mtree_next(&text, &r))
		for (unsigned i = 0; i < w->nics; i++)
			if (span_is(r.owner, w->nic[i].owner))
				take_region(&w->nic[i], &r);
	for (unsigned i = 0; i < w->nics; i++) {
		struct card_seen *s = &w->nic[i].seen;
		if (s->bus_master != had_driver[i])
			w->moving_ns = UINT64_MAX; /* made a time when the look ends */
		if (!s->bus_master || (s->has_base && had_base[i] && s->base != had_base[i]))
			forget_driver(&w->nic[i]);
	}
}

/* A driver of rtl8139 sets its ring before it lets the card receive. virtio's buffers are told by the ring. */
static void note_given(struct watched_nic *n)
{
	const unsigned ring = BIT(CARD_RING_LENGTH) | BIT(CARD_RING_HEAD) | BIT(CARD_RING_TAIL);
	struct card_seen *s = &n->seen;

	if (n->card->virtio || !card_receives(n->card, s))
		return;
	if (!n->card->ring_registers || ((s->have & ring) == ring && s->reg[CARD_RING_LENGTH] &&
					 (s->reg[CARD_RING_HEAD] || s->reg[CARD_RING_TAIL])))
		s->given = true;
}

static void take_read(struct nic_status *w, struct watched_nic *n, unsigned read, const char *text,
		      uint64_t address)
{
	struct card_seen *s = &n->seen;
	uint32_t had = s->have & BIT(read) ? s->reg[read] : 0;
	bool had_it = s->have & BIT(read);
	uint64_t value = 0;
	bool has = xp_parse(text, address, &value, 1) == 1;

	/* what no device answers reads as ones */
	if (has && n->card->read[read].size == 4 && value == UINT32_MAX)
		has = false;
	s->have = has ? s->have | BIT(read) : s->have & ~BIT(read);
	s->reg[read] = has ? (uint32_t)value : 0;
	if (read == 0 && (has != had_it || ((had ^ s->reg[0]) & n->card->watch))) {
		w->moved = true;
		n->has_details = false;
		s->have &= BIT(0); /* what was read before belongs to another time */
	}
	if (read == 0 && has && !card_receives(n->card, s))
		s->given = s->ring_known = s->avail_known = s->vlan_known = false;
	note_given(n);
}

static void take_ring(struct watched_nic *n, json_object *data)
{
	struct card_seen *s = &n->seen;
	json_object *ring, *avail;

	s->ring_known = json_object_object_get_ex(data, "vring-desc", &ring) &&
			json_object_object_get_ex(data, "vring-avail", &avail);
	if (!s->ring_known)
		return;
	s->ring = json_object_get_uint64(ring);
	s->avail_ring = json_object_get_uint64(avail);
	if (!s->ring)
		s->given = s->avail_known = false;
}

static void take_avail(struct nic_status *w, struct watched_nic *n, const char *text,
		       uint64_t address)
{
	uint64_t value = 0;

	if (!card_ring_wanted(n->card, &n->seen))
		return;
	n->seen.avail_known = xp_parse(text, address, &value, 1) == 1;
	if (!n->seen.avail_known || !value)
		return;
	n->seen.given = true;
	w->moved = true;
}

static void take_filter(struct watched_nic *n, json_object *data)
{
	json_object *vlan = NULL;

	if (json_object_is_type(data, json_type_array) && json_object_array_length(data) > 0)
		json_object_object_get_ex(json_object_array_get_idx(data, 0), "vlan", &vlan);
	n->seen.vlan_known = json_object_is_type(vlan, json_type_string);
	n->seen.vlan_all = n->seen.vlan_known && strcmp(json_object_get_string(vlan), "all") == 0;
}

static void take(struct nic_status *w, unsigned at, const struct qmp_item *item)
{
	struct watched_nic *n = &w->nic[w->asked[at].nic];
	json_object *data = item->kind == QMP_ITEM_REPLY ? item->data : NULL;
	const char *text =
		json_object_is_type(data, json_type_string) ? json_object_get_string(data) : "";

	switch (w->asked[at].what) {
	case ASKED_TREE:
		if (text[0])
			take_tree(w, text);
		break;
	case ASKED_READ:
		take_read(w, n, w->asked[at].read, text, w->asked[at].address);
		break;
	case ASKED_RING:
		take_ring(n, data);
		break;
	case ASKED_AVAIL:
		take_avail(w, n, text, w->asked[at].address);
		break;
	case ASKED_FILTER:
		take_filter(n, data);
		break;
	case ASKED_WHAT_COUNT:
		break;
	}
}

/* --- a look ------------------------------------------------------------------------------------------------------ */

static void begin(struct nic_status *w, struct qmp_client *c, bool whole, uint64_t now)
{
	w->whole = whole;
	w->moved = w->stale = false;
	w->asked_ns = now;
	w->looks++;
	w->wholes += whole;
	for (unsigned i = 0; i < w->nics; i++)
		w->nic[i].asked = 0;
	if (whole && w->signals.can[SIGNAL_TREE]) {
		note_asked(w, send_human(c, "info mtree -o"), ASKED_TREE, 0, 0, 0);
		return;
	}
	for (unsigned i = 0; i < w->nics; i++)
		ask_quick(w, c, i);
}

static void judge(struct nic_status *w, unsigned nic, uint64_t now)
{
	struct watched_nic *n = &w->nic[nic];
	struct driver_report r = { 0 };

	n->has_details |= (n->asked & BIT(1)) != 0;
	card_judge(n->card, &n->seen, &r);
	bool changed = r.state != n->now.state || r.phase != n->now.phase;
	if (changed)
		w->moving_ns = now + MOVING_LASTS_NS;
	if (r.state != n->now.state)
		n->since_ns = now;
	if (changed || !n->told || n->attached != n->seen.present ||
	    strcmp(r.evidence, n->now.evidence) != 0)
		n->pending = true;
	n->now = r;
}

/* All answers are there. More is asked, or the look ends. */
static void go_on(struct nic_status *w, struct qmp_client *c, uint64_t now)
{
	if (w->stale) {
		begin(w, c, true, now);
		return;
	}
	for (unsigned i = 0; w->whole && i < w->nics; i++)
		ask_whole(w, c, i);
	if (w->asking)
		return;
	if (!w->whole && w->moved) {
		begin(w, c, true, now);
		return;
	}
	if (w->moving_ns == UINT64_MAX)
		w->moving_ns = now + MOVING_LASTS_NS;
	for (unsigned i = 0; w->whole && i < w->nics; i++)
		judge(w, i, now);
	set_next(w, now);
}

void nic_status_run(struct nic_status *w, struct qmp_client *c, uint64_t now)
{
	if (now < nic_status_deadline(w))
		return;
	begin(w, c, now >= w->whole_ns, now);
	if (!w->asking)
		go_on(w, c, now);
}

bool nic_status_reply(struct nic_status *w, struct qmp_client *c, const struct qmp_item *item,
		      uint64_t now)
{
	unsigned at = 0;

	while (at < w->asking && w->asked[at].id != item->id)
		at++;
	if (at == w->asking || item->id == 0)
		return false;
	if (!w->stale)
		take(w, at, item);
	w->asked[at] = w->asked[--w->asking];
	if (w->asking == 0 && w->started)
		go_on(w, c, now);
	return true;
}

/* --- events ------------------------------------------------------------------------------------------------------ */

static void guest_was_reset(struct nic_status *w, uint64_t now)
{
	w->stale = true;
	for (unsigned i = 0; i < w->nics; i++) {
		struct watched_nic *n = &w->nic[i];
		forget_driver(n);
		n->seen.bus_master = false;
		if (n->now.state != DRIVER_NONE)
			n->since_ns = now;
		report_set(&n->now, DRIVER_NONE, PHASE_UNKNOWN, "the guest was reset");
		n->pending = n->bus_reset = true;
	}
}

/* It may be back before the next look: that would see nothing of it. */
static void card_went(struct nic_status *w, json_object *data, uint64_t now)
{
	json_object *device = NULL;

	if (!json_object_object_get_ex(data, "device", &device))
		return;
	for (unsigned i = 0; i < w->nics; i++) {
		struct watched_nic *n = &w->nic[i];

		if (strcmp(n->owner, json_object_get_string(device)) != 0)
			continue;
		w->stale = true;
		forget_driver(n);
		n->seen.present = n->seen.bus_master = n->seen.mapped = n->seen.has_base = false;
		if (n->now.state != DRIVER_NONE)
			n->since_ns = now;
		report_set(&n->now, DRIVER_NONE, PHASE_UNKNOWN, "QEMU has no such card now");
		n->pending = true;
	}
}

static void filter_changed(struct nic_status *w, json_object *data)
{
	json_object *name;

	if (!json_object_object_get_ex(data, "name", &name) ||
	    !json_object_is_type(name, json_type_string))
		return;
	for (unsigned i = 0; i < w->nics; i++)
		if (strcmp(w->nic[i].owner, json_object_get_string(name)) == 0)
			w->nic[i].filter_wanted = true; /* there is no second event without it */
}

void nic_status_event(struct nic_status *w, const char *name, json_object *data, uint64_t now)
{
	static const char *const hints[] = { "RESET", "NIC_RX_FILTER_CHANGED",
					     "FAILOVER_NEGOTIATED", "DEVICE_DELETED" };

	switch (name_find(hints, ARRAY_SIZE(hints), name)) {
	case 0:
		guest_was_reset(w, now);
		break;
	case 1:
		filter_changed(w, data);
		break;
	case 2:
		break;
	case 3:
		card_went(w, data, now);
		break;
	default:
		return;
	}
	w->moving_ns = now + MOVING_LASTS_NS;
	w->next_ns = MIN(w->next_ns, now + MOVING_NS);
	w->whole_ns = MIN(w->whole_ns, now + MOVING_NS);
}

/* --- what is told ------------------------------------------------------------------------------------------------ */

static unsigned turn_of(const struct watched_nic *n)
{
	bool gain = n->now.state == DRIVER_READY;

	/* with a reset nothing moves before all were told of it */
	return (gain ? 0 : 2) + ((gain || n->bus_reset) != n->performant);
}

bool nic_status_next(struct nic_status *w, struct nic_report *report, bool *attached)
{
	struct watched_nic *next = NULL;

	for (unsigned i = 0; i < w->nics; i++)
		if (w->nic[i].pending && (!next || turn_of(&w->nic[i]) < turn_of(next)))
			next = &w->nic[i];
	if (!next)
		return false;
	*report = (struct nic_report){ .nic = next->id,
				       .now = next->now,
				       .since_ns = next->since_ns,
				       .bus_reset = next->bus_reset };
	next->attached = next->seen.present;
	*attached = next->attached;
	next->told = true;
	next->pending = next->bus_reset = false;
	return true;
}

bool nic_status_all_told(const struct nic_status *w)
{
	for (unsigned i = 0; i < w->nics; i++)
		if (!w->nic[i].told || w->nic[i].pending)
			return false;
	return true;
}
