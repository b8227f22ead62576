/* pci.h - one PCI function: config space, capabilities, BARs, interrupts. Knows no NIC and no socket.
 *
 * The VMM (attach/, a test, or an embedder) calls pci_config_* and pci_bar_*, and hands eventfds to pci_irq_set_fd; the
 * model raises interrupts. BAR addresses are the VMM's business; the MSI-X table too (vfio-user clients keep it): what the
 * model raises is a vector number.
 */
#ifndef ANYNIC_PCI_PCI_H
#define ANYNIC_PCI_PCI_H

#include <linux/pci_regs.h>

#include "mem/mem.h"
#include "pci/reg.h"

#define PCI_BARS	6
#define PCI_CONFIG_ROOM 1024 /* bytes kept of the 4096: nothing here needs more */
#define PCI_FIELDS_MAX	64
#define PCI_VECTORS_MAX 32

enum pci_bar_kind { BAR_NONE, BAR_MEM32, BAR_MEM64, BAR_IO };

struct pci_bar {
	enum pci_bar_kind kind;
	uint32_t size; /* power of two */
	bool prefetchable;
	const struct reg_space *space; /* may be NULL: reads 0 (MSI-X table, flash dummies) */
};

/* A piece of config space that can be written. Everything else is read-only. */
struct pci_field {
	uint16_t offset;
	uint8_t width; /* 1, 2 or 4 */
	uint32_t writable;
	uint32_t write_1_clear;
	uint32_t reset; /* what was there when the field was added */
};

/* How interrupts reach the guest now. */
enum pci_irq_mode { IRQ_INTX, IRQ_MSI, IRQ_MSIX };
/* Index numbers of VFIO. */
enum pci_irq_index { PCI_INTX, PCI_MSI, PCI_MSIX, PCI_ERR, PCI_REQ, PCI_IRQ_INDEXES };

/* What a function's owner (nic.c) wants to hear. */
struct pci_hooks {
	void (*command_changed)(
		struct pci_device *dev); /* COMMAND: bus master, memory, I/O, INTx disable */
	void (*function_reset)(struct pci_device *dev); /* FLR, or D3hot -> D0 */
	void (*config_read)(struct pci_device *dev, uint32_t offset,
			    unsigned size); /* may be NULL: before a read (virtio's window) */
	void (*config_written)(struct pci_device *dev, uint32_t offset,
			       unsigned size); /* may be NULL: after a write */
};

struct pci_identity {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint8_t revision;
	uint32_t class_code;   /* 24 bits: 0x020000 = Ethernet */
	uint8_t interrupt_pin; /* 1 = INTA, 0 = none */
	bool express;	       /* config space of 4096 bytes */
};

struct pci_device {
	const struct pci_hooks *hooks;
	void *state; /* what the register rows point into */
	struct pci_bar bar[PCI_BARS];
	uint8_t config[PCI_CONFIG_ROOM];
	struct pci_field field[PCI_FIELDS_MAX];
	unsigned fields;
	uint16_t cap_end;	      /* where the next capability can go */
	uint16_t pm, msi, msix, pcie; /* offsets of capabilities; 0 = absent */
	uint16_t last_cap, last_ext_cap;
	bool express;

	int irq_fd[PCI_IRQ_INDEXES][PCI_VECTORS_MAX]; /* INTx, MSI and MSI-X eventfds; -1 = none */
	bool intx_level;			      /* what the model drives */
	uint16_t irq_fds[PCI_IRQ_INDEXES];	      /* how many eventfds each index has */
	uint32_t pending
		[PCI_IRQ_INDEXES]; /* vectors raised while they had no eventfd: bit = vector */
	uint64_t interrupts;	   /* eventfds signalled */
	uint64_t irq_changes;	   /* times that an eventfd came or went */
	uint64_t unknown_accesses;
	uint64_t reads, writes; /* BAR accesses, for counters */
	const uint8_t *rom;	/* option ROM, borrowed; NULL = none */
	uint32_t rom_size;	/* bytes of `rom` */
	uint32_t rom_bar;	/* size of the ROM BAR: the next power of two */
};

void pci_init(struct pci_device *dev, const struct pci_identity *id, const struct pci_hooks *hooks,
	      void *state);
void pci_finish(struct pci_device *
			dev); /* closes eventfds; accepts a zeroed one that never was initialised */

/* Back to power-on values: COMMAND, STATUS, BARs, capabilities' control words; the interrupt line drops. Eventfds stay. */
void pci_reset(struct pci_device *dev);

/* --- building, at init only --- */
void pci_add_bar(struct pci_device *dev, unsigned index, enum pci_bar_kind kind, uint32_t size,
		 const struct reg_space *space);
/* Capabilities take the next free place, or `at` if it is not 0; extended ones always say where, the first at 0x100.
 * Return their offset. */
uint16_t pci_add_capability(struct pci_device *dev, uint8_t id, uint16_t at, uint8_t length);
uint16_t pci_add_ext_capability(struct pci_device *dev, uint16_t id, uint8_t version, uint16_t at,
				uint16_t length);
void pci_add_field(struct pci_device *dev, uint16_t offset, uint8_t width, uint32_t writable,
		   uint32_t write_1_clear);
void pci_add_pm(struct pci_device *dev, uint16_t at);
void pci_add_msi(struct pci_device *dev, uint16_t at, unsigned vectors, bool maskable);
void pci_add_msix(struct pci_device *dev, uint16_t at, unsigned vectors, unsigned bar,
		  uint32_t table, uint32_t pba);

/* After the last capability: the card has none, and its driver does with MSI or INTx. Accepts one without. */
void pci_hide_msix(struct pci_device *dev);
void pci_add_pcie(struct pci_device *dev, uint16_t at,
		  bool flr); /* endpoint; FLR through DevCtl bit 15 */
void pci_add_aer(struct pci_device *dev, uint16_t at);
void pci_add_dsn(struct pci_device *dev, uint16_t at, uint64_t serial);

/* Option ROM: `data` is borrowed and `size` bytes long; the ROM BAR is the next power of two. */
void pci_set_rom(struct pci_device *dev, const uint8_t *data, uint32_t size);

/* --- the VMM's side --- */
uint32_t pci_config_size(const struct pci_device *dev); /* 256 or 4096 */
uint32_t pci_config_read(struct pci_device *dev, uint32_t offset,
			 unsigned size); /* 1, 2 or 4 bytes */
void pci_config_write(struct pci_device *dev, uint32_t offset, unsigned size, uint32_t value);
uint64_t pci_bar_read(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size);
void pci_bar_write(struct pci_device *dev, unsigned bar, uint64_t offset, unsigned size,
		   uint64_t value);
unsigned pci_irq_count(const struct pci_device *dev, enum pci_irq_index index);
/* Takes `fd` (-1: removes), also on failure; the old one is closed. A vector that is pending is signalled at once. 0 or -EINVAL. */
int pci_irq_set_fd(struct pci_device *dev, enum pci_irq_index index, unsigned vector, int fd);
void pci_irq_clear(struct pci_device *dev,
		   enum pci_irq_index index); /* removes all eventfds of an index */
/* Signals INTx again when the line is still up (vfio-user UNMASK). */
void pci_intx_unmask(struct pci_device *dev);

/* --- the model's side --- */
enum pci_irq_mode pci_irq_mode(const struct pci_device *dev);
void pci_intx_set(struct pci_device *dev,
		  bool level); /* honours COMMAND.INTx disable and STATUS.INTx */
void pci_msi_raise(struct pci_device *dev, unsigned vector);
void pci_msix_raise(struct pci_device *dev, unsigned vector);
bool pci_bus_master(const struct pci_device *dev);
bool pci_memory_enabled(const struct pci_device *dev);

void pci_save(const struct pci_device *dev, struct buffer *out);
int pci_load(struct pci_device *dev, struct reader *in, struct error *err);

#endif
