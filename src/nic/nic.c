/* nic.c - what every NIC has, whatever its model: life cycle, bus mastering, driver status, saved state. */
#include "nic/nic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/offload.h"

#define SAVE_MAGIC   0x43494e41u /* "ANIC" */
#define SAVE_VERSION 1u

enum save_tag { TAG_MODEL_NAME = 1, TAG_PCI, TAG_NIC, TAG_MODEL };

const struct pci_hooks nic_pci_hooks = {
	.command_changed = nic_command_changed,
	.function_reset = nic_function_reset,
};

void nic_command_changed(struct pci_device *dev)
{
	struct nic *nic = nic_of(dev);

	mem_set_bus_master(&nic->mem, pci_bus_master(dev));
	nic->notes.status_dirty = true;
	if (!nic->mem.bus_master)
		return;
	/* what the guest posted meanwhile waits, and was told already */
	nic->notes.runnable = UINT32_MAX;
	nic->notes.rx_ready = true;
}

void nic_function_reset(struct pci_device *dev)
{
	nic_reset(nic_of(dev), RESET_FUNCTION);
}

void nic_reset(struct nic *nic, enum reset_kind kind)
{
	pci_reset(&nic->pci);
	mem_set_bus_master(&nic->mem, false);
	nic->notes = (struct nic_notes){ .status_dirty = true };
	nic->rx_offloads = 0;
	nic->pollable = 0;
	if (kind != RESET_POWER_ON)
		nic->status.bus_resets++;
	nic->ops->reset(nic, kind);
}

struct nic *nic_create(const struct nic_spec *spec, struct clock *clock, struct frame *batch,
		       struct error *err)
{
	const struct nic_ops *ops = nic_model_find(spec->model);

	if (!ops) {
		error_set(err, -ENOENT, "no model '%s': see `anynic models`", spec->model);
		return NULL;
	}
	if (spec->transport == TRANSPORT_VHOST_USER)
		ops = ops->vhost_user;
	if (ops)
		return nic_create_as(ops, spec, clock, batch, err);
	error_set(err, -EINVAL, "transport=vhost-user is not for %s", spec->model);
	return NULL;
}

struct nic *nic_create_as(const struct nic_ops *ops, const struct nic_spec *spec,
			  struct clock *clock, struct frame *batch, struct error *err)
{
	struct nic *nic = calloc(1, ops->size);
	if (!nic) {
		error_set(err, -ENOMEM, "%s: out of memory", spec->id);
		return NULL;
	}
	nic->ops = ops;
	nic->spec = *spec;
	nic->clock = clock;
	nic->batch = batch;
	memcpy(nic->mac, spec->mac, MAC_LEN);
	mem_init(&nic->mem);
	if (ops->init(nic, spec, err) < 0) {
		nic_destroy(nic);
		return NULL;
	}
	if (spec->msix == TRISTATE_OFF)
		pci_hide_msix(&nic->pci);
	nic_reset(nic, RESET_POWER_ON);
	nic_update_status(nic);
	nic->status.changed = false; /* it was always none */
	return nic;
}

void nic_destroy(struct nic *nic)
{
	if (!nic)
		return;
	nic->ops->finish(nic);
	pci_finish(&nic->pci);
	mem_finish(&nic->mem);
	free(nic);
}

void nic_set_link(struct nic *nic, bool up)
{
	if (nic->link_up == up)
		return;
	nic->link_up = up;
	nic->ops->link_changed(nic);
}

bool nic_update_status(struct nic *nic)
{
	struct driver_report report = { 0 };

	if (nic->notes.status_dirty) {
		nic->notes.status_dirty = false;
		nic->ops->judge(nic, &report);
		driver_status_update(&nic->status, &report, nic_now(nic));
	}
	return nic->status.changed;
}

/* Why the frame cannot be sent, or DROP_NONE. */
static enum drop_reason check_frame(struct nic *nic, struct frame *f)
{
	(void)nic;
	if (f->length < ETH_HEADER)
		return DROP_RUNT;
	if (f->length > FRAME_MAX)
		return DROP_OVERSIZE;
	if (!(f->hdr.flags | f->hdr.gso_type | f->hdr.hdr_len))
		return DROP_NONE; /* it asks for nothing */
	return frame_check(f) < 0 ? DROP_BAD_OFFLOAD : DROP_NONE;
}

static unsigned send_run(struct nic *nic, struct frame *frames, unsigned n)
{
	if (!nic->sink) {
		nic->counters.drop[DROP_INACTIVE] += n;
		return n;
	}
	unsigned taken = n ? nic->sink->send(nic->sink, nic, frames, n) : 0;
	for (unsigned i = 0; i < taken; i++)
		nic->counters.tx_bytes += frames[i].length;
	nic->counters.tx_frames += taken;
	return taken;
}

unsigned nic_send(struct nic *nic, struct frame *frames, unsigned n)
{
	return nic_send_runs(nic, frames, n, check_frame, send_run);
}

int nic_save(const struct nic *nic, struct buffer *out)
{
	buffer_put_u32(out, SAVE_MAGIC);
	buffer_put_u32(out, SAVE_VERSION);

	size_t s = buffer_section_begin(out, TAG_MODEL_NAME);
	buffer_put(out, nic->ops->name, strlen(nic->ops->name));
	buffer_section_end(out, s);
	s = buffer_section_begin(out, TAG_PCI);
	pci_save(&nic->pci, out);
	buffer_section_end(out, s);
	s = buffer_section_begin(out, TAG_NIC);
	buffer_put(out, nic->mac, MAC_LEN);
	buffer_put_u8(out, nic->link_up);
	buffer_section_end(out, s);
	s = buffer_section_begin(out, TAG_MODEL);
	int rc = nic->ops->save(nic, out);
	buffer_section_end(out, s);
	return out->failed ? -ENOMEM : rc;
}

static int load_section(struct nic *nic, uint32_t tag, struct reader *body, struct error *err)
{
	size_t name = strlen(nic->ops->name);

	switch (tag) {
	case TAG_MODEL_NAME:
		if (body->length != name || memcmp(body->data, nic->ops->name, name) != 0)
			return error_set(err, -EINVAL,
					 "the saved state is of another model than %s",
					 nic->ops->name);
		return 0;
	case TAG_PCI:
		return pci_load(&nic->pci, body, err);
	case TAG_NIC:
		reader_get(body, nic->mac, MAC_LEN);
		nic->link_up = reader_u8(body) == 1;
		return body->failed ? error_set(err, -EINVAL, "the saved state is cut short") : 0;
	case TAG_MODEL:
		return nic->ops->load(nic, body->data, body->length, err);
	default:
		return error_set(
			err, -EINVAL,
			"the saved state has an unknown section %u: it is of a newer version", tag);
	}
}

int nic_load(struct nic *nic, const void *data, size_t len, struct error *err)
{
	struct reader r = reader_of(data, len), body;
	uint32_t tag, seen = 0;

	if (reader_u32(&r) != SAVE_MAGIC || reader_u32(&r) != SAVE_VERSION)
		return error_set(err, -EINVAL, "this is no saved NIC of this version");
	nic_reset(nic, RESET_POWER_ON);
	while (reader_section(&r, &tag, &body)) {
		/* in the order in which they are written, each once: the model relies on what came before */
		if (tag != seen + 1)
			return error_set(err, -EINVAL,
					 "the saved state has its sections in a wrong order");
		seen = tag;
		int rc = load_section(nic, tag, &body, err);
		if (rc < 0) {
			nic_reset(nic, RESET_POWER_ON);
			return rc;
		}
	}
	if (r.failed || seen != TAG_MODEL) {
		nic_reset(nic, RESET_POWER_ON);
		return error_set(err, -EINVAL, "the saved state is cut short");
	}
	nic->notes.status_dirty = true;
	return 0;
}
