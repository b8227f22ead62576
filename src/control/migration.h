/* migration.h - the conversation with QEMU that moves a guest elsewhere, and what it means for the guest's ports. What comes next is
 * decided by qemu/migrate.h; progress goes out as events MIGRATION.
 *
 *     case a reply:   if (migration_reply(m, &item)) it was ours
 *     case the timer: migration_timer(m);
 *     the monitor is gone: migration_lost(m);
 */
#ifndef ANYNIC_CONTROL_MIGRATION_H
#define ANYNIC_CONTROL_MIGRATION_H

#include "control/control.h"
#include "qemu/migrate.h"

#define MIGRATION_SECONDS     30 /* how long nothing may move, if nobody says it */
#define MIGRATION_SECONDS_MAX 86400

struct migration {
	struct control *control; /* borrowed */
	struct loop_timer timer; /* KIND_MIGRATE_TIMER */
	enum migrate_state state;
	char uri[256];
	uint64_t patience_ns;
	uint64_t moved_ns; /* when something moved last */
	uint64_t moved;	   /* bytes that QEMU has sent */
	uint64_t total, remaining, downtime_ms;
	uint64_t asked;		    /* id of the command under way; 0 = none */
	bool was_running;	    /* the guest's CPUs, before */
	bool had_driver[PORTS_MAX]; /* the team's transient card had one that was ready, before */
	bool runs;		    /* as QEMU said last, while it is put back */
	bool stuck;		    /* it ends because nothing moved */
	char reason[300];	    /* why it failed */
	uint64_t told_ns;
	json_object *left_behind; /* travel.h, as it was at the begin; NULL = none yet */
	uint64_t macs_asked; /* id of the question what addresses the guest brought; 0 = none */
};

void migration_init(struct migration *m, struct control *control);
void migration_finish(struct migration *m); /* accepts a zeroed one */

/* Begins. -EBUSY, -ENOTSUP, -EINVAL with words for a person, and nothing has happened; 0: events tell the rest. */
int migration_begin(struct migration *m, const char *uri, unsigned seconds, struct error *err);

/* -ENOENT when none is under way. */
int migration_cancel(struct migration *m, struct error *err);

/* The guest that was waited for is here. */
void migration_arrived(struct migration *m);

bool migration_reply(struct migration *m, const struct qmp_item *item);
void migration_timer(struct migration *m);
void migration_lost(struct migration *m);

/* Why a guest with these ports cannot leave; 0 = it can. */
int migration_check_ports(const struct control *c, struct error *err);

#endif
