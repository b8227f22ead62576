/* flow.h - flow control of 802.3 annex 31B: a PAUSE frame stops the transmitter for its time, and the driver may send one.
 *
 * The card itself never sends one. Its thresholds (FCRTL, FCRTH) watch the packet buffer, and no frame lies in one here: what the guest
 * has no room for waits in the port and its backend, which is held up by not being read.
 */
#ifndef ANYNIC_NIC_INTEL_FLOW_H
#define ANYNIC_NIC_INTEL_FLOW_H

#include "nic/intel/filter.h"
#include "nic/intel/rx.h"
#include "nic/intel/stats.h"

struct intel_flow {
	uint64_t
		until_ns; /* the partner wants silence until then, on nic->clock; 0 = it does not */
	bool wanted;	  /* TCTL.SWXOFF was written */
};

/* What the registers of a card say about it. */
struct intel_flow_card {
	uint32_t ctrl, rctl;
	uint32_t fcal, fcah, fct, fcttv;
	const struct intel_address *own; /* the station's address */
	struct intel_stats *stats;
	uint8_t speed;	/* enum intel_speed: how long a quantum is */
	uint8_t queues; /* that may have to go on */
};

/* True when the EtherType is FCT: intel_flow_received wants to see the frame. */
static inline bool intel_flow_concerns(const struct intel_rx_info *info, uint32_t fct)
{
	return info->have >= ETH_HEADER + 4 && fct &&
	       (uint32_t)(info->head[12] << 8 | info->head[13]) == fct;
}

/* Counts a MAC control frame and does what it says. True when it ends here, for the guest wants none of them. */
bool intel_flow_received(struct nic *nic, struct intel_flow *flow,
			 const struct intel_flow_card *card, const struct intel_rx_info *info);

/* Sends the pause frame that the driver wished. `wire`: there is a link, and frames go there. */
void intel_flow_send(struct nic *nic, struct intel_flow *flow, const struct intel_flow_card *card,
		     bool wire);

/* For the model's timer: ends a pause whose time has come, and makes `queues` runnable. Returns when to come again; 0 = not. */
uint64_t intel_flow_timer(struct nic *nic, struct intel_flow *flow, unsigned queues);

void intel_flow_save(const struct intel_flow *flow, uint64_t now, struct buffer *out);
void intel_flow_load(struct intel_flow *flow, uint64_t now, struct reader *in);

#endif
