/* nic_status.h - watches the drivers of QEMU's own cards over QEMU's monitor. The owner runs the loop:
 *
 *     case the timer:       nic_status_run(w, client, now);
 *     case a reply:         if (nic_status_reply(w, client, &item, now)) it was ours
 *     case an event:        nic_status_event(w, item.name, item.data, now);  before control sees a RESET
 *     then                  while (nic_status_next(w, &report)) control_nic_report(control, &report);
 *                           arm the timer for nic_status_deadline(w)
 *
 * A look is a few commands in a row: `info mtree -o` once for all cards, then for each card what it still lacks. Between two of them quick
 * looks read one register of each card that a driver has; what moves there starts a whole look, and only that one reports. Looks follow each
 * other by 50 ms while something moves, by 250 ms to 2 s when nothing does: as often as keeps their cost under half a percent of QEMU's time.
 * None while the guest is stopped, and never two at once: QEMU that does not answer is not asked more.
 *
 * QEMU is not trusted: texts are bounded (monitor_text.h), and so are the commands under way.
 */
#ifndef ANYNIC_QEMU_NIC_STATUS_H
#define ANYNIC_QEMU_NIC_STATUS_H

#include "config/spec.h"
#include "qemu/card_judge.h"
#include "qemu/probe.h"
#include "qemu/qmp_client.h"

#define WATCHED_MAX    (PORTS_MAX * PORT_NICS)
#define WATCHED_OWNER  160
#define ASKED_MAX      (WATCHED_MAX * CARD_READS)
#define NIC_STATUS_OFF UINT64_MAX

enum asked_what { ASKED_TREE, ASKED_READ, ASKED_RING, ASKED_AVAIL, ASKED_FILTER, ASKED_WHAT_COUNT };

struct watched_nic {
	char id[ID_MAX];	   /* as reports name it */
	char owner[WATCHED_OWNER]; /* QEMU's id, or the QOM path of a device that has none */
	const struct watched_card *card;
	bool performant;  /* of a pair: its gain is told first, its loss last */
	bool no_ring;	  /* vhost-user: asking for the ring's position would stop the ring */
	bool packed;	  /* packed rings were offered: there is no avail index */
	bool has_details; /* the registers behind the first were read since that one changed */
	bool filter_wanted;
	bool attached;	/* as told */
	unsigned asked; /* of this look: bit i = read i, then ring, avail and filter */
	struct card_seen seen;
	struct driver_report now;
	uint64_t since_ns;
	bool pending, bus_reset, told;
};

struct nic_status {
	struct qemu_signals signals;
	struct watched_nic nic[WATCHED_MAX];
	unsigned nics;
	bool started, running;
	struct {
		uint64_t id;
		enum asked_what what;
		uint8_t nic, read;
		uint64_t address;
	} asked[ASKED_MAX]; /* commands under way */
	unsigned asking;
	bool whole; /* the look under way is a whole one */
	bool stale; /* a reset came: what is still under way says nothing */
	bool moved; /* this quick look saw something else than the last one */
	uint64_t asked_ns;
	uint64_t next_ns, whole_ns;	       /* when the next look, the next whole one is due */
	uint64_t moving_ns;		       /* until then something moves */
	uint64_t whole_cost_ns, quick_cost_ns; /* how long a look takes */
	uint64_t looks, wholes;		       /* so far; for tests and the debug log */
};

void nic_status_init(struct nic_status *w, const struct qemu_signals *signals);

/* A card of QEMU's; `device` is QEMU's name of it. -ENOTSUP: cannot be watched; -ENOSPC. Its index, else: no_ring and packed of it are the
 * caller's to set. */
int nic_status_add(struct nic_status *w, const char *nic, const char *owner, const char *device,
		   enum nic_role role);

/* The card has left QEMU. One that is not watched is no error. */
void nic_status_remove(struct nic_status *w, const char *nic, uint64_t now);

/* Soon: a card has come. */
void nic_status_look(struct nic_status *w, uint64_t now);

/* The monitor is ready, or gone. */
void nic_status_start(struct nic_status *w, bool running, uint64_t now);
void nic_status_stop(struct nic_status *w);

/* The guest's CPUs run, or not. */
void nic_status_set_running(struct nic_status *w, bool running, uint64_t now);

/* When nic_status_run is due; NIC_STATUS_OFF = not before something comes. */
uint64_t nic_status_deadline(const struct nic_status *w);
void nic_status_run(struct nic_status *w, struct qmp_client *c, uint64_t now);

/* REPLY or ERROR. False when the command was not ours. */
bool nic_status_reply(struct nic_status *w, struct qmp_client *c, const struct qmp_item *item,
		      uint64_t now);
void nic_status_event(struct nic_status *w, const char *name, json_object *data, uint64_t now);

/* What is to be told next, in the order that a policy can use: gains first, the performant card's before the other's; losses last, the
 * performant card's after the other's. `attached` changes with whether QEMU has the card. False = nothing. */
bool nic_status_next(struct nic_status *w, struct nic_report *report, bool *attached);

/* Every card was looked at, and what was seen of it told. */
bool nic_status_all_told(const struct nic_status *w);

#endif
