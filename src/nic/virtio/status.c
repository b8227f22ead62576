/* status.c - what the driver is doing, from the device status, the negotiated features and the first receive buffers. */
#include <stdio.h>

#include "nic/virtio/virtio_net.h"

static const char *const fault_names[] = {
	[VIRTIO_FAULT_RX_ROOM - RING_FAULT_COUNT] = "receive buffer without room for the header",
	[VIRTIO_FAULT_CTRL - RING_FAULT_COUNT] = "control command without header or answer",
	[VIRTIO_FAULT_KERNEL - RING_FAULT_COUNT] = "bad ring, says the kernel",
};
NAMES_MATCH(fault_names, VIRTIO_FAULT_COUNT - RING_FAULT_COUNT);

const char *virtio_fault_name(unsigned fault)
{
	return fault < RING_FAULT_COUNT
		       ? ring_fault_name((enum ring_fault)fault)
		       : name_of(fault_names, ARRAY_SIZE(fault_names), fault - RING_FAULT_COUNT);
}

static bool has_vectors(const struct virtio_state *s)
{
	for (unsigned i = 0; i < s->num_queues; i++)
		if (s->queue[i].vector != VIRTIO_MSI_NO_VECTOR)
			return true;
	return s->config_vector != VIRTIO_MSI_NO_VECTOR;
}

/* Features are settled with FEATURES_OK, in the legacy interface with DRIVER_OK. */
static enum driver_phase phase_of(const struct virtio_state *s)
{
	if (!(s->status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)))
		return PHASE_UNKNOWN;
	return virtio_firmware_like(s->features) && !has_vectors(s) ? PHASE_FIRMWARE : PHASE_OS;
}

void virtio_list_features(const struct virtio_state *s, char *text, size_t size)
{
	static const uint8_t telling[] = {
		VIRTIO_F_VERSION_1,	VIRTIO_F_RING_PACKED,	VIRTIO_NET_F_CSUM,
		VIRTIO_NET_F_MRG_RXBUF, VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_GUEST_TSO4,
		VIRTIO_NET_F_CTRL_VQ,	VIRTIO_NET_F_MQ,	VIRTIO_RING_F_EVENT_IDX,
	};
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(telling); i++) {
		if (!(s->features & VIRTIO_BIT(telling[i])))
			continue;
		int n = snprintf(text + used, size - used, "%s%s", used ? "," : "",
				 virtio_feature_name(telling[i]));
		if (n < 0 || (size_t)n >= size - used) {
			text[used] = '\0'; /* no half names */
			return;
		}
		used += (size_t)n;
	}
}

static void report_refusal(const struct virtio_net *v, struct driver_report *out)
{
	const struct virtio_state *s = &v->state;
	unsigned feature = s->refused - 1u;
	uint64_t needs = virtio_feature_needs(feature);
	const char *name = virtio_feature_name(feature);

	if (!(v->offered & VIRTIO_BIT(feature)))
		report_set(out, DRIVER_FAILED, PHASE_UNKNOWN,
			   "FEATURES_OK refused: feature %u (%s) was not offered", feature, name);
	else if (needs)
		report_set(out, DRIVER_FAILED, PHASE_UNKNOWN, "FEATURES_OK refused: %s needs %s",
			   name, virtio_feature_name((unsigned)__builtin_ctzll(needs)));
	else
		report_set(out, DRIVER_FAILED, PHASE_UNKNOWN, "FEATURES_OK refused: %s is missing",
			   name);
}

void virtio_judge(const struct nic *nic, struct driver_report *out)
{
	const struct virtio_net *v = (const struct virtio_net *)nic;
	const struct virtio_state *s = &v->state;
	enum driver_phase phase = phase_of(s);
	char features[72];

	out->standby = (s->status & VIRTIO_CONFIG_S_DRIVER_OK) &&
		       (s->features & VIRTIO_BIT(VIRTIO_NET_F_STANDBY));
	if (s->status == 0) {
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN, "device status 0%s",
			   nic->status.resets ? ", reset by the driver" : "");
	} else if (s->status == VIRTIO_CONFIG_S_ACKNOWLEDGE) {
		/* the guest's bus knows the card: so it is before a driver comes, and after Linux unloaded one */
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN,
			   "ACKNOWLEDGE only: the guest found the card, no driver took it");
	} else if (s->fault) {
		report_set(out, DRIVER_FAILED, phase, "queue %u: %s; the device needs a reset",
			   s->fault_queue, virtio_fault_name(s->fault));
	} else if (s->refused) {
		report_refusal(v, out);
	} else if (s->status & VIRTIO_CONFIG_S_FAILED) {
		report_set(out, DRIVER_FAILED, phase,
			   "the driver gave up: device status 0x%02x (FAILED)", s->status);
	} else if (!(s->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
		report_set(out, DRIVER_INITIALIZING, phase,
			   "device status 0x%02x, no DRIVER_OK yet", s->status);
	} else if (!s->rx_given) {
		report_set(out, DRIVER_INITIALIZING, phase,
			   "DRIVER_OK, no receive buffers yet: interface not brought up");
	} else {
		virtio_list_features(s, features, sizeof(features));
		report_set(out, DRIVER_READY, phase,
			   "DRIVER_OK, %u receive buffer%s, %s, features %s", s->rx_given,
			   s->rx_given == 1 ? "" : "s",
			   pci_irq_mode(&nic->pci) == IRQ_MSIX ? "MSI-X" : "INTx",
			   features[0] ? features : "basic");
	}
}
