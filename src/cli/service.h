/* service.h - a live guest's control process: what `run` and `serve` share. One loop, one thread.
 *
 * service_open makes the name live, opens backends, starts the datapath and hands it the ports; then `run` starts QEMU;
 * service_run works until the end; service_close takes everything down again, in whatever state it is.
 */
#ifndef ANYNIC_CLI_SERVICE_H
#define ANYNIC_CLI_SERVICE_H

#include "cli/port_change.h"
#include "cli/recover.h"
#include "cli/transient.h"
#include "control/card_watch.h"
#include "control/commands.h"
#include "control/control.h"
#include "control/host_watch.h"
#include "control/migration.h"
#include "control/place.h"
#include "control/tidy.h"
#include "host/open.h"
#include "qemu/arguments.h"
#include "qemu/pair.h"
#include "qemu/process.h"
#include "qemu/qmp_client.h"

struct guest;

struct service_options {
	const char *name;
	const char *qmp; /* --qmp, or NULL */
	const char *
		nic_socket; /* serve --socket: of the only NIC, or a folder; NULL = in the run directory */
	const struct port_spec *ports;
	unsigned count;
	unsigned vcpus; /* 0 = unknown */
	int cpu;	/* -1 = not pinned */
	bool running;	/* the guest's CPUs run from the start */
	bool incoming;	/* the guest's state comes from elsewhere */
	bool go_on;	/* QEMU was started stopped for the links' sake: it is continued */
	bool json;	/* events as JSON on stderr */
	bool attached;	/* someone else started QEMU: nothing is opened, its end is not ours */
	struct qemu_signals signals; /* how the drivers of QEMU's own cards are watched */
	const struct guest
		*guest; /* that this process runs, so that ports can be plugged; NULL = none */
};

/* Where the frames of a port go: one backend, or one for each card of QEMU's that has a tap of its own. */
struct service_port {
	struct opened_backend backend[PORT_NICS];
	struct loop_source process[PORT_NICS]; /* behind it; fd -1 = none */
	bool listens[PORT_NICS]; /* the NIC's socket was made here: it is ours to remove */
	struct recovery recovery;
	struct transient transient;
};

struct service {
	struct service_options options;
	struct place place;
	struct tidy tidy;
	struct undo undo; /* journal of what our backends leave if we are killed */
	struct host_watch host;
	struct loop loop;
	struct datapath datapath;
	struct control control;
	struct card_watch cards;
	struct migration migration;
	struct qmp_server *server;
	struct commands commands;
	struct port_spec *
		spec; /* what options.ports is, PORTS_MAX of them; those that were taken out have no NICs */
	struct service_port *port;   /* as many */
	struct port_changes changes; /* ports that come and go while the guest runs */
	struct qemu_process qemu;
	struct qmp_client *monitor; /* of QEMU; NULL = none */
	struct follow *follow;	    /* attach: keeps up with QEMU; borrowed, or NULL */
	uint64_t status_id;	    /* of the query-status under way */
	struct loop_source datapath_source, datapath_process, qemu_source, monitor_source,
		signal_source;
	struct loop_timer end_timer;
	struct loop_timer monitor_timer; /* its monitor is closed: does it end? */
	char monitor_end[128];		 /* why it is closed */
	bool ending;
	bool ended;
	char made_dir[PLACE_PATH]; /* serve made this folder */
};

/* Blocks the signals that service_run waits for; before the first process is started. */
int service_signals(struct service *s, struct error *err);

int service_open(struct service *s, const struct service_options *options, struct error *err);

/* QEMU runs: `monitor_fd` is our end of its monitor. Takes it, also on failure. */
int service_watch_qemu(struct service *s, int monitor_fd, struct error *err);

/* The same for a guest that someone else started; s->monitor is ready. */
int service_attach(struct service *s, const struct found_port *ports, struct error *err);

/* The same anew: the monitor is another one, or ports have come. As many ports as the control has. */
void service_watch_found(struct service *s, const struct found_port *ports);

/* Until QEMU has ended, or (serve) somebody says quit. */
void service_run(struct service *s);

/* The datapath was started. */
void service_watch_datapath(struct service *s);

/* Reports of the datapath that are there. */
void service_read_datapath(struct service *s);

void service_close(struct service *s); /* accepts a zeroed or half-open one */

/* --- service_ports.c: what is made for the ports --------------------------------------------------------------------- */

int service_make_ports(struct service *s, struct error *err);

/* Opens the backends, starts the datapath and hands it the ports that it has a part in. */
int service_open_ports(struct service *s, struct error *err);
void service_close_ports(struct service *s); /* also half-open */

bool service_uses_datapath(const struct service *s);

/* The same for one port, while the guest runs. What fails is taken back. */
int service_open_port(struct service *s, unsigned port, struct error *err);

/* Backends, sockets, and the datapath's part of it. */
void service_close_port(struct service *s, unsigned port);

/* Where QEMU reaches a NIC. False: the path is too long. */
bool service_nic_socket(const struct service *s, const struct nic_spec *nic,
			char path[SOCKET_PATH]);

/* What host_backend_open is asked for a port, or for one of QEMU's own cards. */
void service_backend_request(struct service *s, unsigned port, unsigned nic,
			     struct backend_request *request);

/* The folder of the NICs' sockets, for QEMU's command line. */
const char *service_socket_dir(const struct service *s);

/* What QEMU inherits for its own cards: at most PORTS_MAX * PORT_NICS of them. Returns how many. */
unsigned service_card_fds(struct service *s, struct qemu_card_fds *cards);

/* Which functions of this host the cards got: into `ports`, from which QEMU's line is made. */
void service_host_functions(const struct service *s, struct port_spec *ports);

/* QEMU has its copies of them. */
void service_qemu_has_fds(struct service *s);

#endif
