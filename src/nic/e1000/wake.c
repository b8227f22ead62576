/* wake.c - frames and links that wake a sleeping machine (manual 6.4, 13.6).
 *
 * The card asks for PME# by the status bit of its power management capability. vfio-user has no message that carries PME# to the VMM; a
 * guest that polls the bit, or wakes for another reason, finds who it was in WUS, WUPL and WUPM.
 */
#include <string.h>

#include "base/bytes.h"
#include "net/headers.h"
#include "nic/e1000/e1000.h"

#define ARP_SIZE    28u
#define ARP_TARGET  24u
#define MAGIC_SYNC  6u
#define MAGIC_TIMES 16u
#define IPAV_IPV4   BIT(0)
#define IPAV_IPV6   BIT(16)

bool e1000_asleep(const struct e1000 *e)
{
	const struct pci_device *pci = &e->nic.pci;
	uint16_t control = get_le16(pci->config + pci->pm + PCI_PM_CTRL);

	return (control & PCI_PM_CTRL_STATE_MASK) &&
	       ((control & PCI_PM_CTRL_PME_ENABLE) || (e->s.wuc & (WUC_PME_EN | WUC_APME)));
}

static void wake(struct e1000 *e, uint32_t why)
{
	uint8_t *control = e->nic.pci.config + e->nic.pci.pm + PCI_PM_CTRL;

	e->s.wus |= why;
	e->s.wuc |= WUC_PME_STATUS;
	put_le16(control, get_le16(control) | PCI_PM_CTRL_PME_STATUS);
}

static bool is_magic(const struct e1000 *e, const struct intel_rx_info *info)
{
	static const uint8_t sync[MAGIC_SYNC] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint8_t pattern[MAGIC_SYNC + MAGIC_TIMES * MAC_LEN], frame[E1000_LONG_MAX];
	uint8_t *p = pattern + MAGIC_SYNC;

	memcpy(pattern, sync, sizeof(sync));
	for (unsigned i = 0; i < MAGIC_TIMES; i++, p += MAC_LEN) {
		put_le32(p, e->s.filter.ra[0].low);
		put_le16(p + 4, (uint16_t)e->s.filter.ra[0].high);
	}
	/* it may lie anywhere in what the card would receive */
	size_t length = frame_copy_out(info->frame, 0, frame, e1000_frame_max(e) - FCS_SIZE);
	return memmem(frame, length, pattern, sizeof(pattern)) != NULL;
}

static bool our_ipv4(const struct e1000 *e, const uint8_t *address)
{
	for (unsigned i = 0; i < ARRAY_SIZE(e->s.ip4at); i++)
		if ((e->s.ipav & IPAV_IPV4 << i) && get_le32(address) == e->s.ip4at[i])
			return true;
	return false;
}

static bool our_ipv6(const struct e1000 *e, const uint8_t *address)
{
	for (size_t i = 0; i < ARRAY_SIZE(e->s.ip6at); i++)
		if (get_le32(address + 4 * i) != e->s.ip6at[i])
			return false;
	return e->s.ipav & IPAV_IPV6;
}

/* Filters that look at addresses of layer 3. */
static uint32_t match_ip(const struct e1000 *e, const struct intel_rx_info *info)
{
	const uint8_t *l3 = info->head + info->l3_at;
	uint32_t room = info->have - info->l3_at;

	if (info->ethertype == ETHERTYPE_ARP && room >= ARP_SIZE && our_ipv4(e, l3 + ARP_TARGET))
		return WUFC_ARP;
	if (info->l3 == L3_IPV4 && our_ipv4(e, l3 + IPV4_DEST))
		return WUFC_IPV4;
	if (info->l3 == L3_IPV6 && our_ipv6(e, l3 + IPV6_DEST))
		return WUFC_IPV6;
	return 0;
}

/* Flexible filter `i`: each of its bytes that counts is the frame's (manual 13.6.10 to 13.6.12). */
static bool match_flexible(const struct e1000 *e, const struct intel_rx_info *info, unsigned i)
{
	uint32_t length = e->s.fflt[i] & 0x7ff;

	if (length == 0 || length > ARRAY_SIZE(e->s.ffmt) || length > info->have)
		return false;
	for (uint32_t n = 0; n < length; n++)
		if ((e->s.ffmt[n] >> i & 1) && info->head[n] != (e->s.ffvt[n] >> (8 * i) & 0xff))
			return false;
	return true;
}

static uint32_t match(const struct e1000 *e, const struct intel_rx_info *info)
{
	uint32_t why = match_ip(e, info);
	unsigned exact;

	switch (intel_filter_dest(&e->s.filter, E1000_ADDRESSES, e->s.rctl | RCTL_BAM, info->head,
				  &exact)) {
	case DEST_EXACT:
		why |= WUFC_EX;
		break;
	case DEST_BROADCAST:
		why |= WUFC_BC;
		break;
	case DEST_HASH:
		why |= WUFC_MC;
		break;
	default:
		break;
	}
	if (is_magic(e, info))
		why |= WUFC_MAG;
	for (unsigned i = 0; i < ARRAY_SIZE(e->s.fflt); i++)
		if (match_flexible(e, info, i))
			why |= WUFC_FLX0 << i;
	/* from power-up on, a magic packet wakes when the EEPROM says so (APME) */
	return why & (e->s.wufc | (e->s.wuc & WUC_APME ? WUFC_MAG : 0));
}

void e1000_wake_frames(struct e1000 *e, const struct frame *frames, unsigned n)
{
	struct intel_rx_info info;

	for (unsigned i = 0; i < n && !(e->s.wuc & WUC_PME_STATUS); i++) {
		if (frames[i].length < ETH_HEADER)
			continue;
		intel_rx_look(&info, &frames[i], (uint16_t)e->s.vet);
		uint32_t why = match(e, &info);
		if (!why)
			continue;
		wake(e, why);
		e->s.wupl = info.length;
		for (size_t k = 0; k < ARRAY_SIZE(e->s.wupm); k++)
			e->s.wupm[k] = 4 * k + 4 <= info.have ? get_le32(info.head + 4 * k) : 0;
	}
}

void e1000_wake_link(struct e1000 *e)
{
	if (e1000_asleep(e) && (e->s.wufc & WUFC_LNKC))
		wake(e, WUFC_LNKC);
}
