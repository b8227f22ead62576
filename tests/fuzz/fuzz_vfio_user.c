/* fuzz_vfio_user.c - bytes become a conversation with the server: raw pieces of stream, messages with headers that are nearly
 * right, descriptors of memory, events and other things, turns for the server, reads or none, and new connections.
 * Afterwards the card must be as at power-on and every descriptor closed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attach/vfio_user/vfio_user.h"
#include "base/log.h"
#include "vfio_user_client.h"
#include "vfio_user_nic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
	STEP_RAW,     /* length, bytes */
	STEP_MESSAGE, /* command, flags, descriptors, length, bytes */
	STEP_ACCESS,  /* a register read or write that is well formed */
	STEP_MAP,     /* guest memory that is well formed */
	STEP_IRQS,    /* eventfds that are well formed */
	STEP_BUS_MASTER,
	STEP_ANSWER,  /* to DMA_READ, from the input */
	STEP_TURN,    /* the server's */
	STEP_READ,    /* what it sent is thrown away */
	STEP_CONNECT, /* the client hangs up and comes back */
	STEP_SECOND,  /* another client comes, says something or nothing, and perhaps goes */
	STEP_COUNT
};

#define STEPS_MAX 200

struct scene {
	struct loop loop;
	struct test_nic *t;
	struct vfio_user *v;
	struct sockaddr_un addr;
	socklen_t addr_size;
	int client, second;
	const uint8_t *in;
	size_t left;
};

static int passengers[4]; /* memory, an eventfd, a pipe's reading end, a socket */

static void quiet(enum log_level level, const char *text)
{
	(void)level;
	(void)text;
}

static unsigned next_byte(struct scene *s)
{
	if (!s->left)
		return 0;
	s->left--;
	return *s->in++;
}

static const uint8_t *next_bytes(struct scene *s, size_t *n)
{
	const uint8_t *p = s->in;

	*n = MIN(*n, s->left);
	s->in += *n;
	s->left -= *n;
	return p;
}

static uint64_t next_number(struct scene *s)
{
	uint64_t value = 0;
	size_t n = next_byte(s) % 9;
	const uint8_t *p = next_bytes(s, &n);

	if (n)
		memcpy(&value, p, n);
	return value;
}

static void turn(struct scene *s)
{
	struct loop_event e;

	for (unsigned i = 0; i < 64 && loop_next(&s->loop, &e, 0) > 0; i++) {
		if (e.kind == 1)
			vfio_user_accept(e.owner);
		else
			vfio_user_serve(e.owner, e.index, e.events);
	}
}

static void say(struct scene *s, const void *data, size_t size, unsigned fds)
{
	int fd[FD_PASS_MAX] = { 0 };
	unsigned n = fds % (FD_PASS_MAX + 1);

	for (unsigned i = 0; i < n; i++)
		fd[i] = passengers[(fds / 16 + i) % ARRAY_SIZE(passengers)];
	if (size)
		fd_send(s->client, data, size, fd, n);
}

static void say_message(struct scene *s, unsigned command, unsigned flags, const void *body,
			size_t size, unsigned fds)
{
	static uint8_t message[70000];
	struct vu_header h = { .id = 1,
			       .command = (uint16_t)command,
			       .size = (uint32_t)(sizeof(h) + size),
			       .flags = flags };

	memcpy(message, &h, sizeof(h));
	memcpy(message + sizeof(h), body, size);
	say(s, message, h.size, fds);
}

static void hang_up_and_connect(struct scene *s, bool hello)
{
	static const struct vu_version version;
	uint8_t body[512];

	fd_close(&s->client);
	s->client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(s->client, (struct sockaddr *)&s->addr, s->addr_size) < 0)
		abort();
	turn(s);
	if (!hello)
		return;
	memcpy(body, &version, sizeof(version));
	memcpy(body + sizeof(version), client_qemu_text, strlen(client_qemu_text) + 1);
	say_message(s, VU_VERSION, 0, body, sizeof(version) + strlen(client_qemu_text) + 1, 0);
	turn(s);
}

static void step_message(struct scene *s)
{
	unsigned command = next_byte(s), flags = next_byte(s), fds = next_byte(s);
	size_t n = next_byte(s) * (flags & 0x80 ? 256u : 1u);
	const uint8_t *body = next_bytes(s, &n);

	say_message(s, command % (VU_COMMANDS + 2), flags & 0x3f, body, n, fds & 0x40 ? fds : 0);
}

static void step_access(struct scene *s)
{
	unsigned bits = next_byte(s);
	uint8_t body[16 + 8] = { 0 };
	uint32_t size = 1u << (bits & 3);
	struct vu_region_access a = { .region = bits >> 4,
				      .offset = next_number(s) & 0xfff,
				      .count = size };

	memcpy(body, &a, sizeof(a));
	if (bits & 4) {
		uint64_t value = next_number(s);
		memcpy(body + sizeof(a), &value, size);
		say_message(s, VU_REGION_WRITE, bits & 8 ? VU_NO_REPLY : 0, body, sizeof(a) + size,
			    0);
	} else {
		say_message(s, VU_REGION_READ, 0, body, sizeof(a), 0);
	}
}

static void step_map(struct scene *s)
{
	unsigned bits = next_byte(s);
	struct vu_dma_map map = { 32, bits & 3, (bits >> 2 & 3) * 4096, next_number(s) & ~0xfffull,
				  (1 + (bits >> 4)) * 4096 };

	if (bits & 0x80)
		say_message(s, VU_DMA_UNMAP, 0, &(struct vu_dma_unmap){ 24, 0, map.iova, map.size },
			    24, 0);
	else
		say_message(s, VU_DMA_MAP, 0, &map, sizeof(map), bits & 0x40 ? 1 : 0);
}

static void step_irqs(struct scene *s)
{
	static const uint32_t forms[] = { 0x21, 0x22, 0x24, 0x11, 0x14, 0x09 };
	unsigned bits = next_byte(s), fds = next_byte(s);
	struct vu_set_irqs set = { 20, forms[(bits & 7) % ARRAY_SIZE(forms)], bits >> 3 & 3,
				   bits >> 5, fds & 7 };

	/* eventfds are what a vector gets; other things come by STEP_MESSAGE */
	say_message(s, VU_SET_IRQS, 0, &set, sizeof(set), fds & 0x80 ? (fds & 7) | 16 : 0);
}

static void step_answer(struct scene *s)
{
	uint8_t body[16 + 512] = { 0 }, asked[16 + 16];
	unsigned same = next_byte(s);

	/* the last question, if the client has one; else something made up */
	struct vu_header h = { .id = (uint16_t)next_byte(s) };
	while (recv(s->client, asked, sizeof(asked), 0) == sizeof(asked)) {
		memcpy(&h, asked, sizeof(h));
		memcpy(body, asked + sizeof(h), 16);
	}
	memset(body + 16, (int)same, 512);
	struct vu_header reply = { .id = h.id,
				   .command = VU_DMA_READ,
				   .flags = same & 0x80 ? VU_REPLY | VU_ERROR : VU_REPLY };
	size_t n = same & 0x80 ? 0 : sizeof(body);
	uint8_t message[sizeof(reply) + sizeof(body)];
	reply.size = (uint32_t)(sizeof(reply) + n);
	memcpy(message, &reply, sizeof(reply));
	memcpy(message + sizeof(reply), body, n);
	say(s, message, reply.size, 0);
}

static void step_second(struct scene *s)
{
	unsigned bits = next_byte(s);
	size_t n = bits >> 2;
	const uint8_t *words = next_bytes(s, &n);

	fd_close(&s->second);
	s->second = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(s->second, (struct sockaddr *)&s->addr, s->addr_size) < 0) {
		fd_close(&s->second); /* the queue is full */
		return;
	}
	if (bits & 1)
		turn(s);
	if (n)
		fd_send(s->second, words, n, passengers, bits & 2 ? 2 : 0);
}

static void take_step(struct scene *s)
{
	uint8_t sink[4096];
	size_t n;
	uint16_t command = PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY;
	struct {
		struct vu_region_access a;
		uint16_t command;
	} bme = { { PCI_COMMAND, VU_CONFIG, 2 }, command };

	switch ((enum step)(next_byte(s) % STEP_COUNT)) {
	case STEP_RAW:
		n = next_byte(s);
		const uint8_t *raw = next_bytes(s, &n);
		say(s, raw, n, 0);
		break;
	case STEP_MESSAGE:
		step_message(s);
		break;
	case STEP_ACCESS:
		step_access(s);
		break;
	case STEP_MAP:
		step_map(s);
		break;
	case STEP_IRQS:
		step_irqs(s);
		break;
	case STEP_BUS_MASTER:
		say_message(s, VU_REGION_WRITE, 0, &bme, 18, 0);
		break;
	case STEP_ANSWER:
		step_answer(s);
		break;
	case STEP_TURN:
		turn(s);
		break;
	case STEP_READ:
		while (recv(s->client, sink, sizeof(sink), 0) > 0)
			;
		break;
	case STEP_CONNECT:
		hang_up_and_connect(s, next_byte(s) & 1);
		break;
	case STEP_SECOND:
		step_second(s);
		break;
	case STEP_COUNT:
		break;
	}
}

static void open_passengers(void)
{
	int ends[2], pair[2];

	if (passengers[0])
		return;
	log_set_sink(quiet);
	passengers[0] = memfd_create("guest", MFD_CLOEXEC);
	passengers[1] = eventfd(0, EFD_NONBLOCK);
	if (ftruncate(passengers[0], 16 * 4096) < 0 || pipe(ends) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	passengers[2] = ends[0];
	passengers[3] = pair[0];
}

/* The number that the next descriptor would get: it grows with a leak. */
static int next_descriptor(void)
{
	int fd = dup(passengers[0]);

	close(fd);
	return fd;
}

static void open_scene(struct scene *s)
{
	static uint8_t rom[5000];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	s->client = s->second = -1;
	s->addr.sun_family = AF_UNIX;
	s->addr_size = sizeof(s->addr);
	/* without a name the kernel chooses one that is in no file system */
	if (bind(fd, (struct sockaddr *)&s->addr, sizeof(sa_family_t)) < 0 ||
	    listen(fd, STEPS_MAX) < 0 ||
	    getsockname(fd, (struct sockaddr *)&s->addr, &s->addr_size) < 0 ||
	    loop_init(&s->loop, NULL) < 0)
		abort();
	s->t = test_nic_create("fuzz", TEST_EXPRESS, rom, sizeof(rom));
	s->v = vfio_user_create(&s->t->nic, fd, &s->loop, 1, 2, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene s = { .in = data, .left = size };

	open_passengers();
	int before = next_descriptor();
	open_scene(&s);
	hang_up_and_connect(&s, true);
	for (unsigned i = 0; s.left && i < STEPS_MAX; i++)
		take_step(&s);
	turn(&s);
	fd_close(&s.second); /* before the client: it must not take its place */
	turn(&s);
	fd_close(&s.client);
	for (unsigned i = 0; i < 16; i++)
		turn(&s);
	if (vfio_user_connected(s.v) || s.t->nic.mem.regions || s.t->nic.mem.bus_master ||
	    s.t->r.scratch != 0x5a5a5a5a)
		abort();
	for (unsigned i = 0; i < PCI_IRQ_INDEXES; i++)
		if (s.t->nic.pci.irq_fds[i])
			abort();
	vfio_user_destroy(s.v);
	test_nic_destroy(s.t);
	loop_finish(&s.loop);
	if (next_descriptor() != before)
		abort();
	return 0;
}
