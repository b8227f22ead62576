/* backend_help.h - frames and buffers for the tests of backends. */
#ifndef ANYNIC_TESTS_BACKEND_HELP_H
#define ANYNIC_TESTS_BACKEND_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "backend/backend.h"
#include "base/bytes.h"

struct rx_room {
	struct frame frames[FRAME_BATCH];
	struct {
		uint8_t front[BACKEND_FRONT];
		uint8_t data[FRAME_MAX];
	} room[FRAME_BATCH];
};

static inline struct frame *rx_frames(struct rx_room *r)
{
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		r->frames[i].iovs = 1;
		r->frames[i].iov[0] = (struct iovec){ r->room[i].data, FRAME_MAX };
	}
	return r->frames;
}

/* A frame whose bytes tell its number and length. */
static inline void make_frame(struct frame *f, uint8_t *data, uint32_t number, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		data[i] = (uint8_t)(number * 31 + i * 7);
	put_be32(data, number);
	frame_set_linear(f, data, length);
}

static inline void assert_frame(const struct frame *f, uint32_t number, uint32_t length)
{
	const uint8_t *data = f->iov[0].iov_base;

	assert_int_equal(f->length, length);
	assert_int_equal(f->iovs, 1);
	assert_int_equal(f->iov[0].iov_len, length);
	assert_int_equal(get_be32(data), number);
	for (uint32_t i = 4; i < length; i++)
		assert_int_equal(data[i], (uint8_t)(number * 31 + i * 7));
}

static inline bool fd_is(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, 0) == 1 && (p.revents & events);
}

static inline struct backend_spec spec_of(const char *type, int fd)
{
	struct backend_spec spec = { .nfds = fd >= 0, .fds = { fd } };

	str_copy(spec.type, sizeof(spec.type), type);
	return spec;
}

static inline struct backend *must_create(const struct backend_spec *spec)
{
	struct error err = { 0 };
	struct backend *b = backend_create(spec, &err);

	if (!b)
		fail_msg("%s", err.text);
	return b;
}

#endif
