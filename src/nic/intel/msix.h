/* msix.h - from a cause to an interrupt, for the cards that have EICR: 82576, its virtual function, I225/I226 (82576 datasheet 7.3, 8.8).
 *
 * Causes are queues (IVAR says which vector) and the bits of ICR ("other"; IVAR_MISC). With MSI-X and GPIE.Multiple_MSIX each vector has a bit in
 * EICR, EIMS and EIAC, and an interval in EITR. Else there is one interrupt, from ICR and IMS (and EICR and EIMS), through MSI-X vector 0,
 * MSI or INTx, with EITR[0]. A virtual function has vectors only, and its mailbox is its "other" cause.
 *
 * The model's state holds a struct intel_irq, its table has INTEL_IRQ_ROWS (and INTEL_IRQ_ROWS_PF), which do all register side effects.
 * An interrupt whose only cause is "sent" waits for company (moderation.h). One that a wait or an interval holds back moves the model's timer (nic->notes.deadline_ns) to an earlier time, never to a later one: when the timer
 * comes, the model calls intel_irq_timer and sets its timer to the earliest of what it waits for and the value that it got.
 */
#ifndef ANYNIC_NIC_INTEL_MSIX_H
#define ANYNIC_NIC_INTEL_MSIX_H

#include "nic/intel/moderation.h"
#include "nic/intel/regs.h"

#define INTEL_VECTORS_MAX 25u
#define INTEL_IVARS_MAX	  8u

enum intel_irq_kind { IRQ_82576, IRQ_I225, IRQ_82576_VF, INTEL_IRQ_KIND_COUNT };

struct intel_irq {
	uint32_t icr, ims, iam;
	uint32_t gpie;
	uint32_t eicr, eims, eiac, eiam;
	uint32_t ivar[INTEL_IVARS_MAX], ivar_misc;
	uint32_t eitr[INTEL_VECTORS_MAX];
	uint32_t sent; /* interrupts; IAC counts and clears it */
	/* no registers: */
	uint8_t kind; /* enum intel_irq_kind */
	bool looked; /* ICR was read since the reset: what a driver that polls does (intel_driver_served) */
	uint32_t told,
		ext_told;  /* causes of ICR and EICR for which an interrupt went out already */
	uint32_t pressing; /* bits of EICR with a cause that waits for no company */
	struct intel_throttle throttle[INTEL_VECTORS_MAX];
	struct intel_company company[INTEL_VECTORS_MAX];
};

/* What happened, all at once. */
struct intel_causes {
	uint32_t rx, tx; /* queues that have descriptors back: bit = queue */
	uint32_t given;	 /* of the queues in tx: part of the ring, of INTEL_RING_WHOLE */
	uint32_t other;	 /* bits of ICR; of a virtual function: not 0 = mailbox */
	uint32_t
		at_once; /* receive queues whose interrupt waits for no interval (low latency filters) */
};

#define GPIE_NSICR    BIT(0)  /* every read of ICR clears it */
#define GPIE_MULTIPLE BIT(4)  /* a vector for each cause */
#define GPIE_EIAME    BIT(30) /* EIAM masks when a message is sent */
#define IVAR_VALID    BIT(7)
#define EICR_OTHER    BIT(31) /* without Multiple_MSIX */

/* ICR bits beyond those of regs.h */
#define INT_VMMB     BIT(8)
#define INT_TS	     BIT(19)
#define INT_DOUTSYNC BIT(28)
#define INT_DRSTA    BIT(30)

/* After reg_space_reset: forgets everything, the registers too; INTx goes down. */
void intel_irq_reset(struct nic *nic, struct intel_irq *irq, enum intel_irq_kind kind);

void intel_irq_raise(struct nic *nic, struct intel_irq *irq, const struct intel_causes *causes);

/* Sends what was held back. When the next one is due; 0: none waits. */
uint64_t intel_irq_timer(struct nic *nic, struct intel_irq *irq);

/* After load. What was told before may be told once more. */
void intel_irq_loaded(struct nic *nic, struct intel_irq *irq);

/* A mask is open: for the driver status. A driver whose vector is masked by EIAM while it polls has EIAM set. */
static inline bool intel_irq_open(const struct intel_irq *irq)
{
	return irq->ims || irq->eims || irq->eiam || irq->iam;
}

reg_read_fn intel_irq_icr_read, intel_irq_ics_read, intel_irq_eicr_read, intel_irq_eics_read;
reg_written_fn intel_irq_icr_written, intel_irq_ics_written, intel_irq_ims_written,
	intel_irq_imc_written, intel_irq_eicr_written, intel_irq_eics_written,
	intel_irq_eims_written, intel_irq_eimc_written, intel_irq_gpie_written;

/* `type` is the model's state struct, `m` its struct intel_irq. EICR to EITR: all three kinds. */
#define INTEL_IRQ_ROWS(type, m, vectors, ivars)                                                    \
	{ .name = "EICS",                                                                          \
	  .offset = 0x1520,                                                                        \
	  .kind = REG_RO,                                                                          \
	  REG_STATE(type, m.eicr),                                                                 \
	  .read = intel_irq_eics_read,                                                             \
	  .written = intel_irq_eics_written },                                                     \
		{ .name = "EIMS",                                                                  \
		  .offset = 0x1524,                                                                \
		  .kind = REG_RO,                                                                  \
		  REG_STATE(type, m.eims),                                                         \
		  .written = intel_irq_eims_written },                                             \
		{ .name = "EIMC",                                                                  \
		  .offset = 0x1528,                                                                \
		  .kind = REG_WO,                                                                  \
		  REG_STATE(type, m.eims),                                                         \
		  .written = intel_irq_eimc_written },                                             \
		{ .name = "EIAC",                                                                  \
		  .offset = 0x152c,                                                                \
		  .kind = REG_RW,                                                                  \
		  .mask = BIT(vectors) - 1,                                                        \
		  REG_STATE(type, m.eiac) },                                                       \
		{ .name = "EIAM",                                                                  \
		  .offset = 0x1530,                                                                \
		  .kind = REG_RW,                                                                  \
		  .mask = (BIT(vectors) - 1) | 0xc0000000u,                                        \
		  REG_STATE(type, m.eiam) },                                                       \
		{ .name = "EICR",                                                                  \
		  .offset = 0x1580,                                                                \
		  .kind = REG_W1C,                                                                 \
		  .mask = 0xffffffffu,                                                             \
		  REG_STATE(type, m.eicr),                                                         \
		  .read = intel_irq_eicr_read,                                                     \
		  .written = intel_irq_eicr_written },                                             \
		{ .name = "EITR",                                                                  \
		  .offset = 0x1680,                                                                \
		  .kind = REG_RW,                                                                  \
		  .count = (vectors),                                                              \
		  .mask = 0x7ffffffcu,                                                             \
		  REG_STATE(type, m.eitr) },                                                       \
		{ .name = "IVAR",                                                                  \
		  .offset = 0x1700,                                                                \
		  .kind = REG_RW,                                                                  \
		  .count = (ivars),                                                                \
		  .mask = 0x9f9f9f9fu,                                                             \
		  REG_STATE(type, m.ivar) },                                                       \
	{                                                                                          \
		.name = "IVAR_MISC", .offset = 0x1740, .kind = REG_RW, .mask = 0x9f9fu,            \
		REG_STATE(type, m.ivar_misc)                                                       \
	}

/* ICR to GPIE, and the old addresses of ICR to IAM: 82576 and I225. */
#define INTEL_IRQ_ROWS_PF(type, m)                                                                 \
	{ .name = "ICR",                                                                           \
	  .offset = 0x1500,                                                                        \
	  .kind = REG_W1C,                                                                         \
	  .mask = 0x7fffffffu,                                                                     \
	  REG_STATE(type, m.icr),                                                                  \
	  .read = intel_irq_icr_read,                                                              \
	  .written = intel_irq_icr_written },                                                      \
		{ .name = "ICS",                                                                   \
		  .offset = 0x1504,                                                                \
		  .kind = REG_RO,                                                                  \
		  REG_STATE(type, m.icr),                                                          \
		  .read = intel_irq_ics_read,                                                      \
		  .written = intel_irq_ics_written },                                              \
		{ .name = "IMS",                                                                   \
		  .offset = 0x1508,                                                                \
		  .kind = REG_RO,                                                                  \
		  REG_STATE(type, m.ims),                                                          \
		  .written = intel_irq_ims_written },                                              \
		{ .name = "IMC",                                                                   \
		  .offset = 0x150c,                                                                \
		  .kind = REG_WO,                                                                  \
		  REG_STATE(type, m.ims),                                                          \
		  .written = intel_irq_imc_written },                                              \
		{ .name = "IAM",                                                                   \
		  .offset = 0x1510,                                                                \
		  .kind = REG_RW,                                                                  \
		  .mask = 0x7fffffffu,                                                             \
		  REG_STATE(type, m.iam) },                                                        \
		{ .name = "GPIE",                                                                  \
		  .offset = 0x1514,                                                                \
		  .kind = REG_RW,                                                                  \
		  .mask = 0xc0000f91u,                                                             \
		  REG_STATE(type, m.gpie),                                                         \
		  .written = intel_irq_gpie_written },                                             \
		{ .name = "ICR (old address)", .offset = I_ICR, .kind = REG_ALIAS, .of = 0x1500 }, \
		{ .name = "ICS (old address)", .offset = I_ICS, .kind = REG_ALIAS, .of = 0x1504 }, \
		{ .name = "IMS (old address)", .offset = I_IMS, .kind = REG_ALIAS, .of = 0x1508 }, \
		{ .name = "IMC (old address)", .offset = I_IMC, .kind = REG_ALIAS, .of = 0x150c }, \
	{                                                                                          \
		.name = "IAM (old address)", .offset = I_IAM, .kind = REG_ALIAS, .of = 0x1510      \
	}

#endif
