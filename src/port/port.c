#include "port/port.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "net/coalesce.h"

#define FRAME_ROOM   ((size_t)69632) /* FRAME_MAX rounded up to pages */
#define SCRATCH_ROOM (SCRATCH_SEGMENTS * FRAME_ROOM)
#define DRAIN_ROUNDS                                                                               \
	64 /* batches of one queue that a switch waits for: a whole ring of 1024 and more */

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

/* --- guest -> wire --- */

/* Sends the segments that a frame becomes. True when all went out (or can never go). */
static bool send_segments(struct port *p, const struct frame *f, uint32_t offloads)
{
	struct backend *b = p->backend;
	struct offload_walk walk;
	unsigned sent = 0;

	if (offload_walk_begin(&walk, f, offloads, p->scratch->room, SCRATCH_ROOM) < 0) {
		drop_frames(p, DROP_BAD_OFFLOAD, 1);
		return true;
	}
	unsigned n;
	while ((n = offload_walk_fill(&walk, p->scratch->frame, SCRATCH_SEGMENTS)) > 0) {
		/* what went out before the backend blocked; the guest's frame is the same one again */
		unsigned skip = p->tx_skip > sent ? MIN(p->tx_skip - sent, n) : 0;
		unsigned taken = skip;
		if (skip < n)
			taken += b->ops->send(b, p->scratch->frame + skip, n - skip);
		sent += taken;
		if (taken < n) {
			p->tx_skip = sent;
			return false;
		}
	}
	p->tx_skip = 0;
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
	unsigned run = p->tx_skip ? 0 : separate_run(p, frames, n, offloads, &joined);

	if (!run && !joined) {
		bool went = send_segments(p, frames, offloads);
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

	while (done < n && send_some(p, frames + done, n - done, offloads, &done))
		continue;
	p->tx_blocked = done < n;
	for (unsigned i = 0; i < done; i++)
		p->counters.tx_bytes += frames[i].length;
	p->counters.tx_frames += done;
	return done;
}

static unsigned port_send(struct nic_sink *sink, struct nic *nic, struct frame *frames, unsigned n)
{
	struct port *p = (struct port *)sink;

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

static bool transmit_nic(struct port *p, struct nic *nic)
{
	uint32_t runnable = nic->notes.runnable;
	bool more = false;

	nic->notes.runnable = 0;
	for (unsigned q = 0; runnable; q++, runnable >>= 1) {
		if (!(runnable & 1) || !nic->ops->transmit(nic, q))
			continue;
		/* while the backend is blocked the ring stays as it is; port_unblock makes it runnable */
		if (!p->tx_blocked) {
			nic_kick(nic, q);
			more = true;
		}
	}
	return more || nic->notes.runnable;
}

bool port_transmit(struct port *p)
{
	bool more = false;

	if (p->stopped)
		return false;
	for (unsigned i = 0; i < p->nics; i++)
		if (p->nic[i]->notes.runnable)
			more |= transmit_nic(p, p->nic[i]);
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
			p->rx_segment_at = 0;
			p->rx_segment_count =
				offload_walk_fill(&p->rx_walk, p->rx_segment, PORT_RX_SEGMENTS);
			if (!p->rx_segment_count)
				break;
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
	struct nic *nic = active_nic(p);

	if (p->stopped)
		return false;
	if (!nic) {
		drop_frames(p, DROP_NO_ACTIVE_NIC, p->rx_count - p->rx_at);
		p->rx_at = p->rx_count;
		forget_segments(p);
		return true;
	}
	return deliver_to(p, nic);
}

/* Done before each batch, so that the pages of an idle port are never touched. */
static void lay_out_rx(struct port *p)
{
	for (unsigned i = 0; i < PORT_RX_BATCH; i++) {
		p->rx[i].iovs = 1;
		p->rx[i].iov[0] =
			(struct iovec){ .iov_base = p->rx_room + (i + 1) * (size_t)FRAME_ROOM,
					.iov_len = FRAME_MAX };
	}
}

/* A checksum that the driver does not take half done is made where the frame lies: the room is ours. */
static void mend_checksums(struct port *p)
{
	const struct nic *nic = active_nic(p);

	if (!nic || (nic->rx_offloads & FRAME_CSUM))
		return;
	for (unsigned i = 0; i < p->rx_count; i++)
		if (frame_needs(&p->rx[i]) == FRAME_CSUM)
			frame_make_checksum(&p->rx[i]);
}

bool port_receive(struct port *p, unsigned queue)
{
	if (p->stopped || (port_rx_waits(p) && !port_deliver(p)))
		return false;
	lay_out_rx(p);
	p->rx_at = 0;
	p->rx_count = p->backend->ops->receive(p->backend, queue, p->rx, PORT_RX_BATCH);
	mend_checksums(p);
	for (unsigned i = 0; i < p->rx_count; i++)
		p->counters.rx_bytes += p->rx[i].length;
	p->counters.rx_frames += p->rx_count;
	bool full = p->rx_count == PORT_RX_BATCH;
	return port_deliver(p) && full;
}

/* --- links --- */

/* What the guest posted on the NIC before its link goes down still goes out. */
static void drain(struct port *p, struct nic *nic)
{
	if (p->stopped || p->tx_blocked)
		return;
	for (unsigned q = 0; q < 32; q++) {
		if (!(nic->notes.runnable & (1u << q)))
			continue;
		nic->notes.runnable &= ~(1u << q);
		for (int round = 0; round < DRAIN_ROUNDS && !p->tx_blocked; round++)
			if (!nic->ops->transmit(nic, q))
				break;
	}
}

unsigned port_set_links(struct port *p, const bool up[PORT_NICS], int active)
{
	struct nic *old = active_nic(p);
	unsigned waiting = p->rx_count - p->rx_at;

	if (active >= (int)p->nics)
		active = -1;
	if (old && active != p->active) {
		drain(p, old);
		p->tx_skip = 0; /* the frame that blocked belongs to the old NIC */
	}
	for (unsigned i = 0; i < p->nics; i++)
		if (!up[i])
			nic_set_link(p->nic[i], false);
	p->active = active;
	for (unsigned i = 0; i < p->nics; i++)
		if (up[i])
			nic_set_link(p->nic[i], true);
	port_sync_offloads(p);
	port_deliver(p);
	return waiting;
}

void port_sync_offloads(struct port *p)
{
	const struct nic *nic = active_nic(p);

	if (!nic || !p->backend->ops->set_rx_offloads)
		return;
	/* large TCP segments are always welcome: to cut one up here is far cheaper than to read its pieces one by one */
	uint32_t wanted = nic->rx_offloads | FRAME_CSUM | FRAME_TSO4 | FRAME_TSO6;
	if (wanted == p->rx_offloads)
		return;
	p->rx_offloads = wanted;
	p->backend->ops->set_rx_offloads(p->backend, wanted);
}

void port_set_stopped(struct port *p, bool stopped)
{
	p->stopped = stopped;
	for (unsigned i = 0; i < p->nics; i++) {
		p->nic[i]->stopped = stopped;
		if (!stopped)
			kick_all(p->nic[i]);
	}
}

/* --- life cycle --- */

static int map_rx(struct port *p)
{
	size_t frames = (PORT_RX_BATCH + PORT_RX_SEGMENTS) * sizeof(struct frame);

	frames = (frames + 4095) & ~(size_t)4095;
	p->rx_mapping = frames + (PORT_RX_BATCH + 1) * (size_t)FRAME_ROOM;
	uint8_t *base = map_room(p->rx_mapping);
	if (!base)
		return -ENOMEM;
	p->rx = (struct frame *)base;
	p->rx_segment = p->rx + PORT_RX_BATCH;
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
			    .active = -1 };
	p->scratch = scratch;
	p->rx_offloads = UINT32_MAX; /* the backend was told nothing yet */
	for (unsigned i = 0; i < count; i++) {
		p->nic[i] = nics[i];
		p->nic[i]->sink = &p->sink;
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
	*p = (struct port){ .active = -1 };
}
