#include "machine.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned keep(struct nic_sink *sink, struct nic *nic, struct frame *frames, unsigned n)
{
	struct machine *m = (struct machine *)sink;
	unsigned taken = 0;

	(void)nic;
	m->sends++;
	for (; taken < n && m->wire_room && m->frames < WIRE_MAX; taken++, m->wire_room--) {
		struct wire_frame *w = &m->wire[m->frames++];
		w->hdr = frames[taken].hdr;
		w->length = frames[taken].length;
		w->data = calloc(1, w->length + 1u);
		/* a length that the pieces do not bear out shows as a shorter copy */
		w->length = (uint32_t)iov_to_buffer(frames[taken].iov, frames[taken].iovs, 0,
						    w->data, w->length);
	}
	return taken;
}

struct machine *machine_create(const char *model, int rev, struct error *err)
{
	struct nic_spec spec = { .rev = rev, .vlan = -1, .qos = -1 };

	str_copy(spec.model, sizeof(spec.model), model);
	return machine_create_nic(spec, err);
}

struct machine *machine_create_nic(struct nic_spec spec, struct error *err)
{
	static const uint8_t mac[MAC_LEN] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
	struct machine *m = calloc(1, sizeof(*m));

	spec.bootindex = -1;
	memcpy(spec.mac, mac, MAC_LEN);
	str_copy(spec.id, sizeof(spec.id), "net0");
	m->sink.send = keep;
	m->wire_room = UINT32_MAX;
	m->ram_fd = memfd_create("ram", MFD_CLOEXEC);
	if (m->ram_fd < 0 || ftruncate(m->ram_fd, RAM_SIZE) < 0)
		abort();
	m->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, m->ram_fd, 0);
	m->irq_fd = eventfd(0, EFD_NONBLOCK);
	memset(m->vector_fd, -1, sizeof(m->vector_fd));
	clock_set(&m->clock, NS_PER_S);
	if (nic_models_prepare(err) == 0)
		m->nic = nic_create(&spec, &m->clock, m->batch, err);
	if (!m->nic) {
		machine_destroy(m);
		return NULL;
	}
	m->nic->sink = &m->sink;
	uint32_t half = RAM_SIZE / 2;
	if (mem_map(&m->nic->mem, RAM_AT, half, m->ram_fd, 0, MEM_READ | MEM_WRITE, err) < 0 ||
	    mem_map(&m->nic->mem, RAM_BORDER, half, m->ram_fd, half, MEM_READ | MEM_WRITE, err) <
		    0 ||
	    (pci_irq_count(&m->nic->pci, PCI_INTX) &&
	     pci_irq_set_fd(&m->nic->pci, PCI_INTX, 0, dup(m->irq_fd)) < 0))
		abort();
	nic_set_link(m->nic, true);
	return m;
}

void machine_destroy(struct machine *m)
{
	if (!m)
		return;
	machine_clear_wire(m);
	nic_destroy(m->nic);
	munmap(m->ram, RAM_SIZE);
	close(m->ram_fd);
	close(m->irq_fd);
	for (unsigned i = 0; i < PCI_VECTORS_MAX; i++)
		if (m->vector_fd[i] >= 0)
			close(m->vector_fd[i]);
	free(m);
}

uint8_t *machine_at(struct machine *m, uint64_t address)
{
	if (address < RAM_AT || address >= RAM_END)
		abort();
	return m->ram + (address - RAM_AT);
}

void machine_set_bus(struct machine *m, bool on)
{
	uint32_t bits = PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;

	pci_config_write(&m->nic->pci, PCI_COMMAND, 2, on ? bits : 0);
	machine_run(m);
}

void machine_run(struct machine *m)
{
	uint32_t runnable;

	/* an owner that stops a loop which never ends would hide it: a test hangs instead, and is killed */
	while ((runnable = m->nic->notes.runnable)) {
		m->nic->notes.runnable = 0;
		for (unsigned q = 0; runnable; q++, runnable >>= 1)
			while ((runnable & 1) && m->nic->ops->transmit(m->nic, q))
				;
	}
	nic_update_status(m->nic);
}

void machine_wait(struct machine *m, uint64_t ns)
{
	uint64_t end = clock_now(&m->clock) + ns;

	while (m->nic->notes.deadline_ns && m->nic->notes.deadline_ns <= end) {
		if (m->nic->notes.deadline_ns > clock_now(&m->clock))
			clock_set(&m->clock, m->nic->notes.deadline_ns);
		m->nic->notes.deadline_ns = 0;
		m->nic->ops->timer(m->nic);
		machine_run(m);
	}
	clock_set(&m->clock, end);
}

static unsigned count_of(int fd)
{
	uint64_t count;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? (unsigned)count : 0;
}

unsigned machine_interrupts(struct machine *m)
{
	return count_of(m->irq_fd);
}

void machine_use_msix(struct machine *m)
{
	struct pci_device *pci = &m->nic->pci;

	pci_config_write(pci, pci->msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	for (unsigned i = 0; i < pci_irq_count(pci, PCI_MSIX); i++) {
		m->vector_fd[i] = eventfd(0, EFD_NONBLOCK);
		if (pci_irq_set_fd(pci, PCI_MSIX, i, dup(m->vector_fd[i])) < 0)
			abort();
	}
}

unsigned machine_vector(struct machine *m, unsigned vector)
{
	return count_of(m->vector_fd[vector]);
}

unsigned machine_say_flags(struct machine *m, const void *data, size_t len, uint8_t hdr_flags)
{
	static uint8_t copy[FRAME_MAX];
	static struct frame f;

	memcpy(copy, data, len);
	frame_set_linear(&f, copy, len);
	f.hdr.flags = hdr_flags;
	unsigned taken = m->nic->ops->receive(m->nic, &f, 1);
	nic_update_status(m->nic);
	return taken;
}

unsigned machine_say(struct machine *m, const void *data, size_t len)
{
	return machine_say_flags(m, data, len, 0);
}

void machine_clear_wire(struct machine *m)
{
	for (unsigned i = 0; i < m->frames; i++)
		free(m->wire[i].data);
	m->frames = 0;
	m->sends = 0;
}
