#include "port/port.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "net/coalesce.h"

#define FRAME_ROOM   ((size_t)69632) /* FRAME_MAX rounded up to pages */
#define SCRATCH_ROOM (SCRATCH_SEGMENTS * FRAME_ROOM)
#define DRAIN_NS     (20 * NS_PER_MS) /* what a switch waits for posted frames, whatever they are */

static void *map_room(size_t size)
{
	/* pages that are never used cost nothing: an idle port stays small */
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_NOHUGEPAGE);
	return p;
}

int port_scratch_init(struct port_scratch *s)
{
	s->room = map_room(SCRATCH_ROOM);
	s->frame = map_room(SCRATCH_SEGMENTS * sizeof(struct frame));
	if (s->room && s->frame)
		return 0;
	port_scratch_finish(s);
	return -ENOMEM;
}

void port_scratch_finish(struct port_scratch *s)
{
	if (s->room)
		munmap(s->room, SCRATCH_ROOM);
	if (s->frame)
		munmap(s->frame, SCRATCH_SEGMENTS * sizeof(struct frame));
	*s = (struct port_scratch){ 0 };
}

static void drop_frames(struct port *p, enum drop_reason reason, unsigned n)
{
	p->counters.drop[reason] += n;
}

static struct nic *active_nic(const struct port *p)
{
	return p->active >= 0 ? p->nic[p->active] : NULL;
}

/* Where the guest reads, by what control says. */
static struct nic *receiver(const struct port *p)
{
	return p->receive >= 0 ? p->nic[p->receive] : NULL;
}

/* A guest that pairs reads its transient card as long as it has a driver for it, also while that driver starts anew: what comes in the
 * meantime waits, until control moves the port on, or the guest itself says where it reads now (ask.h). Of a card on QEMU's side
 * nothing is known here.
 */
bool port_receiver_starts(const struct port *p)
{
	const struct nic *nic = receiver(p);

	return nic && p->spec.policy == POLICY_TEAM && nic->spec.role == ROLE_TRANSIENT &&
	       nic->spec.netdev == NETDEV_NONE && nic->status.now.state != DRIVER_READY;
}

/* --- guest -> wire --- */

/* Sends what the frame becomes, from number *done on. True when all went out (or can never go), false when the backend or the
 * turn has no room; *done moves on. */
static bool send_from(struct port *p, struct offload_walk *walk, const struct frame *f,
		      unsigned *done)
{
	struct backend *b = p->backend;

	if (offload_walk_begin(walk, f, b->ops->offloads(b), p->scratch->room, SCRATCH_ROOM) < 0) {
		drop_frames(p, DROP_BAD_OFFLOAD, 1);
		return true;
	}
	offload_walk_skip(walk, *done);
	while (p->tx_budget) {
		unsigned n = offload_walk_fill(walk, p->scratch->frame,
					       MIN(SCRATCH_SEGMENTS, p->tx_budget));
		if (!n)
			return true;
		unsigned taken = b->ops->send(b, p->scratch->frame, n);
		*done += taken;
		p->tx_budget -= taken;
		if (taken < n)
			return false;
	}
	return walk->work == OFFLOAD_DONE;
}

/* A frame that went out in part is ours from now on: the guest may reset its ring, or another queue may be the next. */
static void keep_rest(struct port *p, const struct offload_walk *walk, const struct frame *f,
		      unsigned done)
{
	struct frame *rest = p->tx_rest;
	uint8_t *room = p->rx_room + (PORT_RX_BATCH + 1) * FRAME_ROOM;

	frame_set_linear(rest, room, frame_copy_out(f, 0, room, f->length));
	rest->hdr = f->hdr;
	rest->queue = f->queue;
	memcpy(room, walk->head, walk->headers); /* those that were checked */
	p->tx_rest_done = done;
}

/* True when the frame is taken. */
static bool send_segments(struct port *p, const struct frame *f)
{
	struct offload_walk walk;
	unsigned done = 0;

	if (send_from(p, &walk, f, &done))
		return true;
	if (done)
		keep_rest(p, &walk, f, done);
	return done > 0;
}

/* True when nothing of an earlier frame is left. */
static bool flush_rest(struct port *p)
{
	struct offload_walk walk;

	if (!p->tx_rest_done)
		return true;
	if (!send_from(p, &walk, p->tx_rest, &p->tx_rest_done))
		return false;
	p->tx_rest_done = 0;
	return true;
}

/* Frames before the first one that the backend cannot take as it is. */
static unsigned plain_run(const struct frame *frames, unsigned n, uint32_t offloads)
{
	unsigned i = 0;

	while (i < n && !(frame_needs(&frames[i]) & ~offloads))
		i++;
	return i;
}

/* As plain_run, but ends where frames begin that go out as one: how many is in *joined, that one in the scratch room. */
static unsigned separate_run(struct port *p, const struct frame *frames, unsigned n,
			     uint32_t offloads, unsigned *joined)
{
	unsigned run = plain_run(frames, n, offloads);

	for (unsigned i = 0; i < run; i++) {
		*joined = coalesce(frames + i, run - i, offloads, p->scratch->frame);
		if (*joined)
			return i;
	}
	return run;
}

/* Sends frames as they are and then joined ones, or one frame as segments. False when the backend took less. */
static bool send_some(struct port *p, const struct frame *frames, unsigned n, uint32_t offloads,
		      unsigned *done)
{
	struct backend *b = p->backend;
	unsigned joined = 0;
	unsigned run = separate_run(p, frames, n, offloads, &joined);

	if (!run && !joined) {
		bool went = send_segments(p, frames);
		*done += went;
		return went;
	}
	unsigned taken = run ? b->ops->send(b, frames, run) : 0;
	*done += taken;
	if (taken < run || (joined && b->ops->send(b, p->scratch->frame, 1) == 0))
		return false;
	*done += joined;
	return true;
}

static unsigned send_frames(struct port *p, struct frame *frames, unsigned n)
{
	uint32_t offloads = p->backend->ops->offloads(p->backend);
	unsigned done = 0;

	while (done < n && flush_rest(p) && send_some(p, frames + done, n - done, offloads, &done))
		continue;
	/* only port_unblock takes it back: this queue waits, however well the next one does */
	p->tx_blocked |= done < n || p->tx_rest_done;
	for (unsigned i = 0; i < done; i++)
		p->counters.tx_bytes += frames[i].length;
	p->counters.tx_frames += done;
	return done;
}

/* Those between frames that are for us. */
static unsigned send_team(struct port *p, struct nic *nic, struct frame *frames, unsigned n)
{
	unsigned begin = 0;

	for (unsigned i = 0; i <= n; i++) {
		if (i < n && !port_ask_takes(p, nic, &frames[i]))
			continue;
		begin += send_frames(p, frames + begin, i - begin);
		if (begin < i)
			return begin;
		begin = i + 1;
	}
	return n;
}

static unsigned port_send(struct nic_sink *sink, struct nic *nic, struct frame *frames, unsigned n)
{
	struct port *p = (struct port *)sink;

	/* the guest chooses the card of a team that it sends on, and may do so before it sees the link go */
	if (p->spec.policy == POLICY_TEAM)
		return send_team(p, nic, frames, n);
	if (!nic->link_up) {
		drop_frames(p, DROP_LINK_DOWN, n);
		return n;
	}
	if (nic != active_nic(p)) {
		drop_frames(p, DROP_INACTIVE, n);
		return n;
	}
	return send_frames(p, frames, n);
}

void port_announce(struct port *p)
{
	struct frame f;

	if (!active_nic(p))
		return;
	frame_set_rarp(&f, p->spec.mac);
	(void)send_frames(p, &f, 1);
}

static bool turn_over(const struct port *p, const struct nic *nic, uint64_t begin)
{
	return p->tx_budget == 0 || nic->walked - begin >= PORT_TURN_BYTES;
}

/* The first of `queues` from number q on; there is one. */
static unsigned first_from(uint32_t queues, unsigned q)
{
	uint32_t turned = queues >> q | queues << (-q & 31);

	return (q + (unsigned)__builtin_ctz(turned)) % 32;
}

/* The queues behind the one that ended a turn come first in the next one. */
static bool transmit_nic(struct port *p, unsigned index)
{
	struct nic *nic = p->nic[index];
	uint32_t left = nic->notes.runnable;
	uint64_t begin = nic->walked;
	unsigned q = p->tx_first[index];
	bool more = false;

	nic->notes.runnable = 0;
	while (left && !turn_over(p, nic, begin)) {
		unsigned queue = first_from(left, q);
		left &= ~(1u << queue);
		q = (queue + 1) % 32;
		if (!nic->ops->transmit(nic, queue))
			continue;
		/* while the backend is blocked the ring stays as it is; port_unblock makes it runnable */
		if (!p->tx_blocked) {
			nic_kick(nic, queue);
			more = true;
		}
	}
	p->tx_first[index] = (uint8_t)q;
	if (!p->tx_blocked)
		nic->notes.runnable |= left;
	return more || nic->notes.runnable;
}

bool port_transmit(struct port *p)
{
	bool more = false;

	if (p->stopped)
		return false;
	p->tx_budget = PORT_TURN_SEGMENTS;
	if (!flush_rest(p)) {
		p->tx_blocked = true;
		for (unsigned i = 0; i < p->nics; i++)
			p->nic[i]->notes.runnable =
				0; /* or the worker would look for work without end */
		return false;
	}
	for (unsigned i = 0; i < p->nics; i++)
		if (p->nic[i]->notes.runnable)
			more |= transmit_nic(p, i);
	return more;
}

static void kick_all(struct nic *nic)
{
	nic->notes.runnable = UINT32_MAX;
}

void port_unblock(struct port *p)
{
	p->tx_blocked = false;
	for (unsigned i = 0; i < p->nics; i++)
		kick_all(p->nic[i]);
}

/* --- wire -> guest --- */

static bool segments_wait(const struct port *p)
{
	return p->rx_segment_at < p->rx_segment_count;
}

static void forget_segments(struct port *p)
{
	p->rx_walking = false;
	p->rx_segment_at = p->rx_segment_count = 0;
}

/* Hands on the segments of rx[rx_at], as many at once as there is room for. True when the frame is done. */
static bool deliver_segments(struct port *p, struct nic *nic)
{
	const struct frame *f = &p->rx[p->rx_at];

	if (!p->rx_walking) {
		/* all in software: whatever NIC becomes active meanwhile can take the rest */
		if (offload_walk_begin(&p->rx_walk, f, 0, p->rx_room, FRAME_ROOM) < 0) {
			drop_frames(p, DROP_BAD_OFFLOAD, 1);
			return true;
		}
		p->rx_walking = true;
	}
	for (;;) {
		if (!segments_wait(p)) {
			p->rx_paused = p->rx_budget == 0;
			if (p->rx_paused)
				return false;
			p->rx_segment_at = 0;
			p->rx_segment_count = offload_walk_fill(
				&p->rx_walk, p->rx_segment, MIN(PORT_RX_SEGMENTS, p->rx_budget));
			if (!p->rx_segment_count)
				break;
			p->rx_budget -= p->rx_segment_count;
		}
		p->rx_segment_at += nic->ops->receive(nic, p->rx_segment + p->rx_segment_at,
						      p->rx_segment_count - p->rx_segment_at);
		if (segments_wait(p))
			return false;
	}
	forget_segments(p);
	return true;
}

static bool deliver_to(struct port *p, struct nic *nic)
{
	while (port_rx_waits(p)) {
		unsigned left = p->rx_count - p->rx_at;
		unsigned run =
			p->rx_walking ? 0 : plain_run(&p->rx[p->rx_at], left, nic->rx_offloads);
		if (run) {
			unsigned taken = nic->ops->receive(nic, &p->rx[p->rx_at], run);
			p->rx_at += taken;
			if (taken < run)
				return false;
		} else if (deliver_segments(p, nic)) {
			p->rx_at++;
		} else {
			return false;
		}
	}
	return true;
}

bool port_deliver(struct port *p)
{
	struct nic *nic = receiver(p);

	p->rx_paused = false;
	if (p->stopped)
		return false;
	if (port_receiver_starts(p)) {
		nic = port_ask_answered(p);
		if (!nic)
			return false;
	}
	p->rx_budget = PORT_TURN_SEGMENTS;
	if (!nic) {
		drop_frames(p, DROP_NO_ACTIVE_NIC, p->rx_count - p->rx_at);
		p->rx_at = p->rx_count;
		forget_segments(p);
		return true;
	}
	return deliver_to(p, nic);
}

/* Where frame i begins in its room: each at another place of its page, or all of a batch would want the same few lines of the
 * cache, where addresses a multiple of 4096 apart go. */
#define RX_STEP	 128u
#define RX_STEPS 32u /* a page */
#define RX_AT(i) (BACKEND_FRONT + RX_STEP * ((size_t)(i) % RX_STEPS))
_Static_assert(RX_AT(RX_STEPS - 1) + FRAME_MAX <= FRAME_ROOM, "a frame fits behind its step");

/* Done before each batch, so that the pages of an idle port are never touched. */
static void lay_out_rx(struct port *p)
{
	for (unsigned i = 0; i < PORT_RX_BATCH; i++) {
		p->rx[i].iovs = 1;
		p->rx[i].iov[0] =
			(struct iovec){ .iov_base = p->rx_room + (i + 1) * (size_t)FRAME_ROOM +
						    RX_AT(i),
					.iov_len = FRAME_MAX };
	}
}

/* A checksum that the driver does not take half done is made where the frame lies: the room is ours. */
static void mend_checksums(struct port *p)
{
	const struct nic *nic = receiver(p);

	if (!nic || (nic->rx_offloads & FRAME_CSUM))
		return;
	for (unsigned i = 0; i < p->rx_count; i++)
		if (frame_needs(&p->rx[i]) == FRAME_CSUM)
			frame_make_checksum(&p->rx[i]);
}

bool port_receive(struct port *p, unsigned queue)
{
	if (p->stopped)
		return false;
	if (port_rx_waits(p) && !port_deliver(p))
		return p->rx_paused;
	if (p->backend->lent)
		return false;
	if (!p->backend->ops->own_frames)
		lay_out_rx(p);
	p->rx_at = 0;
	p->rx_count = p->backend->ops->receive(p->backend, queue, p->rx, PORT_RX_BATCH);
	port_ask_learn(p);
	mend_checksums(p);
	for (unsigned i = 0; i < p->rx_count; i++)
		p->counters.rx_bytes += p->rx[i].length;
	p->counters.rx_frames += p->rx_count;
	bool full = p->rx_count == PORT_RX_BATCH;
	return port_deliver(p) ? full : p->rx_paused;
}

/* --- links --- */

/* All that a queue has posted, in turns. */
static void drain_queue(struct port *p, struct nic *nic, unsigned queue, uint64_t end)
{
	bool more;

	do {
		p->tx_budget = PORT_TURN_SEGMENTS;
		more = flush_rest(p) && nic->ops->transmit(nic, queue);
		more |= p->tx_budget == 0;
	} while (more && !p->backend->blocked && monotonic_ns() < end);
	p->tx_blocked |= p->tx_rest_done > 0;
}

/* What the guest posted on the NIC before its link goes down still goes out; a guest that goes on posting is left behind. */
static void drain(struct port *p, struct nic *nic)
{
	uint64_t end = monotonic_ns() + DRAIN_NS;

	for (unsigned q = 0; q < 32 && !p->stopped && !p->backend->blocked; q++) {
		if (!(nic->notes.runnable & (1u << q)))
			continue;
		nic->notes.runnable &= ~(1u << q);
		drain_queue(p, nic, q, end);
	}
}

unsigned port_set_links(struct port *p, const bool up[PORT_NICS], int active, int receive)
{
	struct nic *old = active_nic(p);
	unsigned waiting = p->rx_count - p->rx_at;

	if (active >= (int)p->nics)
		active = -1;
	if (p->spec.policy != POLICY_TEAM || receive >= (int)p->nics || receive < 0)
		receive = active;
	if (old && active != p->active)
		drain(p, old);
	for (unsigned i = 0; i < p->nics; i++)
		if (!up[i])
			nic_set_link(p->nic[i], false);
	p->active = active;
	p->receive = receive;
	for (unsigned i = 0; i < p->nics; i++)
		if (up[i])
			nic_set_link(p->nic[i], true);
	port_sync_offloads(p);
	port_deliver(p);
	return waiting;
}

void port_sync_offloads(struct port *p)
{
	const struct nic *nic = receiver(p);

	if (!nic || !p->backend->ops->set_rx_offloads)
		return;
	/* large TCP segments are always welcome: to cut one up here is far cheaper than to read its pieces one by one */
	uint32_t more = FRAME_CSUM | FRAME_TSO4 | FRAME_TSO6;
	/* but what does not come through here is not cut up here */
	uint32_t wanted = nic->rx_offloads | (p->backend->lent ? 0 : more);
	if (wanted == p->rx_offloads)
		return;
	p->rx_offloads = wanted;
	p->backend->ops->set_rx_offloads(p->backend, wanted);
}

void port_set_stopped(struct port *p, bool stopped)
{
	p->stopped = stopped;
	p->rx_paused = false;
	for (unsigned i = 0; i < p->nics; i++) {
		p->nic[i]->stopped = stopped;
		if (!stopped)
			kick_all(p->nic[i]);
	}
}

/* --- life cycle --- */

static int map_rx(struct port *p)
{
	size_t frames = (PORT_RX_BATCH + PORT_RX_SEGMENTS + 1) * sizeof(struct frame);

	frames = (frames + 4095) & ~(size_t)4095;
	p->rx_mapping = frames + (PORT_RX_BATCH + 2) * FRAME_ROOM; /* segments, a batch, the rest */
	uint8_t *base = map_room(p->rx_mapping);
	if (!base)
		return -ENOMEM;
	p->rx = (struct frame *)base;
	p->rx_segment = p->rx + PORT_RX_BATCH;
	p->tx_rest = p->rx_segment + PORT_RX_SEGMENTS;
	p->rx_room = base + frames;
	return 0;
}

int port_init(struct port *p, const struct port_spec *spec, struct backend *backend,
	      struct nic *const *nics, unsigned count, struct port_scratch *scratch,
	      struct error *err)
{
	*p = (struct port){ .sink.send = port_send,
			    .spec = *spec,
			    .backend = backend,
			    .nics = count,
			    .active = -1,
			    .receive = -1 };
	p->scratch = scratch;
	p->tx_budget = PORT_TURN_SEGMENTS;
	p->rx_offloads = UINT32_MAX; /* the backend was told nothing yet */
	for (unsigned i = 0; i < count; i++) {
		p->nic[i] = nics[i];
		p->nic[i]->sink = &p->sink;
		p->nic[i]->hears = spec->policy == POLICY_TEAM;
	}
	if (map_rx(p) < 0) {
		port_finish(p);
		return error_set(err, -ENOMEM, "port %s: out of memory", spec->id);
	}
	return 0;
}

void port_finish(struct port *p)
{
	for (unsigned i = 0; i < p->nics; i++)
		nic_destroy(p->nic[i]);
	backend_destroy(p->backend);
	if (p->rx)
		munmap(p->rx, p->rx_mapping);
	*p = (struct port){ .active = -1, .receive = -1 };
}
