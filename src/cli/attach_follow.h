/* attach_follow.h - `anynic attach` keeps up with a guest that someone else runs: when its monitor is closed while the process lives, it is
 * reached again, more patiently each time; cards that are plugged in later get ports, cards that go are told as gone.
 *
 * QEMU tells when a card has gone, but not when one has come: its list of devices is asked for every two seconds. A card that came
 * makes a port, or a pair with a single card that shares what is behind it; a port keeps its place and its name when its cards go.
 */
#ifndef ANYNIC_CLI_ATTACH_FOLLOW_H
#define ANYNIC_CLI_ATTACH_FOLLOW_H

#include <sys/socket.h>

#include "loop/loop.h"
#include "qemu/pair.h"

struct service;

enum follow_state { FOLLOW_READY, FOLLOW_AWAY, FOLLOW_GREETING, FOLLOW_STATE_COUNT };

struct follow {
	struct service *service;
	const char *path; /* of QEMU's monitor */
	bool all;	  /* no card was named: those that come later count */
	pid_t pid;	  /* QEMU's; 0 = unknown */
	struct found_guest guest;
	struct found_port port[PORTS_MAX];	      /* as the control's ports, in their order */
	struct found_card card[PORTS_MAX][PORT_NICS]; /* what they point to */
	struct port_spec spec[PORTS_MAX];
	unsigned ports;
	enum follow_state state;
	struct loop_source process;
	struct loop_timer timer;
	uint64_t pause_ns, away_ns;
	uint64_t asked[FOUND_FOLDERS]; /* lists of devices under way; 0 = none */
	char why[160];		       /* of the last failure to reach it */
};

/* A socket that is connected to the monitor; whose it is goes to `peer` (pid 0: unknown). Waits for nobody. */
int follow_connect(const char *path, struct ucred *peer, struct error *err);

/* What was found and paired (f->guest, f->port) becomes f->spec and f->card. */
void follow_take_ports(struct follow *f);

/* What is known of the backend of such a port. */
struct control_port;
void follow_describe_port(struct control_port *p);

/* The service runs with these ports and a monitor that is ready. */
int follow_start(struct follow *f, struct service *s, struct error *err);
void follow_finish(struct follow *f); /* accepts a zeroed one */

/* The monitor greets once more; a reply came. False: it is closed, and there is no service->monitor any more. */
bool follow_ready(struct follow *f);
bool follow_reply(struct follow *f, uint64_t id, json_object *data, bool *ours);
void follow_event(struct follow *f, const char *name);

/* The monitor was closed, `why`. False: the guest has ended. */
bool follow_lost(struct follow *f, const char *why);
void follow_timer(struct follow *f);

#endif
