/* datapath.h - the parts of the datapath process and who owns what.
 *
 * main.c      control thread: reads commands, answers, starts workers, locks down
 * worker.c    a thread with one loop; owns whole ports; the packet path runs here
 * assemble.c  a port with its NICs, backend and sockets, built from a message and its descriptors
 * kernel_path.c  frames that the kernel moves without us
 * remote.c    the end of a card that QEMU has
 * sandbox.c   privileges shrink here, in named steps
 *
 * Hand-over: main builds a hosted port and gives it to a worker with a command; from then on only that worker touches it.
 */
#ifndef ANYNIC_DATAPATH_DATAPATH_H
#define ANYNIC_DATAPATH_DATAPATH_H

#include <pthread.h>
#include <stdatomic.h>

#include "attach/vfio_user/vfio_user.h"
#include "attach/vhost_user/vhost_user.h"
#include "datapath/remote.h"
#include "ipc/message.h"
#include "loop/loop.h"
#include "nic/virtio/kernel.h"
#include "port/port.h"

struct worker;
struct hosted_port;

/* What a worker's loop watches. One switch in worker.c tells them apart. */
enum fd_kind {
	FD_COMMAND, /* worker's eventfd */
	FD_VFIO_LISTEN,
	FD_VFIO_CONNECTION,
	FD_VHOST_LISTEN,
	FD_VHOST_CONNECTION,
	FD_BACKEND, /* index = queue */
	FD_BACKEND_LISTEN,
	FD_REMOTE, /* owner = struct hosted_nic */
	FD_REMOTE_LISTEN,
	FD_KERNEL, /* owner = struct hosted_port */
	TIMER_NIC,
	TIMER_REPORT, /* a status that could not be told at once */
	TIMER_ASK,    /* owner = struct hosted_port */
};

/* A NIC with the socket that a VMM reaches it by. */
struct hosted_nic {
	struct hosted_port *port;
	struct nic *nic; /* owned by port->port */
	struct vfio_user
		*vfio; /* one of the two, by its transport; neither: the card is QEMU's own */
	struct vhost_user *vhost;
	struct loop_source remote, remote_listen;
	struct loop_timer timer;
	uint64_t armed_ns; /* nic->notes.deadline_ns that the timer stands for */
	struct loop_timer report_timer;
	unsigned reports; /* told lately; see report_status */
	uint64_t reports_since_ns;
	uint32_t bus_resets_told;
	bool attached_told;
	char problem_told[200];
	void *rom; /* mapping of the option ROM */
	size_t rom_size;
	int listen_fd; /* until the server takes it */
};

struct hosted_port {
	struct port port;
	struct clock clock;
	struct hosted_nic nic[PORT_NICS];
	struct worker *worker;
	struct hosted_port *next; /* in its worker's list */
	struct loop_source backend_source[QUEUES_MAX];
	struct loop_source backend_listen;
	bool more_rx;		   /* a queue of the backend had a full batch */
	struct hosted_nic *kernel; /* the card that has vhost-net; NULL = none */
	struct loop_source kernel_source[VIRTIO_KERNEL_FDS];
	struct loop_timer ask_timer; /* the guest of a team was asked where it reads; port/ask.h */
	struct port_scratch *scratch;
};

/* What main hands to a worker. The worker answers with MSG_REPLY; a command to all workers is answered by the last one. */
struct worker_command {
	struct worker_command *next;
	atomic_uint *left; /* workers that have not finished yet; NULL = this is the only one */
	enum message_type type;
	uint32_t seq;
	struct hosted_port *port; /* MSG_PORT_ADD */
	int fds[QUEUES_MAX];	  /* MSG_BACKEND_RENEW, MSG_PORT_VHOST */
	unsigned nfds;
	union {
		struct msg_port_name name;
		struct msg_port_links links;
		struct msg_guest_run run;
	};
};

struct worker {
	struct loop loop;
	pthread_t thread;
	bool running;
	int control_fd; /* borrowed: reports go out here */
	struct loop_source wake;
	pthread_mutex_t lock; /* guards `commands` alone */
	struct worker_command *commands, **commands_end;
	struct hosted_port *ports;
	struct port_scratch scratch;
	struct frame *batch;	    /* FRAME_BATCH frames for transmit */
	uint64_t no_event_until_ns; /* a busy one looks for events again then; 0 = at once */
	uint64_t poll_ns;	    /* how long to look for work before sleeping; 0 = not at all */
	uint64_t
		poll_until_ns; /* when it will have found nothing for so long; 0 = it found something just now */
	bool quit;
	unsigned number;
};

/* worker.c */
int worker_init(struct worker *w, unsigned number, int control_fd, struct error *err);
void worker_finish(struct worker *w);
int worker_start(struct worker *w, struct error *err);
void worker_send(struct worker *w, struct worker_command *c); /* takes a malloced command */
void worker_stop(struct worker *w); /* from main: ends the thread and joins it */

/* assemble.c. Takes all descriptors of the message, also on failure. The port belongs to no worker yet, but uses its scratch room. */
struct hosted_port *hosted_port_create(struct message *m, struct worker *w, struct error *err);
int hosted_port_attach(struct hosted_port *hp, struct worker *w,
		       struct error *err);	  /* worker: starts the sockets */
void hosted_port_destroy(struct hosted_port *hp); /* after hosted_port_detach, or never attached */
void hosted_port_detach(struct hosted_port *hp);
void hosted_port_watch_backend(struct hosted_port *hp);
void hosted_nic_watch_remote(struct hosted_nic *hn);
void hosted_port_unwatch_backend(struct hosted_port *hp);

/* kernel_path.c */
int kernel_path_open(struct hosted_port *hp, const int *fds, unsigned count,
		     struct error *err); /* takes fds, also on failure */
void kernel_path_close(struct hosted_port *hp);
/* Frames go through this process until the next kernel_path_settle. */
void kernel_path_leave(struct hosted_port *hp);
void kernel_path_settle(struct hosted_port *hp);

/* report.c: what a worker tells control */
void report_status(struct hosted_nic *hn);
void report_attached(struct hosted_nic *hn);
void report_backend(struct hosted_port *hp);
void report_counters(const struct hosted_port *hp, uint32_t seq);
void report_reply(int control_fd, uint32_t seq, int code, const struct error *err);

/* sandbox.c */
int sandbox_before_threads(struct error *err);
int sandbox_lock(
	struct error
		*err); /* all threads: the system call filter. Nothing of a guest before this */

#endif
