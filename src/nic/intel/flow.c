#include "nic/intel/flow.h"

#include <string.h>

#include "base/bytes.h"
#include "nic/intel/moderation.h"
#include "nic/intel/phy.h"
#include "nic/intel/regs.h"

#define PAUSE_OPCODE 1u

/* 512 bit times (31B.2), in picoseconds: at 2500 Mbit/s they are no whole nanoseconds. */
static const uint64_t quantum_ps[] = {
	[SPEED_10] = 51200000, [SPEED_100] = 5120000, [SPEED_1000] = 512000, [SPEED_2500] = 204800
};
_Static_assert(ARRAY_SIZE(quantum_ps) == INTEL_SPEED_COUNT, "a quantum for each speed");

#define PAUSE_MAX_NS (0xffff * quantum_ps[SPEED_10] / 1000)

static void kick_all(struct nic *nic, unsigned queues)
{
	for (unsigned q = 0; q < queues; q++)
		nic_kick(nic, q);
}

/* To the address of all MACs, or to this one's. */
static bool is_addressed(const struct intel_flow_card *card, const uint8_t *dest)
{
	uint32_t low = get_le32(dest), high = get_le16(dest + 4);

	return (low == card->fcal && high == (card->fcah & 0xffff)) ||
	       (low == card->own->low && high == (card->own->high & 0xffff));
}

static void pause(struct nic *nic, struct intel_flow *flow, const struct intel_flow_card *card,
		  uint16_t quanta)
{
	uint64_t ns = quanta * quantum_ps[card->speed % INTEL_SPEED_COUNT] / 1000;

	flow->until_ns = quanta ? nic_now(nic) + ns : 0;
	if (quanta)
		nic_set_timer(nic, intel_earlier(nic->notes.deadline_ns, flow->until_ns));
	else
		kick_all(nic, card->queues);
}

bool intel_flow_received(struct nic *nic, struct intel_flow *flow,
			 const struct intel_flow_card *card, const struct intel_rx_info *info)
{
	uint16_t quanta = get_be16(info->head + ETH_HEADER + 2);

	if (!is_addressed(card, info->head))
		return false;
	if (get_be16(info->head + ETH_HEADER) != PAUSE_OPCODE) {
		intel_stats_add(card->stats, STAT_FCRUC, 1);
		return !(card->rctl & RCTL_PMCF);
	}
	intel_stats_add(card->stats, quanta ? STAT_XOFFRXC : STAT_XONRXC, 1);
	if (card->ctrl & CTRL_RFCE)
		pause(nic, flow, card, quanta);
	return (card->rctl & RCTL_DPF) || !(card->rctl & RCTL_PMCF);
}

void intel_flow_send(struct nic *nic, struct intel_flow *flow, const struct intel_flow_card *card,
		     bool wire)
{
	struct frame *f = nic->batch;
	uint8_t *p = f->head;

	flow->wanted = false;
	if (!wire || !(card->ctrl & CTRL_TFCE))
		return;
	memset(p, 0, FRAME_MIN);
	put_le32(p, card->fcal);
	put_le16(p + 4, (uint16_t)card->fcah);
	put_le32(p + 6, card->own->low);
	put_le16(p + 10, (uint16_t)card->own->high);
	put_be16(p + 12, (uint16_t)card->fct);
	put_be16(p + 14, PAUSE_OPCODE);
	put_be16(p + 16, (uint16_t)card->fcttv);
	frame_set_linear(f, p, FRAME_MIN);
	f->queue = 0;
	if (nic_send(nic, f, 1))
		intel_stats_add(card->stats, card->fcttv ? STAT_XOFFTXC : STAT_XONTXC, 1);
}

uint64_t intel_flow_timer(struct nic *nic, struct intel_flow *flow, unsigned queues)
{
	if (flow->until_ns && nic_now(nic) >= flow->until_ns) {
		flow->until_ns = 0;
		kick_all(nic, queues);
	}
	return flow->until_ns;
}

void intel_flow_save(const struct intel_flow *flow, uint64_t now, struct buffer *out)
{
	buffer_put_u64(out, flow->until_ns > now ? flow->until_ns - now : 0);
	buffer_put_u8(out, flow->wanted);
}

void intel_flow_load(struct intel_flow *flow, uint64_t now, struct reader *in)
{
	uint64_t left = reader_u64(in);

	flow->until_ns = left ? now + MIN(left, PAUSE_MAX_NS) : 0;
	flow->wanted = reader_u8(in) & 1;
}
