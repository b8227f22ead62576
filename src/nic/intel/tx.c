#include "nic/intel/tx.h"

#include <errno.h>

#include "base/bytes.h"
#include "nic/intel/moderation.h"
#include "nic/intel/regs.h"

#define WALK_MAX     512u /* descriptors of one batch */
#define STATUS_DWORD 12u

/* A descriptor that wants its status reported, as it was read. */
struct report {
	uint16_t job;
	uint32_t at;
	uint32_t dword3;
};

/* A context that this walk replaced: put back if its frame has to be walked again. */
struct undo {
	uint16_t job;
	uint8_t index;
	struct intel_tx_context old;
};

/* One frame of the batch. */
struct job {
	uint32_t end;	/* the descriptor behind its last */
	uint32_t flags; /* of all its descriptors */
	uint32_t launch;
	bool launch_first;
	uint16_t segments; /* 0: one frame */
	uint8_t mac;
	uint8_t reason; /* enum drop_reason; DROP_NONE: send it */
};

struct walk {
	struct intel_tx *tx;
	struct intel_ring_view ring;
	uint32_t at; /* next descriptor */
	unsigned seen, reports, undos;
	unsigned jobs; /* complete ones */
	struct job job[FRAME_BATCH + 1];
	struct report report[WALK_MAX];
	struct undo undo[WALK_MAX];
};

/* What ended the search for a frame. */
enum gather {
	GATHER_FRAME,	/* one more job; it may be a bad one (reason) */
	GATHER_NOTHING, /* only contexts: they are done */
	GATHER_LIMIT,	/* enough for one batch */
	GATHER_HELD,	/* the model wants the frame to wait */
	GATHER_END,	/* tail reached: nothing, or the rest of the frame is not there yet */
	GATHER_FAULT	/* the ring is outside memory */
};

/* --- one frame --- */

static void set_context(struct walk *w, const struct intel_txd *d)
{
	struct intel_tx_context *c = &w->tx->queue->context[d->context];

	w->undo[w->undos++] =
		(struct undo){ .job = (uint16_t)w->jobs, .index = d->context, .old = *c };
	*c = d->set;
}

/* Adds what a descriptor points to. Why the frame cannot be sent, or DROP_NONE. */
static enum drop_reason add_piece(struct walk *w, struct frame *f, const struct intel_txd *d)
{
	if (d->flags & TXD_BAD)
		return DROP_BAD_DESCRIPTOR;
	if (f->length + d->length > FRAME_MAX)
		return DROP_OVERSIZE;
	int n = mem_iov(w->ring.mem, d->address, d->length, MEM_READ, &f->iov[f->iovs],
			FRAME_IOV_MAX - f->iovs);
	if (n < 0)
		return n == -E2BIG ? DROP_BAD_DESCRIPTOR : DROP_BAD_ADDRESS;
	if (n > 0) /* a piece of no bytes may stand behind the last place */
		__builtin_prefetch(f->iov[f->iovs].iov_base); /* its headers are wanted soon */
	f->iovs = (uint16_t)(f->iovs + n);
	f->length += d->length;
	return DROP_NONE;
}

/* What the frame asks for, put together from its descriptors. */
struct asked {
	struct intel_tx_request request;
	uint32_t
		first; /* flags of the first data descriptor: segmentation and checksums count there alone */
	uint8_t context;
	bool any; /* a data descriptor was seen */
};

#define FIRST_FLAGS (TXD_TSE | TXD_IXSM | TXD_TXSM)

static void begin_frame(struct frame *f, struct asked *a, const struct intel_txd *d, uint16_t queue)
{
	a->any = true;
	a->first = d->flags & FIRST_FLAGS;
	a->context = d->context;
	f->hdr = (struct virtio_net_hdr_v1){ 0 };
	f->length = 0;
	f->queue = queue;
	/* piece 0 stays free when the headers will be rewritten */
	f->iov[0] = (struct iovec){ 0 };
	f->iovs = intel_offload_rewrites(d->flags) ? 1 : 0;
}

static void note_wishes(struct asked *a, struct job *job, const struct intel_txd *d)
{
	job->flags |= d->flags & ~FIRST_FLAGS;
	if (!(d->flags & TXD_IDE))
		job->flags &= ~TXD_IDE;
	if (d->flags & TXD_VLAN)
		a->request.vlan = d->vlan;
	if (d->flags & TXD_CSO) {
		a->request.css = d->css;
		a->request.cso = d->cso;
	}
	job->mac |= d->mac;
}

static uint16_t segments_of(const struct frame *f)
{
	uint32_t payload = f->length - f->hdr.hdr_len;

	return f->hdr.gso_type == VIRTIO_NET_HDR_GSO_NONE
		       ? 0
		       : (uint16_t)((payload + f->hdr.gso_size - 1) / f->hdr.gso_size);
}

static enum drop_reason end_frame(struct walk *w, struct frame *f, struct job *job, struct asked *a)
{
	struct intel_tx *tx = w->tx;
	const struct intel_tx_context *context = &tx->queue->context[a->context];

	a->request.flags = (job->flags & ~FIRST_FLAGS) | a->first;
	if (job->flags & TXD_VLAN_CONTEXT)
		a->request.vlan = context->vlan;
	if (!tx->vlan_type)
		a->request.flags &= ~(uint32_t)TXD_VLAN;
	a->request.vlan_type = tx->vlan_type;
	a->request.pad = tx->pad;
	a->request.context = context;
	job->launch = context->launch;
	job->launch_first = context->launch_first;
	enum drop_reason reason = intel_offload_apply(f, &a->request);
	if (reason == DROP_NONE)
		job->segments = segments_of(f);
	return reason;
}

static struct intel_tx_frame described(const struct frame *f, const struct job *job)
{
	return (struct intel_tx_frame){ .frame = f,
					.flags = job->flags,
					.launch = job->launch,
					.launch_first = job->launch_first,
					.mac = job->mac };
}

static bool held(const struct walk *w, const struct frame *f, const struct job *job)
{
	if (!w->tx->hold || job->reason != DROP_NONE)
		return false;
	const struct intel_tx_frame t = described(f, job);
	return w->tx->hold(w->tx->nic, &t);
}

/* Takes the descriptors of the next frame. */
static enum gather gather(struct walk *w, struct frame *f)
{
	struct job *job = &w->job[w->jobs];
	struct asked asked = { 0 };
	unsigned seen = w->seen;
	struct intel_desc raw;
	struct intel_txd d;

	*job = (struct job){ .flags = TXD_IDE };
	while (w->at != w->ring.tail && w->seen < WALK_MAX) {
		if (!intel_ring_read(&w->ring, w->at, 0, &raw))
			return GATHER_FAULT;
		w->tx->decode(&raw, &d);
		if (d.flags & TXD_RS)
			w->report[w->reports++] = (struct report){
				.job = (uint16_t)w->jobs,
				.at = w->at,
				.dword3 = (uint32_t)(raw.hi >> 32),
			};
		w->seen++;
		w->at = intel_ring_next(&w->ring, w->at);
		if (d.flags & TXD_CONTEXT) {
			set_context(w, &d);
			job->flags |= d.flags & TXD_RS;
			if (!(d.flags & TXD_IDE))
				job->flags &= ~(uint32_t)TXD_IDE;
			continue;
		}
		if (!asked.any)
			begin_frame(f, &asked, &d, w->tx->index);
		note_wishes(&asked, job, &d);
		if (job->reason == DROP_NONE)
			job->reason = (uint8_t)add_piece(w, f, &d);
		if (d.flags & TXD_EOP) {
			job->end = w->at;
			if (job->reason == DROP_NONE)
				job->reason = (uint8_t)end_frame(w, f, job, &asked);
			return held(w, f, job) ? GATHER_HELD : GATHER_FRAME;
		}
	}
	job->end = w->at;
	if (!asked.any && w->seen != seen)
		return GATHER_NOTHING;
	if (w->at == w->ring.tail)
		return GATHER_END;
	if (w->jobs)
		return GATHER_LIMIT;
	/* no end in sight: what was seen goes back, as of a frame that cannot be sent */
	job->reason = DROP_BAD_DESCRIPTOR;
	return GATHER_FRAME;
}

/* --- what becomes of them --- */

/* Contexts set for frames that stay in the ring are put back: the frames in front of them will need the old ones. */
static void undo_contexts(struct walk *w, unsigned done)
{
	while (w->undos && w->undo[w->undos - 1].job >= done) {
		const struct undo *u = &w->undo[--w->undos];
		w->tx->queue->context[u->index] = u->old;
	}
}

/* Single frames to one station, one behind the other and of one length: counted together. */
struct alike {
	uint32_t length, times;
};

static void count_alike(struct intel_stats *s, struct alike *a)
{
	static const uint8_t station[MAC_LEN];

	if (a->times)
		intel_stats_sent(s, station, a->length, a->times);
	a->times = 0;
}

static void count_segments(struct intel_stats *s, const uint8_t *dest, const struct frame *f,
			   const struct job *job)
{
	uint32_t full = f->hdr.hdr_len + f->hdr.gso_size;
	uint32_t last = f->length - (uint32_t)(job->segments - 1) * f->hdr.gso_size;

	intel_stats_sent(s, dest, full, job->segments - 1u);
	intel_stats_sent(s, dest, last, 1);
}

static void count_sent(struct intel_stats *s, const struct frame *f, const struct job *job,
		       struct alike *a)
{
	uint8_t copy[MAC_LEN];
	const uint8_t *dest = f->iov[0].iov_base;

	if (f->iov[0].iov_len < MAC_LEN) {
		frame_copy_out(f, 0, copy, sizeof(copy));
		dest = copy;
	}
	if (job->segments)
		intel_stats_add(s, STAT_TSCTC, 1);
	if (job->segments >= 2) {
		count_segments(s, dest, f, job);
	} else if (mac_is_multicast(dest)) {
		intel_stats_sent(s, dest, f->length, 1);
	} else {
		if (f->length != a->length)
			count_alike(s, a);
		a->length = f->length;
		a->times++;
	}
}

static void note_sent(struct walk *w, const struct frame *f, const struct job *job,
		      struct intel_tx_result *result, struct alike *alike)
{
	struct intel_tx *tx = w->tx;

	if (tx->stats)
		count_sent(tx->stats, f, job, alike);
	if (tx->sent && (job->flags & TXD_STAMP)) {
		const struct intel_tx_frame t = described(f, job);
		tx->sent(tx->nic, &t);
	}
	result->frames++;
}

/* Gives back the descriptors of the first `done` jobs. */
static void write_back(struct walk *w, unsigned done, struct intel_tx_result *result)
{
	uint32_t head = w->job[done - 1].end;

	for (unsigned i = 0; i < done; i++)
		if (w->job[i].flags & TXD_RS) {
			result->report = true;
			result->at_once |= !(w->job[i].flags & TXD_IDE);
		}
	if (w->tx->head_only) {
		uint32_t word = htole32(head);
		__atomic_thread_fence(__ATOMIC_RELEASE);
		if (!mem_write(w->ring.mem, w->tx->head_at, &word, sizeof(word)))
			w->tx->nic->counters.bad_access++;
	} else {
		for (unsigned i = 0; i < w->reports && w->report[i].job < done; i++)
			intel_ring_publish(&w->ring, w->report[i].at, STATUS_DWORD,
					   w->report[i].dword3 | TXD_DD);
	}
	uint32_t descriptors = (head + w->ring.count - w->ring.head) % w->ring.count;
	result->given = (uint32_t)((uint64_t)descriptors * INTEL_RING_WHOLE / w->ring.count);
	w->tx->ring->head = head;
}

/* Sends the run of good frames [from, to). How many were taken. */
static unsigned send_run(struct walk *w, unsigned from, unsigned to, struct intel_tx_result *result)
{
	struct nic *nic = w->tx->nic;
	struct frame *frames = nic->batch;
	unsigned n = to - from;
	unsigned taken =
		w->tx->send ? w->tx->send(nic, frames + from, n) : nic_send(nic, frames + from, n);

	struct alike alike = { 0 };
	for (unsigned i = from; i < from + taken; i++)
		note_sent(w, &frames[i], &w->job[i], result, &alike);
	if (w->tx->stats)
		count_alike(w->tx->stats, &alike);
	return taken;
}

/* Sends what was gathered, in order; bad ones are dropped where they stand. How many jobs are done with. */
static unsigned send_jobs(struct walk *w, struct intel_tx_result *result)
{
	unsigned begin = 0;

	while (begin < w->jobs) {
		unsigned end = begin;
		while (end < w->jobs && w->job[end].reason == DROP_NONE)
			end++;
		if (end > begin) {
			begin += send_run(w, begin, end, result);
			if (begin < end)
				return begin;
			continue;
		}
		nic_drop(w->tx->nic, w->job[begin].reason);
		if (w->job[begin].reason == DROP_BAD_ADDRESS)
			w->tx->nic->counters.bad_access++;
		result->bad = true;
		begin++;
	}
	return begin;
}

void intel_transmit(struct intel_tx *tx, struct intel_tx_result *result)
{
	struct walk w; /* large: only what is used is set */
	enum gather end = GATHER_FRAME;
	uint32_t bytes = 0;

	*result = (struct intel_tx_result){ 0 };
	w.tx = tx;
	w.seen = w.reports = w.undos = w.jobs = 0;
	if (!intel_ring_open(tx->nic, tx->ring, INTEL_DESC_SIZE, &w.ring))
		return;
	w.at = w.ring.head;
	while (w.jobs < FRAME_BATCH && bytes < BATCH_BYTES && end == GATHER_FRAME) {
		end = gather(&w, &tx->nic->batch[w.jobs]);
		bytes += tx->nic->batch[w.jobs].length;
		w.jobs += end == GATHER_FRAME;
	}
	tx->nic->walked += bytes;
	unsigned done = send_jobs(&w, result);
	bool all = done == w.jobs;
	if (all && end == GATHER_NOTHING)
		done++; /* contexts without a frame behind them */
	undo_contexts(&w, done);
	if (done)
		write_back(&w, done, result);
	if (end == GATHER_FAULT)
		tx->nic->counters.bad_access++;
	result->empty = all && tx->ring->head == w.ring.tail;
	result->more = all && !result->empty && end != GATHER_FAULT && end != GATHER_END &&
		       end != GATHER_HELD;
}

/* --- saved state --- */

void intel_tx_queue_save(const struct intel_tx_queue *q, struct buffer *out)
{
	for (unsigned i = 0; i < INTEL_TX_CONTEXTS; i++) {
		const struct intel_tx_context *c = &q->context[i];
		const uint16_t half[] = { c->ipcss, c->ipcso,  c->ipcse, c->tucss, c->tucso,
					  c->tucse, c->hdrlen, c->mss,	 c->vlan };

		for (unsigned k = 0; k < ARRAY_SIZE(half); k++)
			buffer_put_u16(out, half[k]);
		buffer_put_u8(out, c->l4);
		buffer_put_u8(out, c->ipv4);
		buffer_put_u32(out, c->launch);
		buffer_put_u8(out, c->launch_first);
	}
}

void intel_tx_queue_load(struct intel_tx_queue *q, struct reader *in)
{
	for (unsigned i = 0; i < INTEL_TX_CONTEXTS; i++) {
		struct intel_tx_context *c = &q->context[i];
		uint16_t *const half[] = { &c->ipcss, &c->ipcso,  &c->ipcse, &c->tucss, &c->tucso,
					   &c->tucse, &c->hdrlen, &c->mss,   &c->vlan };

		for (unsigned k = 0; k < ARRAY_SIZE(half); k++)
			*half[k] = reader_u16(in);
		c->l4 = reader_u8(in) % INTEL_L4_COUNT;
		c->ipv4 = reader_u8(in) & 1;
		c->launch = reader_u32(in);
		c->launch_first = reader_u8(in) & 1;
	}
}
