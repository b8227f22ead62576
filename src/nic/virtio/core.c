/* core.c - the virtio network card without registers: core.h says who drives it.
 *
 * The device underneath believes that a driver has set DRIVER_OK as soon as the first ring runs: no message says so in every
 * version of the protocol, and a client starts rings for no other reason. What the driver itself wrote, where a client tells,
 * is kept beside it for the driver status.
 */
#include "nic/virtio/core.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "nic/virtio/virtio_net.h"

#define SETTLED (VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FEATURES_OK)
#define WRAP	0x8000u
/* Between a client's stop of the rings and its start of them, if the driver is still there. */
#define STOP_GRACE_NS (100 * NS_PER_MS)

_Static_assert(VIRTIO_CORE_RINGS_MAX == 2 * VIRTIO_PAIRS, "room for all rings");

struct virtio_core {
	struct virtio_net net;
	int call[VIRTIO_QUEUES], err[VIRTIO_QUEUES]; /* eventfds; -1 = none */
	uint32_t pending; /* rings whose interrupt found no eventfd: bit = ring */
	bool connected;
	bool features_set; /* by this driver */
	bool tells_resets;
	bool asked; /* whether the client will start its rings again */
	uint16_t
		held; /* receive buffers of a driver that was ready when the client stopped its rings; 0 = no such driver */
	bool status_known;     /* this client tells the driver's device status ... */
	uint8_t driver_status; /* ... and this is it */
};

static struct virtio_core *core_of(struct nic *nic)
{
	return (struct virtio_core *)nic;
}

static const struct virtio_core *const_core_of(const struct nic *nic)
{
	return (const struct virtio_core *)nic;
}

/* ------------------------------------------------------------------------------------------------ transport */

static bool signal_fd(int fd)
{
	uint64_t one = 1;

	/* EAGAIN: so many signals wait that the driver will come anyway */
	return write(fd, &one, sizeof(one)) == sizeof(one);
}

static void interrupt(struct virtio_net *v, unsigned queue)
{
	struct virtio_core *c = (struct virtio_core *)v;

	if (c->call[queue] < 0)
		c->pending |= BIT(queue);
	else
		v->nic.pci.interrupts += signal_fd(c->call[queue]);
}

/* Link and address are the other side's to show; what it can hear of is that a ring is broken. */
static void config_interrupt(struct virtio_net *v)
{
	struct virtio_core *c = (struct virtio_core *)v;

	if (v->state.fault && c->err[v->state.fault_queue] >= 0)
		signal_fd(c->err[v->state.fault_queue]);
}

static void reset_transport(struct virtio_net *v)
{
	struct virtio_core *c = (struct virtio_core *)v;

	c->pending = 0;
	c->features_set = false;
	c->driver_status = 0;
	c->held = 0;
	/* no register gates this card's memory */
	mem_set_bus_master(&v->nic.mem, true);
}

/* A driver that was ready before its rings stopped counts as ready until they run as before: started, enabled, buffers seen.
 * In between the client sends one message at a time, and the word that the guest runs comes by another way. */
static bool holds(const struct virtio_core *c)
{
	const struct virtio_net *v = &c->net;

	return c->held && !(v->ring[0].started && !(v->disabled & 1) && v->state.rx_given);
}

/* Of a client that does not tell resets, whose rings stopped and did not start again. While the link is down or the guest stopped
 * they could not; the timer stood still with the guest, so who comes late waits once more. */
static void stopped(struct virtio_net *v, uint64_t now)
{
	struct virtio_core *c = (struct virtio_core *)v;
	bool late = now - v->stop_due_ns > STOP_GRACE_NS;

	if (c->held && (!v->nic.link_up || v->nic.stopped || late)) {
		v->stop_due_ns = now + STOP_GRACE_NS;
		return;
	}
	v->stop_due_ns = 0;
	/* how long a client takes, and how late the word is that the guest was stopped, is the machine's affair */
	c->asked = holds(c);
	v->nic.status.asks |= c->asked;
	if (!c->asked)
		c->held = 0;
}

static const struct virtio_transport transport = {
	.interrupt = interrupt,
	.config_interrupt = config_interrupt,
	.reset = reset_transport,
	.stopped = stopped,
	.no_control = true,
};

/* ------------------------------------------------------------------------------------------------ for the server */

unsigned virtio_core_rings(const struct nic *nic)
{
	return 2u * const_core_of(nic)->net.state.pairs_max;
}

uint64_t virtio_core_offered(const struct nic *nic)
{
	return const_core_of(nic)->net.offered;
}

void virtio_core_connect(struct nic *nic, bool connected)
{
	struct virtio_core *c = core_of(nic);

	for (unsigned i = 0; i < VIRTIO_QUEUES; i++) {
		fd_close(&c->call[i]);
		fd_close(&c->err[i]);
	}
	c->connected = connected;
	c->status_known = c->tells_resets = false;
	nic_reset(nic, RESET_POWER_ON);
	c->net.disabled = UINT32_MAX;
	c->net.discard = 0;
}

static bool any_started(const struct virtio_net *v)
{
	for (unsigned i = 0; i < v->state.num_queues; i++)
		if (v->ring[i].started)
			return true;
	return false;
}

int virtio_core_set_features(struct nic *nic, uint64_t features)
{
	struct virtio_net *v = virtio_of(nic);
	struct virtio_core *c = core_of(nic);

	/* what depends on what was settled between the driver and whoever offered it this device */
	if (features & ~v->offered)
		return -EINVAL;
	if (any_started(v))
		return features == v->state.features ? 0 : -EBUSY;
	v->state.wanted = v->state.features = features;
	virtio_set_offloads(v, virtio_guest_offloads(v));
	c->features_set = true;
	nic->notes.status_dirty = true;
	return 0;
}

void virtio_core_tells_resets(struct nic *nic, bool tells)
{
	core_of(nic)->tells_resets = tells;
}

void virtio_core_settled(struct nic *nic)
{
	struct virtio_core *c = core_of(nic);

	if (!c->asked)
		return;
	c->asked = false;
	if (!nic->link_up || nic->stopped) {
		virtio_watch_stop(&c->net, nic_now(nic) + STOP_GRACE_NS);
		return;
	}
	c->held = 0;
	nic->notes.status_dirty = true;
}

void virtio_core_reset(struct nic *nic)
{
	struct virtio_filter filter = virtio_of(nic)->state.filter;

	nic->ops->reset(nic, RESET_PCI);
	virtio_of(nic)->disabled = UINT32_MAX;
	virtio_of(nic)->discard = 0;
	virtio_of(nic)->state.filter = filter;
	nic->status.resets++;
}

void virtio_core_set_status(struct nic *nic, uint8_t status)
{
	struct virtio_core *c = core_of(nic);

	c->status_known = true;
	c->driver_status = status;
	nic->notes.status_dirty = true;
}

uint8_t virtio_core_status(const struct nic *nic)
{
	const struct virtio_core *c = const_core_of(nic);

	return (uint8_t)(c->driver_status | (c->net.state.fault ? VIRTIO_CONFIG_S_NEEDS_RESET : 0));
}

/* ------------------------------------------------------------------------------------------------ rings */

/* Pairs in use are those from the first on whose receive ring gets frames. */
static void count_pairs(struct virtio_net *v)
{
	uint16_t n = 0;

	while (n < v->state.pairs_max && v->ring[(size_t)2 * n].started &&
	       !(v->disabled & BIT(2 * n)))
		n++;
	v->state.pairs = (uint16_t)MAX(n, 1);
	v->nic.notes.rx_ready = true;
}

static void set_place(struct ring *r, uint32_t base)
{
	r->avail = (uint16_t)(r->packed ? base & ~WRAP : base);
	r->used = (uint16_t)(r->packed ? base >> 16 & ~WRAP : base);
	r->avail_wrap = base & WRAP;
	r->used_wrap = base & WRAP << 16;
}

static uint32_t place_of(const struct ring *r)
{
	if (!r->packed)
		return r->avail;
	return r->avail | (r->avail_wrap ? WRAP : 0) |
	       (uint32_t)(r->used | (r->used_wrap ? WRAP : 0)) << 16;
}

static int set_ring(struct virtio_net *v, unsigned ring, const struct virtio_core_ring *at)
{
	struct virtio_queue *q = &v->state.queue[ring];

	if (at->size == 0 || at->size > RING_SIZE_MAX)
		return -EINVAL;
	q->desc = at->desc;
	q->driver = at->driver;
	q->device = at->device;
	q->size = (uint16_t)at->size;
	return 0;
}

int virtio_core_start_ring(struct nic *nic, unsigned ring, const struct virtio_core_ring *at)
{
	struct virtio_net *v = virtio_of(nic);
	struct ring place = { .packed = virtio_has(v, VIRTIO_F_RING_PACKED), .recover = true };

	if (set_ring(v, ring, at) < 0)
		return -EINVAL;
	set_place(&place, at->base);
	v->state.queue[ring].enable = 1;
	v->state.status = SETTLED | VIRTIO_CONFIG_S_DRIVER_OK;
	/* the one that served this ring before may have died: what it showed the driver counts, not what it told */
	virtio_start_queue(v, ring, &place);
	count_pairs(v);
	interrupt(v, ring); /* it may also have died between showing and telling */
	nic->notes.status_dirty = true;
	return v->ring[ring].fault > RING_UNREACHABLE ? -EINVAL : 0;
}

void virtio_core_move_ring(struct nic *nic, unsigned ring, const struct virtio_core_ring *at)
{
	struct virtio_net *v = virtio_of(nic);
	struct ring *r = &v->ring[ring];

	if (set_ring(v, ring, at) < 0)
		return;
	r->desc = at->desc;
	r->driver = at->driver;
	r->device = at->device;
	r->desc_at = NULL; /* mapped again at the next use */
	virtio_kick(v, ring);
}

uint32_t virtio_core_stop_ring(struct nic *nic, unsigned ring)
{
	struct virtio_net *v = virtio_of(nic);
	struct virtio_core *c = core_of(nic);
	uint32_t place = place_of(&v->ring[ring]);

	ring_stop(&v->ring[ring]);
	v->state.queue[ring].enable = 0;
	if (ring == 0) {
		/* started and stopped again before it was looked at: the same driver */
		if (v->state.rx_given)
			c->held = v->state.rx_given;
		v->state.rx_given = 0;
		if (c->held && !c->tells_resets)
			virtio_watch_stop(v, nic_now(nic) + STOP_GRACE_NS);
	}
	if (!any_started(v)) {
		v->state.status = SETTLED;
		v->state.fault = 0;
	}
	count_pairs(v);
	nic->notes.status_dirty = true;
	return place;
}

bool virtio_core_started(const struct nic *nic, unsigned ring)
{
	return const_core_of(nic)->net.ring[ring].started;
}

void virtio_core_enable_ring(struct nic *nic, unsigned ring, bool on)
{
	struct virtio_net *v = virtio_of(nic);

	/* off while it runs is the driver's wish, not the end of a pause */
	if (ring == 0 && !on && !holds(core_of(nic)))
		core_of(nic)->held = 0;
	v->disabled = on ? v->disabled & ~BIT(ring) : v->disabled | BIT(ring);
	/* one that was never on is about to be: its frames would be the first of a driver that goes on after our restart */
	v->discard = on ? v->discard & ~BIT(ring) : v->discard | BIT(ring);
	count_pairs(v);
	virtio_kick(v, ring);
	nic->notes.status_dirty = true;
}

void virtio_core_set_call(struct nic *nic, unsigned ring, int fd)
{
	struct virtio_core *c = core_of(nic);

	fd_close(&c->call[ring]);
	c->call[ring] = fd;
	if (fd < 0)
		return;
	/* also when none is pending: what went to the descriptor before may be seen by nobody (QEMU begins with one of its own,
	 * and gives the guest's only after the ring has started) */
	if ((c->pending & BIT(ring)) || c->net.ring[ring].started)
		interrupt(&c->net, ring);
	c->pending &= ~BIT(ring);
}

void virtio_core_set_err(struct nic *nic, unsigned ring, int fd)
{
	struct virtio_core *c = core_of(nic);

	fd_close(&c->err[ring]);
	c->err[ring] = fd;
}

void virtio_core_kick(struct nic *nic, unsigned ring)
{
	virtio_kick(virtio_of(nic), ring);
}

void virtio_core_announce(struct nic *nic, const uint8_t mac[MAC_LEN])
{
	frame_set_rarp(&nic->batch[0], mac);
	(void)nic_send(nic, &nic->batch[0],
		       1); /* one that the backend does not take now is lost, as on a wire */
}

/* ------------------------------------------------------------------------------------------------ driver status */

/* Features tell firmware from systems; whoever serves its own driver (DPDK) takes as many as a system. */
static enum driver_phase phase_of(const struct virtio_core *c)
{
	if (!c->features_set)
		return PHASE_UNKNOWN;
	return virtio_firmware_like(c->net.state.features) ? PHASE_FIRMWARE : PHASE_OS;
}

static void judge_running(const struct virtio_core *c, struct driver_report *out)
{
	const struct virtio_state *s = &c->net.state;
	enum driver_phase phase = phase_of(c);
	const char *says = c->status_known ? "DRIVER_OK" : "rings started";
	char features[72];

	if (!c->net.ring[0].started || (c->net.disabled & 1)) {
		report_set(out, DRIVER_INITIALIZING, phase, "%s, receive ring 0 is %s", says,
			   c->net.ring[0].started ? "not enabled" : "not started");
	} else if (!s->rx_given) {
		report_set(out, DRIVER_INITIALIZING, phase,
			   "%s, no receive buffers yet: interface not brought up", says);
	} else {
		virtio_list_features(s, features, sizeof(features));
		report_set(out, DRIVER_READY, phase,
			   "%s, %u receive buffer%s, vhost-user, features %s", says, s->rx_given,
			   s->rx_given == 1 ? "" : "s", features[0] ? features : "basic");
	}
}

static void judge(const struct nic *nic, struct driver_report *out)
{
	const struct virtio_core *c = const_core_of(nic);
	uint8_t status = c->driver_status;

	if (!c->connected)
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN, "no vhost-user client is connected");
	else if (c->net.state.fault)
		report_set(out, DRIVER_FAILED, phase_of(c), "ring %u: %s; the device needs a reset",
			   c->net.state.fault_queue, virtio_fault_name(c->net.state.fault));
	else if (c->status_known && (status & VIRTIO_CONFIG_S_FAILED))
		report_set(out, DRIVER_FAILED, phase_of(c),
			   "the driver gave up: device status 0x%02x (FAILED)", status);
	else if (holds(c))
		report_set(out, DRIVER_READY, phase_of(c),
			   "%u receive buffers until the VMM stopped the rings (guest stopped, or "
			   "link down)%s",
			   c->held, c->tells_resets ? "; no reset since" : "");
	else if (any_started(&c->net))
		judge_running(c, out);
	else if (c->features_set && (!c->status_known || status & ~VIRTIO_CONFIG_S_ACKNOWLEDGE))
		report_set(out, DRIVER_INITIALIZING, phase_of(c),
			   "features are settled, no ring runs%s",
			   c->status_known ? "" : " (or the guest is stopped)");
	else
		report_set(out, DRIVER_NONE, PHASE_UNKNOWN, "client connected, no driver runs%s",
			   nic->status.resets ? ": reset by the driver" : "");
}

/* ------------------------------------------------------------------------------------------------ saved state */

enum save_tag { TAG_FILTER = 1, TAG_COUNTERS };

int virtio_core_save(const struct nic *nic, struct buffer *out)
{
	const struct nic_counters *n = &nic->counters;
	const uint64_t plain[] = { n->tx_frames, n->tx_bytes, n->rx_frames, n->rx_bytes,
				   n->bad_access };

	size_t s = buffer_section_begin(out, TAG_FILTER);
	buffer_put(out, const_core_of(nic)->net.state.mac, MAC_LEN);
	virtio_save_filter(&const_core_of(nic)->net.state.filter, out);
	buffer_section_end(out, s);
	s = buffer_section_begin(out, TAG_COUNTERS);
	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
		buffer_put_u64(out, plain[i]);
	buffer_put_u32(out, DROP_REASON_COUNT);
	for (unsigned i = 0; i < DROP_REASON_COUNT; i++)
		buffer_put_u64(out, n->drop[i]);
	buffer_section_end(out, s);
	return out->failed ? -ENOMEM : 0;
}

/* Counts of reasons that this version does not know are passed over. */
static bool load_counters(struct nic_counters *n, struct reader *in)
{
	uint64_t *const plain[] = { &n->tx_frames, &n->tx_bytes, &n->rx_frames, &n->rx_bytes,
				    &n->bad_access };

	for (unsigned i = 0; i < ARRAY_SIZE(plain); i++)
		*plain[i] = reader_u64(in);
	uint32_t drops = reader_u32(in);
	for (uint32_t i = 0; i < drops && !in->failed; i++) {
		uint64_t count = reader_u64(in);
		if (i < DROP_REASON_COUNT)
			n->drop[i] = count;
	}
	return !in->failed;
}

int virtio_core_load(struct nic *nic, const void *data, size_t len, struct error *err)
{
	struct virtio_net *v = virtio_of(nic);
	struct reader r = reader_of(data, len), body;
	struct virtio_filter filter = { 0 };
	struct nic_counters counters = { 0 };
	uint8_t mac[MAC_LEN];
	uint32_t tag, seen = 0;

	while (reader_section(&r, &tag, &body)) {
		bool fine = tag == ++seen;
		if (fine && tag == TAG_FILTER)
			fine = reader_get(&body, mac, MAC_LEN) &&
			       virtio_load_filter(&filter, &body);
		else if (fine && tag == TAG_COUNTERS)
			fine = load_counters(&counters, &body);
		if (!fine || body.failed || tag > TAG_COUNTERS)
			return error_set(err, -EINVAL, "virtio-net: section %u does not fit", tag);
	}
	if (r.failed || seen != TAG_COUNTERS)
		return error_set(err, -EINVAL, "virtio-net: the saved state is cut short");
	memcpy(v->state.mac, mac, MAC_LEN);
	v->state.filter = filter;
	nic->counters = counters;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ the model */

static int init(struct nic *nic, const struct nic_spec *spec, struct error *err)
{
	struct virtio_core *c = core_of(nic);

	for (unsigned i = 0; i < VIRTIO_QUEUES; i++)
		c->call[i] = c->err[i] = -1;
	int rc = virtio_init(&c->net, spec, err);
	c->net.transport = &transport;
	c->net.disabled = UINT32_MAX;
	c->net.offered = virtio_core_features(c->net.offered);
	return rc;
}

static void finish(struct nic *nic)
{
	struct virtio_core *c = core_of(nic);

	for (unsigned i = 0; c->net.transport && i < VIRTIO_QUEUES; i++) {
		fd_close(&c->call[i]);
		fd_close(&c->err[i]);
	}
	virtio_finish(nic);
}

/* The rings start in a moment, now that they can. */
static void link_changed(struct nic *nic)
{
	struct virtio_net *v = virtio_of(nic);

	virtio_link_changed(nic);
	if (v->stop_due_ns)
		virtio_watch_stop(v, nic_now(nic) + STOP_GRACE_NS);
}

static struct reg_space *const no_spaces[] = { NULL };

const struct nic_ops virtio_core_ops = {
	.name = "virtio-net",
	.summary = "virtio-net behind somebody else's registers",
	.size = sizeof(struct virtio_core),
	.performant = true,
	.express = true,
	.queues_max = VIRTIO_PAIRS,
	.mtu_max = 65535,
	.packed = true,
	.spaces = no_spaces,
	.init = init,
	.finish = finish,
	.reset = virtio_reset,
	.transmit = virtio_transmit,
	.receive = virtio_receive,
	.link_changed = link_changed,
	.timer = virtio_timer,
	.judge = judge,
	.save = virtio_core_save,
	.load = virtio_core_load,
};
