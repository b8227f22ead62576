/* machine.h - a machine without a VMM: guest memory, one NIC, an interrupt line, and a wire that keeps what was sent.
 *
 * Memory is two maps side by side, so that a buffer can lie across their border; behind it is nothing.
 */
#ifndef ANYNIC_TESTS_DRIVERS_MACHINE_H
#define ANYNIC_TESTS_DRIVERS_MACHINE_H

#include "nic/nic.h"

#define RAM_AT	   0x100000u
#define RAM_SIZE   0x100000u
#define RAM_BORDER (RAM_AT + RAM_SIZE / 2)
#define RAM_END	   (RAM_AT + RAM_SIZE)
#define WIRE_MAX   128u

struct wire_frame {
	struct virtio_net_hdr_v1 hdr;
	uint32_t length;
	uint8_t *data;
};

struct machine {
	struct nic_sink sink; /* first */
	struct nic *nic;
	struct clock clock;
	struct frame batch[FRAME_BATCH];
	int ram_fd, irq_fd;
	int vector_fd[PCI_VECTORS_MAX]; /* MSI-X, -1 = not used */
	uint8_t *ram;
	unsigned wire_room; /* frames that the wire still takes */
	unsigned sends;	    /* calls of the sink */
	unsigned frames;
	struct wire_frame wire[WIRE_MAX];
};

/* NULL when the model refuses the spec. */
struct machine *machine_create(const char *model, int rev, struct error *err);
/* As a user asked for it; id and MAC are filled in. */
struct machine *machine_create_nic(struct nic_spec spec, struct error *err);
void machine_destroy(struct machine *m);

/* A pointer to guest memory. */
uint8_t *machine_at(struct machine *m, uint64_t address);

/* Bus mastering, memory and I/O on or off. */
void machine_set_bus(struct machine *m, bool on);

/* What a worker does after each event: runs every queue that was kicked, judges the status. */
void machine_run(struct machine *m);

/* Moves the clock and fires the NIC's timer if it is due. */
void machine_wait(struct machine *m, uint64_t ns);

/* How often the interrupt line rose since the last call. */
unsigned machine_interrupts(struct machine *m);

/* The guest turns MSI-X on, with all vectors of the card. */
void machine_use_msix(struct machine *m);
/* How often a vector was signalled since the last call. */
unsigned machine_vector(struct machine *m, unsigned vector);

/* The wire says something to the guest. Returns what receive() returned: 1 taken, 0 no room. */
unsigned machine_say(struct machine *m, const void *data, size_t len);
unsigned machine_say_flags(struct machine *m, const void *data, size_t len, uint8_t hdr_flags);

/* Forgets what was sent. */
void machine_clear_wire(struct machine *m);

#endif
