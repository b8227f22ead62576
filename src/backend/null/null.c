#include "backend/null/null.h"

#include "base/fd.h"
#include "net/offload.h"

static int null_init(struct backend *b, const struct backend_spec *spec, struct error *err)
{
	(void)err;
	for (unsigned i = 0; i < spec->nfds; i++) {
		int fd = spec->fds[i];

		fd_close(&fd);
	}
	b->up = true;
	return 0;
}

static void null_finish(struct backend *b)
{
	(void)b;
}

static unsigned null_send(struct backend *b, const struct frame *frames, unsigned n)
{
	(void)b;
	(void)frames;
	return n;
}

static unsigned null_receive(struct backend *b, unsigned queue, struct frame *frames, unsigned max)
{
	(void)b;
	(void)queue;
	(void)frames;
	(void)max;
	return 0;
}

static uint32_t null_offloads(const struct backend *b)
{
	(void)b;
	return FRAME_OFFLOADS_ALL;
}

const struct backend_ops null_backend = {
	.name = "null",
	.summary = "takes every frame and forgets it",
	.size = sizeof(struct backend),
	.init = null_init,
	.finish = null_finish,
	.send = null_send,
	.receive = null_receive,
	.offloads = null_offloads,
};
