/* driver_status.h - what the guest's driver is doing with a NIC: the same four states for every model. */
#ifndef ANYNIC_NIC_DRIVER_STATUS_H
#define ANYNIC_NIC_DRIVER_STATUS_H

#include "base/clock.h"

enum driver_state {
	DRIVER_NONE,
	DRIVER_INITIALIZING,
	DRIVER_READY,
	DRIVER_FAILED,
	DRIVER_STATE_COUNT
};
enum driver_phase { PHASE_UNKNOWN, PHASE_FIRMWARE, PHASE_OS, DRIVER_PHASE_COUNT };

extern const char *const driver_state_names[DRIVER_STATE_COUNT];
extern const char *const driver_phase_names[DRIVER_PHASE_COUNT];

#define EVIDENCE_MAX 120

/* What a model sees now. A plain value, safe to compare and to send. */
struct driver_report {
	enum driver_state state;
	enum driver_phase phase;
	bool standby; /* virtio: the driver took VIRTIO_NET_F_STANDBY, so the guest pairs */
	char evidence[EVIDENCE_MAX]; /* one line that says why, in a driver author's words */
};

/* What is told of one NIC, whoever watches it: the datapath its own, QEMU's monitor those of QEMU. */
struct nic_report {
	const char *nic; /* borrowed */
	struct driver_report now;
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	uint32_t resets;   /* device resets asked by the driver */
	bool bus_reset;	   /* it was reset by its bus */
};

struct driver_status {
	struct driver_report now;
	enum driver_state previous;
	uint64_t since_ns;    /* when `now.state` began (the NIC's clock) */
	uint32_t resets;      /* device resets asked by the driver */
	uint32_t bus_resets;  /* power-on, PCI reset, FLR */
	uint32_t ready_edges; /* how often it became ready */
	bool asks; /* whether the driver is gone only the VMM's owner can find out; the owner clears it */
	bool changed; /* state or phase changed and nobody has told it yet; the owner clears it */
};

void report_set(struct driver_report *r, enum driver_state state, enum driver_phase phase,
		const char *fmt, ...) PRINTF(4, 5);

/* Takes over a report. `changed` is set when state or phase differ; evidence alone is stored quietly. */
void driver_status_update(struct driver_status *s, const struct driver_report *r, uint64_t now_ns);

#endif
