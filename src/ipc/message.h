/* message.h - what control and the datapath process say to each other, over one SOCK_SEQPACKET socketpair.
 *
 * Both ends are the same build: payloads are plain structs in host order. The receiver still checks type, size and every index.
 * One message = one packet = struct message_header + payload; descriptors ride along. Commands (down) are answered by MSG_REPLY with
 * the same seq, in any order; reports (up) have seq 0.
 */
#ifndef ANYNIC_IPC_MESSAGE_H
#define ANYNIC_IPC_MESSAGE_H

#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/spec.h"

enum message_type {
	/* control -> datapath */
	MSG_START,    /* start workers, lock down; nothing of a guest before this */
	MSG_PORT_ADD, /* fds: backend's, then per NIC: listening socket, then its ROM if rom[i] */
	MSG_PORT_VHOST, /* fds: of /dev/vhost-net, one for each queue pair of the port's virtio card */
	MSG_PORT_REMOVE,
	MSG_BACKEND_RENEW, /* fds: in place of those that the port's backend has lost */
	MSG_PORT_LINKS,	   /* one step: links of all NICs and the active one */
	MSG_PORT_ANNOUNCE, /* RARP in the guest's name */
	MSG_GUEST_RUN,	   /* the guest was stopped or goes on */
	MSG_COUNTERS_GET,  /* answered by MSG_COUNTERS per port (same seq), then MSG_REPLY */
	MSG_NIC_SAVE,	   /* reserved for the migration issue */
	MSG_QUIT,
	/* datapath -> control */
	MSG_REPLY,
	MSG_STARTED,
	MSG_NIC_STATUS,
	MSG_NIC_ATTACHED, /* a VMM connected to, or left, a NIC's socket */
	MSG_BACKEND_STATUS,
	MSG_LINKS_APPLIED,
	MSG_COUNTERS,
	MSG_LOG,
	MESSAGE_TYPE_COUNT
};

const char *message_type_name(enum message_type type);

struct message_header {
	uint32_t type;
	uint32_t seq;
};

/* The program is started as `anynic-datapath WORKERS` with the socket as descriptor 3. */
struct msg_start {
	uint32_t vcpus;	 /* of the guest, for the decision to poll; 0 = unknown */
	int32_t cpu;	 /* pin the first worker here; -1 = do not pin */
	uint8_t sandbox; /* 0 only in tests that need a debugger */
};

struct msg_port_add {
	struct port_spec spec;
	uint8_t rom[PORT_NICS]; /* a descriptor of the ROM file follows the NIC's socket */
};

struct msg_port_name {
	char port[ID_MAX];
};

struct msg_port_links {
	char port[ID_MAX];
	uint8_t up[PORT_NICS];
	int8_t active;	   /* index of the NIC, -1 = none */
	int8_t receive;	   /* that of the one which the guest reads; -1 = the active one */
	uint64_t cause_ns; /* monotonic time of the register write that caused it; 0 = none */
};

struct msg_guest_run {
	uint8_t running;
};

struct msg_reply {
	int32_t code; /* 0 or negative errno */
	struct error error;
};

struct msg_nic_status {
	char nic[ID_MAX];
	char port[ID_MAX];
	uint32_t state, previous, phase; /* enums of driver_status.h */
	char evidence[120];
	uint64_t since_ns; /* CLOCK_MONOTONIC of the change */
	uint32_t resets, bus_resets, ready_edges;
	uint8_t standby;   /* struct driver_report has it */
	uint8_t bus_reset; /* this change is a PCI reset or FLR: "DEVICE_RESET clears one NIC" */
	uint8_t asks; /* for MSG_GUEST_RUN, once the VMM has done all that it was told or has told */
};

struct msg_nic_attached {
	char nic[ID_MAX];
	char port[ID_MAX];
	uint8_t attached;
	char problem[200]; /* memory that cannot be used, ...; empty = fine */
};

struct msg_backend_status {
	char port[ID_MAX];
	uint8_t up;
	char reason[120];
};

struct msg_links_applied {
	char port[ID_MAX];
	int8_t active;
	uint64_t
		duration_ns; /* from cause_ns to the moment the links were set; 0 when there was no cause */
	uint64_t moved; /* frames that waited for the old NIC and went to the new one */
};

#define MSG_DROPS_MAX 16

struct msg_counters {
	char port[ID_MAX];
	uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes; /* guest's view */
	uint64_t drop[MSG_DROPS_MAX];			   /* enum drop_reason */
	struct {
		char nic[ID_MAX];
		uint64_t tx_frames, tx_bytes, rx_frames, rx_bytes;
		uint64_t interrupts, reads, writes;
	} nic[PORT_NICS];
	uint32_t nics;
	uint64_t wakeups; /* of the port's worker */
};

struct msg_log {
	uint32_t level;
	char text[LOG_TEXT];
};

#define MESSAGE_MAX 8192

/* Sends one message. Safe from several threads (one packet each). 0 or negative errno. */
int message_send(int sock, enum message_type type, uint32_t seq, const void *body, size_t len,
		 const int *fds, unsigned nfds);

/* The same, but -EAGAIN when the peer does not read: for reports of a thread that must not wait. */
int message_try_send(int sock, enum message_type type, const void *body, size_t len);

/* A received message; `body` is `length` bytes. The receiver owns the descriptors. */
struct message {
	enum message_type type;
	uint32_t seq;
	size_t length;
	union {
		uint8_t body[MESSAGE_MAX];
		uint64_t align;
	};
	int fds[FD_PASS_MAX];
	unsigned nfds;
};

/* 1, 0 when the peer is gone, -EAGAIN, -EPROTO for a packet that is no message (its descriptors are closed). */
int message_receive(int sock, struct message *m);

/* The body as `size` bytes of a struct, or NULL when the length differs. */
const void *message_body(const struct message *m, size_t size);

/* Closes descriptors that nobody took (taken ones are set to -1). */
void message_close_fds(struct message *m);

#endif
