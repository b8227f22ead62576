/* model_size.c - what a card costs that does nothing: the bytes of its saved state, and memory of the datapath process's own for
 * one more, after a driver opened it. Saved state is told twice: with the driver of model_card.c, and at its largest, when every
 * register was written with something else.
 *
 * Usage: model_size DATAPATH [MODEL]... Fails when a saved state is larger than any may be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model_card.h"
#include "nic/nic.h"

#define MORE	  8u
#define STATE_MAX 8192u /* bytes that no saved state may pass */

static bool too_much;

/* --- saved state: a NIC in this process --- */

struct local {
	struct bus bus; /* first */
	struct nic *nic;
};

static void write_local(struct bus *bus, uint32_t at, unsigned size, uint32_t value)
{
	struct local *l = (struct local *)bus;

	pci_bar_write(&l->nic->pci, bus->bar, at, size, value);
}

static size_t saved_size(const struct nic *nic)
{
	struct buffer b = { 0 };
	int rc = nic_save(nic, &b);
	size_t size = b.length;

	buffer_finish(&b);
	return rc < 0 ? 0 : size;
}

static void write_everything(struct local *l)
{
	uint32_t size = l->nic->pci.bar[l->bus.bar].size;

	for (uint32_t at = 0; at + 4 <= size; at += 4)
		if (at || l->bus.bar) /* the first register of the Intel family resets it all */
			pci_bar_write(&l->nic->pci, l->bus.bar, at, 4, 0x5a5a0000u ^ at);
}

static bool measure_state(const struct card_model *model)
{
	struct nic_spec spec = {
		.id = "card", .rev = -1, .bootindex = -1, .mac = { 0x52, 0x54, 0, 1, 2, 3 }
	};
	static struct frame batch[FRAME_BATCH];
	struct local l = { .bus = { .write = write_local, .bar = model->bar, .qtest = -1 } };
	struct clock clock = { 0 };
	struct error err = { 0 };
	struct card card;

	str_copy(spec.model, sizeof(spec.model), model->name);
	l.nic = nic_create(&spec, &clock, batch, &err);
	if (!l.nic) {
		printf("%s: not measured: %s\n", model->name, err.text);
		return false;
	}
	nic_set_link(l.nic, true);
	l.bus.ram =
		mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	card_open(&card, model, &l.bus);
	size_t opened = saved_size(l.nic);
	write_everything(&l);
	size_t most = saved_size(l.nic);
	printf("%s, saved state: %zu bytes, at most %zu bytes\n", model->name, opened, most);
	too_much |= !opened || most > STATE_MAX;
	munmap(l.bus.ram, RAM_SIZE);
	nic_destroy(l.nic);
	return true;
}

/* --- memory: more and more NICs in the real process --- */

static unsigned long private_kib(pid_t pid)
{
	char path[64], line[128];
	unsigned long kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Private_Dirty: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static void measure_memory(const struct card_model *model, const char *datapath)
{
	static struct bus first, more[MORE];
	struct card card;

	if (!bus_start_ours(&first, datapath, model->name, model->bar, -1)) {
		printf("%s: not measured: %s\n", model->name, first.error);
		return;
	}
	card_open(&card, model, &first);
	usleep(100000);
	unsigned long one = private_kib(first.pid);
	for (unsigned i = 0; i < MORE; i++) {
		if (!bus_add_ours(&more[i], &first, model->name, model->bar)) {
			printf("%s: not measured: %s\n", model->name, more[i].error);
			exit(1);
		}
		card_open(&card, model, &more[i]);
	}
	usleep(100000);
	printf("%s, private memory: %.1f KiB\n", model->name,
	       (double)(private_kib(first.pid) - one) / MORE);
	for (unsigned i = 0; i < MORE; i++)
		bus_stop(&more[i]);
	bus_stop(&first);
}

int main(int argc, char **argv)
{
	struct error err = { 0 };

	if (argc < 2) {
		fprintf(stderr, "usage: model_size DATAPATH [MODEL]...\n");
		return 2;
	}
	if (nic_models_prepare(&err) < 0) {
		fprintf(stderr, "model_size: %s\n", err.text);
		return 1;
	}
	for (unsigned i = 0; i < card_model_count; i++)
		if (card_wanted(card_models[i].name, argv + 2) && measure_state(&card_models[i]))
			measure_memory(&card_models[i], argv[1]);
	if (too_much)
		fprintf(stderr, "model_size: a saved state fails or has more than %u bytes\n",
			STATE_MAX);
	return too_much;
}
