#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 4000 /* a program of reads only would be no better for being longer */

enum script_op {
	OP_BAR_WRITE,
	OP_BAR_READ,
	OP_BAR_WRITE_AGAIN, /* weight: what drivers do most */
	OP_CONFIG_WRITE,
	OP_CONFIG_READ,
	OP_MEMORY,
	OP_MEMORY_REPEAT,
	OP_FRAME,
	OP_FRAMES,
	OP_TIME,
	OP_LINK,
	OP_WIRE,
	OP_RESET,
	OP_STOP,
	OP_MOVE,
	OP_UNMAP,
	OP_COUNT
};

uint8_t script_byte(struct script *s)
{
	if (!s->size)
		return 0;
	s->size--;
	return *s->data++;
}

uint32_t script_number(struct script *s, unsigned bytes)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint32_t)script_byte(s) << (8 * i);
	return v;
}

static void access_bar(struct script *s, bool write)
{
	uint8_t how = script_byte(s);
	uint32_t offset = script_number(s, how & 0x80 ? 2 : 1);
	unsigned size = 1u << (how >> 3 & 3);

	if (write)
		pci_bar_write(&s->m->nic->pci, how & 7, offset, size,
			      script_number(s, MIN(size, 4)));
	else
		pci_bar_read(&s->m->nic->pci, how & 7, offset, size);
}

static void access_config(struct script *s, bool write)
{
	unsigned size = 1u << script_byte(s) % 3;
	uint32_t offset = script_number(s, 2) % 4096;

	if (write)
		pci_config_write(&s->m->nic->pci, offset, size, script_number(s, size));
	else
		pci_config_read(&s->m->nic->pci, offset, size);
}

/* Puts bytes of the program into guest memory, once or many times at a distance (descriptors of a ring). */
static void write_memory(struct script *s, bool repeat)
{
	uint32_t at = script_number(s, 3) % RAM_SIZE;
	unsigned len = script_byte(s) % 64 + 1;
	unsigned times = repeat ? script_byte(s) % 64 + 1 : 1;
	uint8_t bytes[64];

	for (unsigned i = 0; i < len; i++)
		bytes[i] = script_byte(s);
	for (unsigned i = 0; i < times && at + len <= RAM_SIZE; i++, at += 16)
		memcpy(s->m->ram + at, bytes, len);
}

static void receive(struct script *s, unsigned n)
{
	static uint8_t data[16][FRAME_MAX];
	static struct frame frames[16];
	uint32_t len = script_number(s, 2);
	uint8_t flags = script_byte(s) & 3, head = script_byte(s) % 64;

	for (unsigned i = 0; i < n; i++) {
		memset(data[i], (int)i, len);
		if (head & 1)
			memcpy(data[i], s->m->nic->mac, MIN(len, 6));
		for (unsigned k = 6; k < head && k < len; k++)
			data[i][k] = script_byte(s);
		frame_set_linear(&frames[i], data[i], len);
		frames[i].hdr.flags = flags;
	}
	unsigned taken = s->m->nic->ops->receive(s->m->nic, frames, n);
	if (taken > n)
		abort();
}

static void move(struct script *s)
{
	struct buffer state = { 0 };

	if (nic_save(s->m->nic, &state) == 0) {
		unsigned broken = script_byte(s);
		if (broken && state.length)
			state.data[script_number(s, 2) % state.length] ^= (uint8_t)broken;
		struct error err = { 0 };
		if (nic_load(s->m->nic, state.data, state.length, &err) < 0 && !broken) {
			fprintf(stderr, "what was saved must load: %s\n", err.text);
			abort();
		}
	}
	buffer_finish(&state);
}

static void unmap(struct script *s)
{
	struct guest_mem *mem = &s->m->nic->mem;
	uint32_t half = RAM_SIZE / 2, second = script_byte(s) & 1;
	uint64_t at = RAM_AT + second * half;

	if (mem_unmap(mem, at, half) < 0)
		mem_map(mem, at, half, s->m->ram_fd, second * half, MEM_READ | MEM_WRITE, NULL);
}

static void step(struct script *s)
{
	struct machine *m = s->m;

	switch ((enum script_op)(script_byte(s) % OP_COUNT)) {
	case OP_BAR_WRITE:
	case OP_BAR_WRITE_AGAIN:
		access_bar(s, true);
		break;
	case OP_BAR_READ:
		access_bar(s, false);
		break;
	case OP_CONFIG_WRITE:
		access_config(s, true);
		break;
	case OP_CONFIG_READ:
		access_config(s, false);
		break;
	case OP_MEMORY:
		write_memory(s, false);
		break;
	case OP_MEMORY_REPEAT:
		write_memory(s, true);
		break;
	case OP_FRAME:
		receive(s, 1);
		break;
	case OP_FRAMES:
		receive(s, 16);
		break;
	case OP_TIME:
		machine_wait(m, script_number(s, 4));
		break;
	case OP_LINK:
		nic_set_link(m->nic, script_byte(s) & 1);
		break;
	case OP_WIRE:
		m->wire_room = script_byte(s) & 1 ? UINT32_MAX : script_byte(s) % 8;
		nic_kick(m->nic, 0);
		break;
	case OP_RESET:
		nic_reset(m->nic, script_byte(s) & 1 ? RESET_PCI : RESET_FUNCTION);
		break;
	case OP_STOP:
		m->nic->stopped = script_byte(s) & 1;
		break;
	case OP_MOVE:
		move(s);
		break;
	case OP_UNMAP:
	default:
		unmap(s);
		break;
	}
}

void script_run(struct script *s)
{
	for (unsigned n = 0; s->size && n < STEPS_MAX; n++) {
		step(s);
		machine_run(s->m);
		machine_clear_wire(s->m);
	}
}
