/* fuzz_vhost_user.c - bytes become a conversation with the vhost-user server and what a hostile guest writes into the rings that it
 * tells of: raw pieces of stream, messages that are nearly right, descriptors of memory, events and other things, a whole
 * bring-up, descriptors, memory, kicks, frames from the wire, time, and new connections.
 *
 * The first byte picks ring format and pairs. Every turn ends; afterwards the card is as new, and every descriptor is closed.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "attach/vhost_user/proto.h"
#include "attach/vhost_user/vhost_user.h"
#include "base/bytes.h"
#include "base/fd.h"
#include "base/log.h"

#define RAM_AT	  0x10000ull
#define RAM_SIZE  0x40000u
#define USER_AT	  0x700000000000ull
#define RING_SIZE 16u
#define STEPS_MAX 300
#define TURNS_MAX 2000

/* Where ring n has its parts. */
#define DESC_AT(n)   (0x1000u * (1 + (n)))
#define AVAIL_AT(n)  (DESC_AT(n) + 0x400)
#define USED_AT(n)   (DESC_AT(n) + 0x800)
#define BUFFER_AT(n) (0x20000u + 0x1000u * (n))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
	STEP_RAW,      /* length, bytes */
	STEP_MESSAGE,  /* request, flags, descriptors, length, bytes */
	STEP_BRING_UP, /* features, memory and the rings of all pairs, as a client would */
	STEP_RING,     /* one message about a ring, well formed */
	STEP_MEMORY,   /* bytes to a place in guest memory */
	STEP_CHAIN,    /* a descriptor into a ring, made available */
	STEP_KICK,
	STEP_WIRE, /* a frame for the guest */
	STEP_ROOM, /* how many frames the wire takes */
	STEP_LINK,
	STEP_LOG, /* a log of dirty pages, and the feature */
	STEP_TIME,
	STEP_TURN,    /* the server's */
	STEP_READ,    /* what it sent is thrown away */
	STEP_CONNECT, /* the client hangs up and comes back */
	STEP_COUNT
};

struct scene {
	struct nic_sink sink; /* first */
	struct loop loop;
	struct nic *nic;
	struct clock clock;
	struct vhost_user *v;
	struct sockaddr_un addr;
	socklen_t addr_size;
	int client;
	const uint8_t *in;
	size_t left;
	unsigned room, pairs;
	bool packed;
	uint16_t next[16];
};

static struct frame batch[FRAME_BATCH];
static uint8_t *ram;
static int passengers[5]; /* memory, an eventfd, a pipe's reading and writing end, a socket */

static void quiet(enum log_level level, const char *text)
{
	(void)level;
	(void)text;
}

static uint64_t take(struct scene *s, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes && s->left; i++, s->left--)
		value |= (uint64_t)*s->in++ << (8 * i);
	return value;
}

static const uint8_t *take_bytes(struct scene *s, size_t *n)
{
	const uint8_t *p = s->in;

	*n = MIN(*n, s->left);
	s->in += *n;
	s->left -= *n;
	return p;
}

static unsigned keep(struct nic_sink *sink, struct nic *nic, struct frame *frames, unsigned n)
{
	struct scene *s = (struct scene *)sink;
	unsigned taken = MIN(n, s->room);

	(void)nic;
	s->room -= taken;
	for (unsigned i = 0; i < taken; i++)
		if (!frame_pieces_match(&frames[i]))
			abort();
	return taken;
}

static void run_card(struct scene *s)
{
	unsigned turns = 0;

	while (s->nic->notes.runnable) {
		uint32_t runnable = s->nic->notes.runnable;
		s->nic->notes.runnable = 0;
		for (unsigned q = 0; q < 32; q++)
			while ((runnable & BIT(q)) && s->nic->ops->transmit(s->nic, q))
				if (++turns > TURNS_MAX)
					return; /* more than a ring holds came: the input goes on with something else */
	}
	nic_update_status(s->nic);
}

static void turn(struct scene *s)
{
	struct loop_event e;

	for (unsigned i = 0; i < 64 && loop_next(&s->loop, &e, 0) > 0; i++) {
		if (e.kind == 1)
			vhost_user_accept(e.owner);
		else
			vhost_user_serve(e.owner, e.index, e.events);
		run_card(s);
	}
}

static void say(struct scene *s, uint32_t request, uint32_t flags, const void *body, size_t size,
		const int *fds, unsigned nfds)
{
	uint8_t message[sizeof(struct vhu_header) + 300];
	struct vhu_header h = { request, VHU_VERSION ^ flags, (uint32_t)size };

	memcpy(message, &h, sizeof(h));
	if (size)
		memcpy(message + sizeof(h), body, size);
	fd_send(s->client, message, sizeof(h) + size, fds, nfds);
}

static void connect_again(struct scene *s)
{
	fd_close(&s->client);
	s->client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (connect(s->client, (struct sockaddr *)&s->addr, s->addr_size) < 0)
		abort();
	turn(s);
}

static void step_message(struct scene *s)
{
	uint32_t request = (uint32_t)take(s, 1) % (VHU_REQUESTS + 2);
	unsigned bits = (unsigned)take(s, 1), which = (unsigned)take(s, 1);
	size_t n = take(s, 1);
	const uint8_t *body = take_bytes(s, &n);
	int fds[8];

	for (unsigned i = 0; i < 8; i++)
		fds[i] = passengers[(which + i) % ARRAY_SIZE(passengers)];
	say(s, request, bits & 0x80 ? VHU_NEED_REPLY : bits & 7, body, n, fds, bits >> 3 & 7);
	turn(s);
}

static void tell_ring(struct scene *s, unsigned ring, unsigned what, uint32_t value)
{
	struct vhu_vring_state state = { ring, value };
	struct vhu_vring_addr a = { .index = ring,
				    .flags = value & 1,
				    .desc = USER_AT + DESC_AT(ring % 16),
				    .used = USER_AT + USED_AT(ring % 16),
				    .avail = USER_AT + AVAIL_AT(ring % 16) };
	uint64_t event = ring;

	switch (what % 8) {
	case 0:
		say(s, VHU_SET_VRING_NUM, 0, &state, sizeof(state), NULL, 0);
		break;
	case 1:
		say(s, VHU_SET_VRING_BASE, 0, &state, sizeof(state), NULL, 0);
		break;
	case 2:
		say(s, VHU_SET_VRING_ADDR, 0, &a, sizeof(a), NULL, 0);
		break;
	case 3:
		say(s, VHU_SET_VRING_KICK, 0, &event, sizeof(event), &passengers[1], 1);
		break;
	case 4:
		say(s, VHU_SET_VRING_CALL, 0, &event, sizeof(event), &passengers[value % 5], 1);
		break;
	case 5:
		state.num &= 1;
		say(s, VHU_SET_VRING_ENABLE, 0, &state, sizeof(state), NULL, 0);
		break;
	case 6:
		say(s, VHU_GET_VRING_BASE, 0, &state, sizeof(state), NULL, 0);
		break;
	default:
		say(s, VHU_RESET_DEVICE, 0, NULL, 0, NULL, 0);
		break;
	}
	turn(s);
}

static void step_bring_up(struct scene *s)
{
	uint64_t protocol = 0x9a01f;
	/* of those that are offered: offloads, merged buffers, the log, indirect tables, event indexes */
	uint64_t features = 1ull << 32 | 1u << 30 | (take(s, 4) & 0x3422bb83);
	struct vhu_mem_reg m = { .region = { RAM_AT, RAM_SIZE, USER_AT, 0 } };

	if (s->packed)
		features |= 1ull << 34;
	say(s, VHU_SET_PROTOCOL_FEATURES, 0, &protocol, 8, NULL, 0);
	say(s, VHU_SET_FEATURES, 0, &features, 8, NULL, 0);
	say(s, VHU_ADD_MEM_REG, VHU_NEED_REPLY, &m, sizeof(m), &passengers[0], 1);
	turn(s);
	for (unsigned ring = 0; ring < 2 * s->pairs; ring++) {
		s->next[ring] = 0;
		tell_ring(s, ring, 0, RING_SIZE);
		tell_ring(s, ring, 1, s->packed ? 0x80008000 : 0);
		tell_ring(s, ring, 2, 0);
		tell_ring(s, ring, 4, 1);
		tell_ring(s, ring, 5, 1);
		tell_ring(s, ring, 3, 0);
	}
}

static void step_memory(struct scene *s)
{
	uint32_t at = (uint32_t)take(s, 3) % (RAM_SIZE - 256);
	size_t n = take(s, 1);
	const uint8_t *p = take_bytes(s, &n);

	memcpy(ram + at, p, n);
}

static void step_chain(struct scene *s)
{
	unsigned ring = (unsigned)take(s, 1) % 16, bits = (unsigned)take(s, 1);
	uint32_t length = (uint32_t)take(s, 2);
	unsigned slot = s->next[ring] % RING_SIZE, lap = s->next[ring] / RING_SIZE & 1;
	uint8_t *d = ram + DESC_AT(ring) + (size_t)16 * slot;
	uint16_t flags = (uint16_t)(bits & 7);

	put_le64(d, RAM_AT + BUFFER_AT(ring) + (bits >> 4) * 8);
	put_le32(d + 8, length);
	s->next[ring]++;
	if (s->packed) {
		put_le16(d + 12, (uint16_t)slot);
		put_le16(d + 14, (uint16_t)(flags | (lap ? 0x8000 : 0x80)));
		return;
	}
	put_le16(d + 12, flags);
	put_le16(d + 14, (uint16_t)((slot + 1) % RING_SIZE));
	put_le16(ram + AVAIL_AT(ring) + 4 + (size_t)2 * slot, (uint16_t)slot);
	put_le16(ram + AVAIL_AT(ring) + 2, s->next[ring]);
}

static void step_wire(struct scene *s)
{
	static uint8_t room[FRAME_MAX];
	static struct frame f;
	unsigned bits = (unsigned)take(s, 1);
	uint32_t length = ETH_HEADER + (uint32_t)take(s, 2) % (FRAME_MAX - ETH_HEADER);

	memset(room, 0xff, 12);
	frame_set_linear(&f, room, length);
	f.queue = (uint16_t)(bits % 16);
	(void)s->nic->ops->receive(s->nic, &f, 1);
	run_card(s);
}

static void step_log(struct scene *s)
{
	struct vhu_log log = { take(s, 2), take(s, 2) };
	uint64_t features = take(s, 8);

	say(s, VHU_SET_LOG_BASE, 0, &log, sizeof(log), &passengers[0], 1);
	say(s, VHU_SET_FEATURES, VHU_NEED_REPLY, &features, 8, NULL, 0);
	turn(s);
}

static void take_step(struct scene *s)
{
	uint8_t sink[4096];
	size_t n;
	uint64_t one = 1;

	switch ((enum step)(take(s, 1) % STEP_COUNT)) {
	case STEP_RAW:
		n = take(s, 1);
		const uint8_t *raw = take_bytes(s, &n);
		if (n)
			fd_send(s->client, raw, n, NULL, 0);
		break;
	case STEP_MESSAGE:
		step_message(s);
		break;
	case STEP_BRING_UP:
		step_bring_up(s);
		break;
	case STEP_RING:
		n = take(s, 1);
		unsigned what = (unsigned)take(s, 1);
		tell_ring(s, (unsigned)n, what, (uint32_t)take(s, 4));
		break;
	case STEP_MEMORY:
		step_memory(s);
		break;
	case STEP_CHAIN:
		step_chain(s);
		break;
	case STEP_KICK:
		if (write(passengers[1], &one, sizeof(one)) < 0 &&
		    read(passengers[1], &one, sizeof(one)) < 0)
			abort(); /* full and empty at once */
		turn(s);
		break;
	case STEP_WIRE:
		step_wire(s);
		break;
	case STEP_ROOM:
		s->room = (unsigned)take(s, 1);
		for (unsigned q = 0; q < s->pairs; q++)
			nic_kick(s->nic, q);
		run_card(s);
		break;
	case STEP_LINK:
		nic_set_link(s->nic, take(s, 1) & 1);
		break;
	case STEP_LOG:
		step_log(s);
		break;
	case STEP_TIME:
		clock_set(&s->clock, clock_now(&s->clock) + (take(s, 2) << 16));
		if (s->nic->notes.deadline_ns &&
		    s->nic->notes.deadline_ns <= clock_now(&s->clock)) {
			s->nic->notes.deadline_ns = 0;
			s->nic->ops->timer(s->nic);
			run_card(s);
		}
		break;
	case STEP_TURN:
		turn(s);
		break;
	case STEP_READ:
		while (recv(s->client, sink, sizeof(sink), 0) > 0)
			;
		break;
	case STEP_CONNECT:
		connect_again(s);
		break;
	case STEP_COUNT:
		break;
	}
}

static void open_passengers(void)
{
	int ends[2], pair[2];

	if (ram)
		return;
	log_set_sink(quiet);
	passengers[0] = memfd_create("guest", MFD_CLOEXEC);
	passengers[1] = eventfd(0, EFD_NONBLOCK);
	if (ftruncate(passengers[0], RAM_SIZE) < 0 || pipe(ends) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		abort();
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, passengers[0], 0);
	passengers[2] = ends[0];
	passengers[3] = ends[1];
	passengers[4] = pair[0];
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
	struct nic_spec spec = { .id = "fuzz",
				 .model = "virtio-net",
				 .rev = -1,
				 .bootindex = -1,
				 .transport = TRANSPORT_VHOST_USER };
	unsigned bits = (unsigned)take(s, 1);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	s->packed = bits & 1;
	s->pairs = 1 + (bits >> 1) % 8;
	spec.packed = s->packed || bits & 0x80;
	spec.queues = (uint16_t)s->pairs;
	s->sink.send = keep;
	s->room = UINT32_MAX;
	s->client = -1;
	clock_set(&s->clock, NS_PER_S);
	memset(ram, 0, RAM_SIZE);
	s->addr.sun_family = AF_UNIX;
	s->addr_size = sizeof(s->addr);
	/* without a name the kernel chooses one that is in no file system */
	if (bind(fd, (struct sockaddr *)&s->addr, sizeof(sa_family_t)) < 0 ||
	    listen(fd, STEPS_MAX) < 0 ||
	    getsockname(fd, (struct sockaddr *)&s->addr, &s->addr_size) < 0 ||
	    loop_init(&s->loop, NULL) < 0 || nic_models_prepare(NULL) < 0)
		abort();
	s->nic = nic_create(&spec, &s->clock, batch, NULL);
	s->nic->sink = &s->sink;
	nic_set_link(s->nic, true);
	s->v = vhost_user_create(s->nic, fd, &s->loop, 1, 2, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct scene s = { .in = data, .left = size };

	open_passengers();
	int before = next_descriptor();
	open_scene(&s);
	connect_again(&s);
	for (unsigned i = 0; s.left && i < STEPS_MAX; i++)
		take_step(&s);
	turn(&s);
	fd_close(&s.client);
	for (unsigned i = 0; i < 64 && vhost_user_connected(s.v); i++)
		turn(&s);
	if (vhost_user_connected(s.v) || s.nic->mem.regions || s.nic->mem.log ||
	    s.nic->status.now.state != DRIVER_NONE)
		abort();
	vhost_user_destroy(s.v);
	nic_destroy(s.nic);
	loop_finish(&s.loop);
	if (next_descriptor() != before)
		abort();
	return 0;
}
