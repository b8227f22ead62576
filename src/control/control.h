/* control.h - what anynic knows of one guest and decides for it: ports, driver status, links, the switch policy.
 *
 * It is fed by reports of the datapath, events of QEMU, timers and commands; it sends commands to the datapath and queues events.
 * It opens nothing and waits for nothing. One thread. The owner runs the loop and hands events to the QMP clients:
 *
 *     case KIND_DATAPATH:     while (datapath_receive(...) == 1) control_report(c, &m); break;
 *     case KIND_LEGACY_TIMER: ... control_timer(c, event.kind, event.owner); break;
 *     ...
 *     while ((e = control_next_event(c)) ...) qmp_server_event(server, e), json_object_put(e);
 */
#ifndef ANYNIC_CONTROL_CONTROL_H
#define ANYNIC_CONTROL_CONTROL_H

#include <json-c/json.h>

#include "control/datapath.h"
#include "control/events.h"
#include "loop/loop.h"
#include "nic/driver_status.h"
#include "port/switch.h"
#include "port/team.h"
#include "qemu/qmp_client.h"

/* Everything that a control process waits for. */
enum control_kind {
	KIND_DATAPATH,
	KIND_DATAPATH_PROCESS,
	KIND_QMP_LISTEN,
	KIND_QMP_CLIENT,
	KIND_QEMU_MONITOR,
	KIND_QEMU_PROCESS,
	KIND_HELPER_PROCESS, /* anynic-user and the like */
	KIND_RECOVER_TIMER,  /* owner = struct recovery of cli/recover.h */
	KIND_RECOVER_READY,
	KIND_NETLINK, /* the host's links: host_watch.h */
	KIND_SIGNAL,
	KIND_LEGACY_TIMER,    /* owner = struct control_port */
	KIND_HOLD_TIMER,      /* owner = struct control_port */
	KIND_LOST_TIMER,      /* owner = struct control_port */
	KIND_TRANSIENT_TIMER, /* owner = struct transient of cli/transient.h */
	KIND_CARD_TIMER,      /* owner = struct card_watch */
	KIND_MIGRATE_TIMER,   /* owner = struct migration */
	KIND_ANNOUNCE_TIMER,
	KIND_PLUG_TIMER, /* of cards that go in and out: cli/port_change.c */
	KIND_COUNTERS_TIMER,
	KIND_END_TIMER,
	KIND_MONITOR_TIMER,
	KIND_VMM_PROCESS,  /* of a QEMU that someone else started */
	KIND_FOLLOW_TIMER, /* owner = struct follow of cli/attach_follow.h */
	CONTROL_KIND_COUNT
};

/* One NIC as control sees it. */
struct control_nic {
	enum driver_state status;
	enum driver_phase phase;
	char evidence[EVIDENCE_MAX];
	uint64_t since_ns; /* CLOCK_MONOTONIC; 0 = since the start */
	uint32_t resets;
	bool link;     /* as the guest sees it */
	bool attached; /* a VMM is connected */
	bool away;     /* it is on its way into QEMU or out of it, which cannot be told its link */
	bool standby;  /* of our own virtio card: its driver pairs */
	char problem[200]; /* why the VMM's memory cannot be used; empty = fine */
	bool lost;	   /* its driver went, and the policy is not told before it is clear why */
	uint64_t bus_reset_ns; /* of the last bus reset; 0 = none */
};

/* A change of links that was asked for and is not confirmed. */
struct port_step {
	uint32_t seq; /* the datapath's; 0 = it has confirmed, or has no part in it */
	uint64_t link_id[PORT_NICS]; /* of QEMU's set_link; 0 likewise */
	uint64_t cause_ns, duration_ns;
	bool up[PORT_NICS];
	int active;  /* index, -1 = none */
	int receive; /* of a team: the NIC that the guest reads, -1 = none */
	enum switch_reason reason;
	bool quiet;		/* the state at the start: no event */
	uint64_t held_until_ns; /* this switch began a hold-down; 0 = no */
	unsigned held_switches;
};

#define PORT_STEPS 16

struct port_path {
	bool down;
	bool renewing; /* it was given another backend, and has not said that this one is up */
	char reason[160];
};

/* The interface of the host behind a backend: a tap, also one on a bridge, or a macvtap. */
struct port_host {
	char ifname[16];
	unsigned ifindex; /* 0 = there is none to watch */
	unsigned
		below; /* the Linux bridge that it is in, or the device that it sits on; 0 = none */
	int helper; /* connection to the anynic-helper that made it, the opened backend's; 0 = none */
	bool made;     /* it is ours */
	bool switched; /* it is a port of Open vSwitch, whose bridge has a link of its name */
	bool returns;  /* another one can take its place while the guest runs */
	bool down;
	bool gone;  /* it was deleted under us */
	bool dirty; /* something about it may have changed */
	char reason[160];
	char chosen[330]; /* what a person must know of it while all is well */
};

/* The transient card of a team that is a function of this host. Who runs the service plugs it when it may be in the guest, and takes it out
 * (cli/transient.h). */
struct control_function {
	bool ours;     /* there is one */
	bool leave;    /* it shall not be in the guest: a migration */
	bool in;       /* it is in the guest, or on its way in or out */
	char why[240]; /* why it is not, where that is not the guest's or a migration's doing */
};

struct control_port {
	struct control *control;
	struct port_spec spec;
	struct control_nic nic[PORT_NICS];
	int active;		/* as the datapath confirmed; -1 = none */
	bool wanted[PORT_NICS]; /* links after all steps that are under way */
	bool told[PORT_NICS];	/* links as QEMU was told last, of its own cards */
	int wanted_active, wanted_receive;
	struct switch_state
		policy; /* of a single NIC only `manual` counts, of a team `manual` and `held` */
	struct team_state team;
	struct control_function function;
	struct switch_hold hold;
	struct port_step step[PORT_STEPS];
	unsigned steps;
	struct loop_timer legacy_timer, hold_timer, lost_timer;
	uint64_t lost_asked; /* id of the question whose answer comes before lost_timer; 0 = none */
	bool going;	     /* out of the guest: that its links on the host go is no news */
	bool reset_known;    /* all its NICs were reset: the RESET event that follows is no news */
	uint64_t legacy_left_ns; /* of the legacy timer, while the guest is stopped */
	bool backend_up;
	char backend_reason[160];
	struct port_path path; /* what the datapath says of the backend */
	/* what the host's links say of it: one, or one for each of QEMU's cards */
	struct port_host host[PORT_NICS];
	enum backend_driver driver; /* in use, never DRIVER_DEFAULT */
	char driver_why[160];
	struct msg_counters counters;
	uint64_t switches; /* PORT_LINK_SWITCHED told so far */
};

struct migration;

struct control {
	const char *name;	     /* of the guest; borrowed */
	struct loop *loop;	     /* borrowed */
	struct datapath *datapath;   /* borrowed; NULL = none yet */
	struct qmp_client *monitor;  /* QEMU's, borrowed; NULL = none */
	struct migration *migration; /* borrowed; NULL = this process moves no guest */
	bool attached;		     /* someone else started the guest */
	bool continuing;	     /* we continue the guest that we started stopped: no news */
	bool arriving;		     /* from elsewhere; until control_take_over */
	struct control_port *port;
	unsigned ports;
	bool running; /* the guest's CPUs run, as far as QEMU told */
	bool awaited; /* QEMU waits for a guest from elsewhere, which has not run here yet */
	bool datapath_gone;
	bool monitor_gone; /* QEMU goes on without one */
	bool quit;	   /* a client said so */
	bool changing;	   /* a port is on its way in or out */
	bool over;	   /* the guest shuts down: its cards go one by one, and that is no news */
	uint64_t reset_ns; /* of the last RESET event; 0 = none */
	json_object *reset_data; /* of a RESET that waits for the links that it brought down */
	bool reset_waits;
	bool touched;	    /* a driver showed up since then */
	uint64_t run_asked; /* id of the question that a card waits for; 0 = none */
	struct loop_timer announce_timer;
	unsigned announce_rounds; /* that are left */
	uint64_t cards_asked;	  /* id of the question which cards QEMU has; 0 = none */
	json_object **queue;	  /* events, oldest first */
	unsigned queue_at, queue_count, queue_room;
};

int control_init(struct control *c, const char *name, struct loop *loop, struct datapath *datapath,
		 const struct port_spec *ports, unsigned count, struct error *err);
void control_finish(struct control *c); /* accepts a zeroed one */

/* A port that came later: a new one, i == c->ports, of which PORTS_MAX find room; or one in the place of another. */
void control_set_port(struct control *c, unsigned i, const struct port_spec *spec);

/* A port that goes while the guest runs leaves its place empty (no NICs, no id); the next one that comes may have it. */
void control_drop_port(struct control *c, unsigned i);

/* An event that names a port and nothing else. */
void control_port_event(struct control_port *p, enum event_kind kind);

/* The datapath has the ports: sets the links that they begin with. */
void control_start(struct control *c);

/* A message of the datapath, except counters' replies and logs that it does not understand: those are ignored. */
void control_report(struct control *c, const struct message *m);
void control_datapath_gone(struct control *c);

/* A NIC's driver status, from the datapath or from QEMU's monitor: no part of it is trusted. */
void control_nic_report(struct control *c, const struct nic_report *report);

/* A VMM has the card, or lost it; `problem` says why it cannot use it, "" = it can. Of QEMU's own cards too. */
void control_nic_attached(struct control *c, const char *nic, bool attached, const char *problem);

/* The backend is up when the datapath and the host say so. When that changed it queues the event and returns true. */
bool control_backend_judge(struct control_port *p);

/* Its datapath gets another backend. Until it says that this one is up, the port is not: what it says of the old one may come late. */
void control_backend_renews(struct control_port *p, const char *reason);

/* A timer of a port went off. What the datapath has reported by then is read first: it happened before, however late we are. */
void control_timer(struct control *c, unsigned kind, struct control_port *port);

/* An event of QEMU. RESET, SHUTDOWN, STOP, RESUME matter; others are ignored. `data` is borrowed, may be NULL. */
void control_qemu_event(struct control *c, const char *name, json_object *data);

/* QEMU's monitor is there (borrowed), or gone (NULL). Its cards get their links; then, if `go_on`, a guest that we had QEMU start
 * stopped goes on. */
void control_set_monitor(struct control *c, struct qmp_client *monitor, bool go_on);

/* QEMU closed it and goes on: `why` says that its own cards are out of reach, and their links cannot be set, until another is there. */
void control_monitor_lost(struct control *c);
bool control_port_out_of_reach(const struct control_port *p);

/* Of a guest that someone else started, or that came from elsewhere, whose drivers are known now: pairs get their links, without waiting.
 * Single cards of the first keep what they have. Of the second the network is told where it is. */
void control_take_over(struct control *c);

/* Links were asked of QEMU, which has not answered yet. */
bool control_waits_for_qemu(const struct control *c);

/* QEMU answered a command; `error` NULL = with success. False when the command was not ours. */
bool control_qemu_replied(struct control *c, uint64_t id, const char *error);

/* The guest's CPUs run or not, as query-status told (no event). */
void control_set_running(struct control *c, bool running);

/* What an administrator asks for. -ENOENT when there is no such NIC or port; -EPIPE when the datapath is gone. */
int control_set_link(struct control *c, const char *nic_or_port, bool up, struct error *err);
int control_set_mode(struct control *c, const char *port, bool manual, struct error *err);

struct control_port *control_find_port(struct control *c, const char *id);

/* The oldest event, for the caller to put; NULL = none. */
json_object *control_next_event(struct control *c);

/* Queues an event; `data` is taken. */
void control_event(struct control *c, enum event_kind kind, json_object *data);

/* --- announce.c: the network learns where the guest is now ------------------------------------------------------------------ */

/* RARP for all ports, several times within a second: what is sent before a link is up goes nowhere. */
void control_announce(struct control *c);
void control_announce_port(struct control_port *p); /* once; only what the datapath has */
void control_announce_timer(struct control *c);

/* QEMU said which cards it has: those that are no port of ours. False: it was another answer. */
bool control_announce_reply(struct control *c, const struct qmp_item *item);

/* --- ports.c: what happens to one port ---------------------------------------------------------------------------------- */

void control_port_init(struct control_port *p, struct control *c, const struct port_spec *spec);
void control_port_finish(struct control_port *p);
void control_port_start(struct control_port *p);

/* A NIC's status came, a NIC was reset by its bus (nic[index] holds it already). */
void control_port_status_changed(struct control_port *p, unsigned index);
void control_port_nic_reset(struct control_port *p, unsigned index);
void control_port_guest_reset(struct control_port *p);

/* QEMU answered: a reset in which a card was lost would have been told before. False: it was another answer. */
bool control_port_no_reset(struct control_port *p, uint64_t id);
void control_port_guest_running(struct control_port *p, bool running);
void control_port_timer(struct control_port *p, unsigned kind);
void control_port_set_link(struct control_port *p, int nic, bool up); /* nic -1: the port */
void control_port_set_mode(struct control_port *p, bool manual);
void control_port_datapath_gone(struct control_port *p);

/* What query-ports calls `state`. */
enum port_state { PORT_DOWN, PORT_WAITING, PORT_UP, PORT_HELD, PORT_MANUAL, PORT_STATE_COUNT };
extern const char *const port_state_names[PORT_STATE_COUNT];
enum port_state control_port_state(const struct control_port *p);

/* Index of the NIC that plays the part, -1 when there is none. */
int control_port_nic_of(const struct control_port *p, enum switch_nic which);

/* --- team.c: the same for a port of policy team ------------------------------------------------------------------- */

void control_team_start(struct control_port *p);
void control_team_status_changed(struct control_port *p, unsigned index);
void control_team_attached(struct control_port *p, unsigned index);
void control_team_guest_reset(struct control_port *p);
void control_team_timer(struct control_port *p, unsigned kind);
void control_team_set_link(struct control_port *p, int nic, bool up); /* nic -1: the port */
void control_team_set_mode(struct control_port *p, bool manual);

/* QEMU told that the guest's driver of this card of QEMU's pairs. False: it is none of this port's. */
bool control_team_negotiated(struct control_port *p, const char *nic);

/* The transient card shall leave the guest, or may come back: until then nothing is sent on it. Who calls this plugs and unplugs. */
void control_team_take_out(struct control_port *p, bool out);

/* Whether the function of this host that is its transient card may be in the guest now: the guest pairs, runs, and stays here. */
bool control_team_wants_function(const struct control_port *p);

/* The guest sends on a function of this host: the network has it there, and at no card of QEMU's or ours. */
bool control_team_is_on_function(const struct control_port *p);

/* --- steps.c: links of one port ---------------------------------------------------------------------------------- */

/* The driver status of a card changed, on which what QEMU is told may depend. */
void control_port_show_link(struct control_port *p, unsigned nic);

/* Asks for the wanted links as one step, if they differ from what was wanted before. `step` says active, reason and the rest. */
void control_port_order(struct control_port *p, const bool up[PORT_NICS], struct port_step step,
			uint64_t cause_ns);

/* It has happened: events. Old links go down first, then new ones up: the guest never has two. */
void control_port_carry_out(struct control_port *p, const struct port_step *step,
			    uint64_t duration_ns);

/* QEMU answered; `error` NULL = it did as it was told. False when the id is none of this port's. */
bool control_port_qemu_replied(struct control_port *p, uint64_t id, const char *error);

/* Its monitor is closed: nobody waits for what it did not answer. */
void control_port_qemu_gone(struct control_port *p);
bool control_port_waits_for_qemu(const struct control_port *p);

/* Tells QEMU the links as they should be: it has just come. */
void control_port_tell_qemu(struct control_port *p);

/* The datapath confirmed the oldest step, or refused the one with this seq. */
void control_port_links_applied(struct control_port *p, const struct msg_links_applied *applied);
void control_port_step_refused(struct control_port *p, uint32_t seq);

#endif
