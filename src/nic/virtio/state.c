/* state.c - saved state: the registers that differ from reset, then sections for what is behind them. */
#include <errno.h>
#include <string.h>

#include "nic/virtio/virtio_net.h"

enum save_tag { TAG_REGS = 1, TAG_DEVICE, TAG_QUEUES, TAG_FILTER, TAG_COUNT };

static void save_device(const struct virtio_state *s, struct buffer *out)
{
	buffer_put_u8(out, s->isr);
	buffer_put_u8(out, s->vector_low);
	buffer_put_u64(out, s->wanted);
	buffer_put_u64(out, s->features);
	buffer_put_u64(out, s->guest_offloads);
	buffer_put_u16(out, s->pairs);
	buffer_put_u16(out, s->rx_given);
	buffer_put_u8(out, s->refused);
	buffer_put_u8(out, s->fault);
	buffer_put_u8(out, s->fault_queue);
}

static void save_queues(const struct virtio_net *v, struct buffer *out)
{
	for (unsigned i = 0; i < v->state.num_queues; i++) {
		const struct virtio_queue *q = &v->state.queue[i];
		const struct ring *r = &v->ring[i];
		buffer_put_u16(out, q->size);
		buffer_put_u16(out, q->vector);
		buffer_put_u16(out, q->enable);
		buffer_put_u64(out, q->desc);
		buffer_put_u64(out, q->driver);
		buffer_put_u64(out, q->device);
		buffer_put_u8(out, r->started);
		buffer_put_u16(out, r->avail);
		buffer_put_u16(out, r->used);
		buffer_put_u8(out, (uint8_t)(r->avail_wrap | r->used_wrap << 1));
	}
}

void virtio_save_filter(const struct virtio_filter *f, struct buffer *out)
{
	buffer_put(out, f->mode, sizeof(f->mode));
	buffer_put_u8(out, (uint8_t)(f->unicast_overflow | f->multicast_overflow << 1));
	buffer_put_u8(out, f->unicasts);
	buffer_put_u8(out, f->multicasts);
	buffer_put(out, f->mac, (size_t)(f->unicasts + f->multicasts) * MAC_LEN);
	for (unsigned i = 0; i < ARRAY_SIZE(f->vlan); i++)
		buffer_put_u32(out, f->vlan[i]);
}

int virtio_save(const struct nic *nic, struct buffer *out)
{
	const struct virtio_net *v = (const struct virtio_net *)nic;

	size_t s = buffer_section_begin(out, TAG_REGS);
	reg_space_save(&virtio_modern_space, &nic->pci, out);
	buffer_section_end(out, s);
	s = buffer_section_begin(out, TAG_DEVICE);
	save_device(&v->state, out);
	buffer_section_end(out, s);
	s = buffer_section_begin(out, TAG_QUEUES);
	save_queues(v, out);
	buffer_section_end(out, s);
	s = buffer_section_begin(out, TAG_FILTER);
	virtio_save_filter(&v->state.filter, out);
	buffer_section_end(out, s);
	return out->failed ? -ENOMEM : 0;
}

/* Registers that the card's specification decides, whatever was saved. */
static bool load_regs(struct virtio_net *v, struct reader *in, struct error *err)
{
	struct virtio_state *s = &v->state;
	uint16_t num_queues = s->num_queues, pairs_max = s->pairs_max, mtu = s->mtu;

	if (reg_space_load(&virtio_modern_space, &v->nic.pci, in, err) < 0)
		return false;
	return s->num_queues == num_queues && s->pairs_max == pairs_max && s->mtu == mtu &&
	       s->config_vector == virtio_legal_vector(v, s->config_vector);
}

static bool load_device(struct virtio_net *v, struct reader *in)
{
	struct virtio_state *s = &v->state;

	s->isr = reader_u8(in) & 3;
	s->vector_low = reader_u8(in);
	s->wanted = reader_u64(in);
	s->features = reader_u64(in);
	uint64_t offloads = reader_u64(in);
	s->pairs = reader_u16(in);
	s->rx_given = reader_u16(in);
	s->refused = reader_u8(in);
	s->fault = reader_u8(in);
	s->fault_queue = reader_u8(in);
	if (virtio_bad_feature(v->offered | VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT), s->features) >= 0 ||
	    virtio_bad_feature(virtio_guest_offloads(v), offloads) >= 0)
		return false;
	virtio_set_offloads(v, offloads);
	return s->pairs >= 1 && s->pairs <= s->pairs_max && s->refused <= 64 &&
	       s->fault < VIRTIO_FAULT_COUNT && s->fault_queue < s->num_queues;
}

static bool load_queue(struct virtio_net *v, unsigned i, struct reader *in, struct ring *at)
{
	struct virtio_queue *q = &v->state.queue[i];

	q->size = reader_u16(in);
	q->vector = reader_u16(in);
	q->enable = reader_u16(in);
	q->desc = reader_u64(in);
	q->driver = reader_u64(in);
	q->device = reader_u64(in);
	*at = (struct ring){ .started = reader_u8(in) };
	at->avail = reader_u16(in);
	at->used = reader_u16(in);
	uint8_t wraps = reader_u8(in);
	at->avail_wrap = wraps & 1;
	at->used_wrap = wraps & 2;
	return q->size >= 1 && q->size <= virtio_size_max(v, i) && q->enable <= 1 &&
	       q->vector == virtio_legal_vector(v, q->vector);
}

static bool load_queues(struct virtio_net *v, struct reader *in, struct ring at[VIRTIO_QUEUES])
{
	for (unsigned i = 0; i < v->state.num_queues; i++)
		if (!load_queue(v, i, in, &at[i]))
			return false;
	return true;
}

bool virtio_load_filter(struct virtio_filter *f, struct reader *in)
{
	reader_get(in, f->mode, sizeof(f->mode));
	uint8_t overflow = reader_u8(in);
	f->unicast_overflow = overflow & 1;
	f->multicast_overflow = overflow & 2;
	f->unicasts = reader_u8(in);
	f->multicasts = reader_u8(in);
	unsigned count = (unsigned)f->unicasts + f->multicasts;
	if (count > VIRTIO_MACS)
		return false;
	reader_get(in, f->mac, (size_t)count * MAC_LEN);
	for (unsigned i = 0; i < ARRAY_SIZE(f->vlan); i++)
		f->vlan[i] = reader_u32(in);
	return true;
}

static bool load_section(struct virtio_net *v, uint32_t tag, struct reader *body,
			 struct ring at[VIRTIO_QUEUES], struct error *err)
{
	switch (tag) {
	case TAG_REGS:
		return load_regs(v, body, err);
	case TAG_DEVICE:
		return load_device(v, body);
	case TAG_QUEUES:
		return load_queues(v, body, at);
	case TAG_FILTER:
		return virtio_load_filter(&v->state.filter, body);
	default:
		return false;
	}
}

int virtio_load(struct nic *nic, const void *data, size_t len, struct error *err)
{
	struct virtio_net *v = virtio_of(nic);
	struct reader r = reader_of(data, len), body;
	struct ring at[VIRTIO_QUEUES] = { 0 };
	uint32_t tag, seen = 0;

	while (reader_section(&r, &tag, &body)) {
		if (tag != ++seen || !load_section(v, tag, &body, at, err) || body.failed ||
		    !reader_at_end(&body))
			return error_set(
				err, -EINVAL,
				"virtio-net: section %u of the saved state does not fit this card",
				tag);
	}
	if (r.failed || seen != TAG_COUNT - 1)
		return error_set(err, -EINVAL, "virtio-net: the saved state is cut short");
	virtio_window_load(v);
	for (unsigned i = 0; i < v->state.num_queues; i++)
		if (at[i].started && v->state.queue[i].enable && virtio_running(v))
			virtio_start_queue(v, i, &at[i]);
	return 0;
}
