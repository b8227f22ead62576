/* model_bus.h - how model_cost reaches a card: ours in the real datapath process over vfio-user, or QEMU's over its qtest socket.
 *
 * Either way the card runs in a child process whose CPU time is what is measured, and the guest's memory is shared with it, so
 * that descriptors cost nothing to write; only registers go over a socket.
 */
#ifndef ANYNIC_TESTS_MODEL_BUS_H
#define ANYNIC_TESTS_MODEL_BUS_H

#include <sys/types.h>
#include <time.h>

#include "vfio_user_client.h"

#define RAM_SIZE (32u << 20)

struct bus {
	void (*write)(struct bus *bus, uint32_t at, unsigned size, uint32_t value);
	uint8_t *ram;
	unsigned bar; /* the card's registers in memory space */
	pid_t pid;
	clockid_t cpu; /* of that process */
	char folder[40];
	char error[160];

	int control;		   /* ours: the datapath's command socket */
	struct vfio_client client; /* ours */
	bool running; /* ours: writes are posted, as QEMU's vfio-user client posts them */
	int qtest;    /* QEMU */
};

/* Starts a process with one card; `tap` is the descriptor of its backend or -1 for none. On failure `error` says why. */
bool bus_start_ours(struct bus *bus, const char *program, const char *model, unsigned bar, int tap);
/* One card more in the process of `first`, without a backend. Stop it before the first. */
bool bus_add_ours(struct bus *bus, const struct bus *first, const char *model, unsigned bar);
bool bus_start_qemu(struct bus *bus, const char *program, const char *device, unsigned bar,
		    int tap);
void bus_stop(struct bus *bus); /* accepts a zeroed one */

/* Two seconds of the guest's time pass, where it stands still otherwise: QEMU's e1000 takes no frame in its first one. */
void bus_settle(struct bus *bus);

/* CPU time of the process in nanoseconds, all threads, user and system. */
uint64_t bus_cpu_ns(const struct bus *bus);

/* Holds the process still, and lets it go on. */
void bus_freeze(struct bus *bus);
void bus_thaw(struct bus *bus);

#endif
