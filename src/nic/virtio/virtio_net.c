/* virtio_net.c - the device without its registers: features, queues, status, link. What reaches a driver goes through v->transport. */
#include "nic/virtio/virtio_net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define SPEED_MBIT    10000
#define LOST_RETRY_NS (10 * NS_PER_MS)
#define LOST_MAX_NS   (500 * NS_PER_MS)
#define SENT_WAIT_NS  (NS_PER_MS / 10)

/* ------------------------------------------------------------------------------------------------ interrupts */

void virtio_interrupt(struct virtio_net *v, unsigned queue)
{
	v->transport->interrupt(v, queue);
}

/* Three things share the model's one timer. */
static void arm(struct virtio_net *v)
{
	const uint64_t due[] = { v->lost_due_ns, v->sent_due_ns, v->stop_due_ns };
	uint64_t first = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(due); i++)
		if (due[i] && (!first || due[i] < first))
			first = due[i];
	nic_set_timer(&v->nic, first);
}

/* "Sent" frees memory, and is urgent only when the ring runs full. What was sent is in the used ring at once; its interrupt
 * waits a little, since a driver that receives or sends again meanwhile finds it there, moves its event on, and needs none:
 * of an exchange of packets that saves every other interrupt. */
void virtio_interrupt_sent(struct virtio_net *v, unsigned queue)
{
	struct ring *r = &v->ring[queue];

	if (r->span >= r->size / 4) {
		virtio_interrupt(v, queue);
		return;
	}
	ring_hold(r);
	if (v->sent_due_ns)
		return;
	v->sent_due_ns = nic_now(&v->nic) + SENT_WAIT_NS;
	arm(v);
}

static void flush_sent(struct virtio_net *v)
{
	v->sent_due_ns = 0;
	for (unsigned i = 1; i < 2u * v->state.pairs_max; i += 2)
		if (i >= v->kernel_rings && v->ring[i].held && virtio_ring_usable(v, i) &&
		    ring_ask_again(&v->ring[i]))
			virtio_interrupt(v, i);
}

void virtio_config_changed(struct virtio_net *v)
{
	v->state.generation++;
	if (v->state.status & VIRTIO_CONFIG_S_DRIVER_OK)
		v->transport->config_interrupt(v);
}

/* ------------------------------------------------------------------------------------------------ offloads */

static uint64_t guest_offload_bits(void)
{
	return VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4) |
	       VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN) |
	       VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO6);
}

uint64_t virtio_guest_offloads(const struct virtio_net *v)
{
	return v->state.features & guest_offload_bits();
}

void virtio_set_offloads(struct virtio_net *v, uint64_t offloads)
{
	static const struct {
		uint64_t all_of;
		uint32_t frame;
	} map[] = {
		{ VIRTIO_BIT(VIRTIO_NET_F_GUEST_CSUM), FRAME_CSUM },
		{ VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO4), FRAME_TSO4 },
		{ VIRTIO_BIT(VIRTIO_NET_F_GUEST_TSO6), FRAME_TSO6 },
		{ VIRTIO_BIT(VIRTIO_NET_F_GUEST_ECN), FRAME_ECN },
		{ VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO4) | VIRTIO_BIT(VIRTIO_NET_F_GUEST_USO6),
		  FRAME_USO },
	};

	v->state.guest_offloads = offloads;
	v->nic.rx_offloads = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(map); i++)
		if ((offloads & map[i].all_of) == map[i].all_of)
			v->nic.rx_offloads |= map[i].frame;
}

/* ------------------------------------------------------------------------------------------------ queues */

/* Which queue carries control: the one behind all pairs that the driver knows of (5.1.2). */
unsigned virtio_ctrl_queue(const struct virtio_net *v)
{
	if (v->transport->no_control)
		return VIRTIO_QUEUES;
	return virtio_has(v, VIRTIO_NET_F_MQ) ? 2u * v->state.pairs_max : 2u;
}

static bool is_ctrl(const struct virtio_net *v, unsigned queue)
{
	return virtio_has(v, VIRTIO_NET_F_CTRL_VQ) && queue == virtio_ctrl_queue(v);
}

static void queue_defaults(struct virtio_net *v, unsigned queue)
{
	v->state.queue[queue] = (struct virtio_queue){
		.size = virtio_size_max(v, queue),
		.vector = VIRTIO_MSI_NO_VECTOR,
	};
}

void virtio_fail(struct virtio_net *v, unsigned queue, unsigned fault)
{
	struct virtio_state *s = &v->state;

	if (s->fault)
		return;
	s->fault = (uint8_t)fault;
	s->fault_queue = (uint8_t)queue;
	v->nic.counters.bad_access++;
	v->nic.notes.status_dirty = true;
	if (!virtio_has(v, VIRTIO_F_VERSION_1))
		return; /* a legacy driver knows no such status bit */
	s->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_config_changed(v); /* 2.1.2 */
}

/* The map of guest memory may change for a moment (a VMM moves a region): only memory that stays away is a fault. */
static void memory_lost(struct virtio_net *v)
{
	if (v->lost_ns)
		return;
	v->lost_ns = nic_now(&v->nic) + 1; /* never 0 */
	v->lost_due_ns = nic_now(&v->nic) + LOST_RETRY_NS;
	arm(v);
}

bool virtio_ring_usable(struct virtio_net *v, unsigned queue)
{
	struct ring *r = &v->ring[queue];

	if (ring_usable(r))
		return true;
	/* with bus mastering off nothing is reachable, which is no fault: its return kicks all queues */
	if (r->started && v->nic.mem.bus_master) {
		if (r->fault == RING_UNREACHABLE)
			memory_lost(v);
		else
			virtio_fail(v, queue, r->fault);
	}
	return false;
}

void virtio_start_queue(struct virtio_net *v, unsigned queue, const struct ring *at)
{
	const struct virtio_queue *q = &v->state.queue[queue];
	struct ring *r = &v->ring[queue];

	*r = (struct ring){
		.mem = &v->nic.mem,
		.desc = q->desc,
		.driver = q->driver,
		.device = q->device,
		.size = q->size,
		.packed = virtio_has(v, VIRTIO_F_RING_PACKED),
		.indirect = virtio_has(v, VIRTIO_RING_F_INDIRECT_DESC),
		.event_idx = virtio_has(v, VIRTIO_RING_F_EVENT_IDX),
	};
	ring_rewind(r);
	if (at) {
		r->avail = at->avail;
		r->used = at->used;
		r->avail_wrap = at->avail_wrap;
		r->used_wrap = at->used_wrap;
		r->recover = at->recover;
	}
	if (!ring_start(r) && v->nic.mem.bus_master && !at)
		virtio_fail(v, queue, r->fault);
	else
		virtio_kick(v, queue); /* buffers may be there already */
	if (!is_ctrl(v, queue) && queue & 1)
		v->nic.pollable |= BIT(queue / 2);
	if (at) {
		r->held = r->size; /* the saved state does not say whether an interrupt waited */
		v->sent_due_ns = nic_now(&v->nic) + SENT_WAIT_NS;
		arm(v);
	}
}

void virtio_enable_queue(struct virtio_net *v, unsigned queue)
{
	struct virtio_queue *q = &v->state.queue[queue];

	if (q->enable)
		return;
	q->enable = 1;
	if (virtio_running(v))
		virtio_start_queue(v, queue, NULL);
}

void virtio_disable_queue(struct virtio_net *v, unsigned queue)
{
	uint16_t size = v->state.queue[queue].size, vector = v->state.queue[queue].vector;
	bool modern = virtio_has(v, VIRTIO_F_VERSION_1);

	virtio_kernel_release(v);
	ring_stop(&v->ring[queue]);
	queue_defaults(v, queue);
	if (!modern) {
		v->state.queue[queue].size = size;
		v->state.queue[queue].vector = vector;
	}
}

void virtio_kick(struct virtio_net *v, unsigned queue)
{
	struct nic *nic = &v->nic;

	if (queue >= v->state.num_queues || !v->ring[queue].started || !virtio_running(v))
		return;
	if (queue < v->kernel_rings)
		virtio_kernel_kick(v, queue);
	else if (is_ctrl(v, queue))
		nic_kick(nic, VIRTIO_CTRL_KICK);
	else if (queue & 1)
		nic_kick(nic, queue / 2);
	else
		virtio_look_for_buffers(v, queue);
}

static void kick_all(struct virtio_net *v)
{
	for (unsigned i = 0; i < v->state.num_queues; i++)
		virtio_kick(v, i);
}

/* Is the memory of all rings back? */
static void look_for_lost(struct virtio_net *v)
{
	struct nic *nic = &v->nic;
	uint64_t since = v->lost_ns;

	v->lost_ns = v->lost_due_ns = 0;
	if (!since || !virtio_running(v) || !nic->mem.bus_master)
		return;
	for (unsigned i = 0; i < v->state.num_queues; i++)
		if (i >= v->kernel_rings && v->ring[i].started && !virtio_ring_usable(v, i)) {
			v->lost_ns = since;
			if (nic_now(nic) + 1 - since >= LOST_MAX_NS)
				virtio_fail(v, i, RING_UNREACHABLE);
			return;
		}
	kick_all(v);
}

void virtio_timer(struct nic *nic)
{
	struct virtio_net *v = virtio_of(nic);
	uint64_t now = nic_now(nic);

	if (v->sent_due_ns && now >= v->sent_due_ns) {
		if (nic->stopped)
			v->sent_due_ns = now + SENT_WAIT_NS; /* no ring may be looked at now */
		else if (virtio_running(v))
			flush_sent(v);
		else
			v->sent_due_ns = 0;
	}
	if (v->lost_due_ns && now >= v->lost_due_ns)
		look_for_lost(v);
	if (v->stop_due_ns && now >= v->stop_due_ns)
		v->transport->stopped(v, now);
	arm(v);
}

void virtio_watch_stop(struct virtio_net *v, uint64_t due_ns)
{
	v->stop_due_ns = due_ns;
	arm(v);
}

/* ------------------------------------------------------------------------------------------------ status */

uint64_t virtio_legacy_features(const struct virtio_net *v)
{
	return (v->offered & 0xffffffffu) | VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT);
}

static void reset_model(struct virtio_net *v)
{
	struct virtio_state *s = &v->state;
	struct nic *nic = &v->nic;

	virtio_kernel_release(v);
	memset(v->ring, 0, sizeof(v->ring));
	*s = (struct virtio_state){ 0 };
	v->transport->reset(v);
	s->pairs = 1;
	s->pairs_max = MAX(nic->spec.queues, 1);
	s->num_queues = (uint16_t)(2 * s->pairs_max + !v->transport->no_control);
	s->device_feature = (uint32_t)v->offered;
	s->net_status = nic->link_up ? VIRTIO_NET_S_LINK_UP : 0;
	s->mtu = nic->spec.mtu;
	s->speed = SPEED_MBIT;
	s->duplex = 1;
	memcpy(s->mac, nic->mac, MAC_LEN);
	for (unsigned i = 0; i < VIRTIO_QUEUES; i++)
		queue_defaults(v, i);
	virtio_filter_reset(&s->filter);
	virtio_window_load(v);
	virtio_set_offloads(v, 0);
	v->lost_ns = v->lost_due_ns = v->sent_due_ns = v->stop_due_ns = 0;
	nic_set_timer(nic, 0);
	nic->notes.runnable = 0;
	nic->pollable = 0;
	nic->notes.status_dirty = true;
}

void virtio_reset(struct nic *nic, enum reset_kind kind)
{
	(void)kind;
	reset_model(virtio_of(nic));
}

/* Settles the features. False: what the driver asked for does not fit together. */
static bool negotiate(struct virtio_net *v, bool legacy)
{
	struct virtio_state *s = &v->state;

	if (legacy) {
		/* this interface has no way to say no */
		s->features = virtio_mend_features(virtio_legacy_features(v), s->wanted);
	} else {
		int bad = virtio_bad_feature(v->offered, s->wanted);
		if (bad < 0 && !(s->wanted & VIRTIO_BIT(VIRTIO_F_VERSION_1)))
			bad = VIRTIO_F_VERSION_1; /* 6.1: needed for this interface */
		s->refused = (uint8_t)(bad + 1);
		if (bad >= 0)
			return false;
		s->features = s->wanted;
	}
	virtio_set_offloads(v, virtio_guest_offloads(v));
	return true;
}

static void driver_ok(struct virtio_net *v)
{
	for (unsigned i = 0; i < v->state.num_queues; i++)
		if (v->state.queue[i].enable)
			virtio_start_queue(v, i, NULL);
}

void virtio_set_status(struct virtio_net *v, uint8_t value, bool legacy)
{
	struct virtio_state *s = &v->state;
	uint8_t old = s->status;

	if (value == 0) {
		reset_model(v);
		v->nic.status.resets++;
		return;
	}
	value = (uint8_t)((value & ~VIRTIO_CONFIG_S_NEEDS_RESET) |
			  (old & VIRTIO_CONFIG_S_NEEDS_RESET));
	bool settled = old & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	/* a driver that never asks with FEATURES_OK says DRIVER_OK all the same: legacy ones do */
	if (!settled && (value & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK)) &&
	    !negotiate(v, legacy))
		value &= (uint8_t) ~(VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK);
	s->status = value;
	v->nic.notes.status_dirty = true;
	if ((value & ~old & VIRTIO_CONFIG_S_DRIVER_OK) && !s->fault)
		driver_ok(v);
}

void virtio_link_changed(struct nic *nic)
{
	struct virtio_net *v = virtio_of(nic);
	uint16_t status = v->state.net_status;

	status = (uint16_t)(nic->link_up ? status | VIRTIO_NET_S_LINK_UP
					 : status & ~VIRTIO_NET_S_LINK_UP);
	v->state.net_status = status;
	virtio_config_changed(v);
}

bool virtio_net_announce(struct nic *nic)
{
	struct virtio_net *v = virtio_of(nic);

	if (!virtio_running(v) || !virtio_has(v, VIRTIO_NET_F_GUEST_ANNOUNCE))
		return false;
	v->state.net_status |= VIRTIO_NET_S_ANNOUNCE;
	virtio_config_changed(v);
	return true;
}

/* ------------------------------------------------------------------------------------------------ the model */

int virtio_init(struct virtio_net *v, const struct nic_spec *spec, struct error *err)
{
	if (spec->queues > VIRTIO_PAIRS)
		return error_set(err, -ERANGE, "virtio-net has 1 to %u queue pairs; use queues=%u",
				 VIRTIO_PAIRS, VIRTIO_PAIRS);
	if (spec->mtu && spec->mtu < 68)
		return error_set(err, -ERANGE,
				 "virtio-net needs an mtu of 68 to 65535; use mtu=1500");
	v->spill = malloc(VIRTIO_HEADER + FRAME_MAX);
	if (!v->spill)
		return error_set(err, -ENOMEM, "%s: out of memory", spec->id);
	v->offered = virtio_offered(spec);
	return 0;
}

void virtio_finish(struct nic *nic)
{
	virtio_kernel_finish(virtio_of(nic));
	free(virtio_of(nic)->spill);
	virtio_of(nic)->spill = NULL;
}

bool virtio_transmit(struct nic *nic, unsigned queue)
{
	struct virtio_net *v = virtio_of(nic);

	if (nic->stopped)
		return true; /* what waits is for later */
	if (!virtio_running(v))
		return false;
	if (queue == VIRTIO_CTRL_KICK)
		return virtio_control(v);
	if (v->unseen & BIT(queue)) {
		v->unseen &= ~BIT(queue);
		virtio_kick(v, 2 * queue);
	}
	return queue < v->state.pairs_max && 2 * queue >= v->kernel_rings &&
	       virtio_transmit_pair(v, queue);
}
