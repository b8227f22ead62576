#include "backend/user/slirp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <libslirp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/frame.h"

#define OUT_ROOM   (1u << 20)
#define OUT_FRAMES 2048u
#define TIMERS	   4u
#define MTU_MAX	   65521u /* libslirp's own limit */

struct timer {
	bool used;
	bool armed;
	SlirpTimerId id;
	void *opaque;
	int64_t expire_ms;
};

/* Frames for the guest that were not sent yet: copied, since libslirp frees its own at once. */
struct outbox {
	uint8_t *data;
	size_t used;
	struct iovec frame[OUT_FRAMES];
	unsigned first, count;
};

struct network {
	Slirp *slirp;
	int sock;
	bool closed;
	struct timer timer[TIMERS];
	struct pollfd *fds;
	unsigned fd_count, fd_room;
	struct outbox out;
	struct mmsghdr messages[FRAME_BATCH];
	struct iovec in[FRAME_BATCH];
	uint8_t *in_data;
};

/* --- frames to the guest --- */

static void flush_out(struct network *n)
{
	struct outbox *o = &n->out;

	while (o->first < o->count && !n->closed) {
		unsigned batch = MIN(o->count - o->first, FRAME_BATCH);

		for (unsigned i = 0; i < batch; i++)
			n->messages[i] = (struct mmsghdr){
				.msg_hdr = { .msg_iov = &o->frame[o->first + i], .msg_iovlen = 1 },
			};
		int sent = sendmmsg(n->sock, n->messages, batch, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0)
			o->first += (unsigned)sent;
		else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
			return;
		else if (errno == EMSGSIZE)
			o->first++;
		else if (errno != EINTR)
			n->closed = true;
	}
	o->first = o->count = 0;
	o->used = 0;
}

static bool out_waits(const struct network *n)
{
	return n->out.first < n->out.count;
}

static ssize_t send_packet(const void *data, size_t len, void *opaque)
{
	struct network *n = opaque;
	struct outbox *o = &n->out;

	if (o->count == OUT_FRAMES || len > OUT_ROOM - o->used)
		flush_out(n);
	if (o->count == OUT_FRAMES || len > OUT_ROOM - o->used)
		return (ssize_t)len; /* lost, as on a wire: TCP sends again */
	memcpy(o->data + o->used, data, len);
	o->frame[o->count++] = (struct iovec){ .iov_base = o->data + o->used, .iov_len = len };
	o->used += len;
	return (ssize_t)len;
}

/* --- frames from the guest --- */

static void receive_batch(struct network *n)
{
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		n->in[i] = (struct iovec){ .iov_base = n->in_data + i * (size_t)FRAME_MAX,
					   .iov_len = FRAME_MAX };
		n->messages[i] =
			(struct mmsghdr){ .msg_hdr = { .msg_iov = &n->in[i], .msg_iovlen = 1 } };
	}
	int came = recvmmsg(n->sock, n->messages, FRAME_BATCH, MSG_DONTWAIT, NULL);
	if (came < 0) {
		n->closed = errno != EAGAIN && errno != EINTR;
		return;
	}
	unsigned length[FRAME_BATCH]; /* sending uses the same messages */
	for (int i = 0; i < came; i++)
		length[i] = n->messages[i].msg_hdr.msg_flags & MSG_TRUNC ? UINT32_MAX
									 : n->messages[i].msg_len;
	for (int i = 0; i < came && !n->closed; i++) {
		if (length[i] == 0)
			n->closed = true; /* the end of the connection */
		else if (length[i] != UINT32_MAX)
			slirp_input(n->slirp, n->in[i].iov_base, (int)length[i]);
	}
}

/* --- what libslirp asks for --- */

static int64_t clock_ns(void *opaque)
{
	(void)opaque;
	return (int64_t)monotonic_ns();
}

static void *timer_create_one(SlirpTimerId id, void *timer_opaque, void *opaque)
{
	struct network *n = opaque;

	for (unsigned i = 0; i < TIMERS; i++)
		if (!n->timer[i].used) {
			n->timer[i] =
				(struct timer){ .used = true, .id = id, .opaque = timer_opaque };
			return &n->timer[i];
		}
	return NULL;
}

static void timer_release(void *timer, void *opaque)
{
	struct timer *t = timer;

	(void)opaque;
	if (t)
		t->used = t->armed = false;
}

static void timer_arm(void *timer, int64_t expire_ms, void *opaque)
{
	struct timer *t = timer;

	(void)opaque;
	if (!t)
		return;
	t->expire_ms = expire_ms;
	t->armed = true;
}

static void ignore_message(const char *text, void *opaque)
{
	(void)text;
	(void)opaque;
}

static void ignore_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void ignore_notice(void *opaque)
{
	(void)opaque;
}

static void ignore_completion(Slirp *slirp, void *opaque)
{
	(void)slirp;
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = ignore_message, /* a guest must not write on our stderr */
	.clock_get_ns = clock_ns,
	.timer_free = timer_release,
	.timer_mod = timer_arm,
	.register_poll_fd = ignore_fd,
	.unregister_poll_fd = ignore_fd,
	.notify = ignore_notice,
	.init_completed = ignore_completion,
	.timer_new_opaque = timer_create_one,
};

/* --- polling --- */

static const struct {
	int slirp;
	short poll;
} poll_bits[] = {
	{ SLIRP_POLL_IN, POLLIN },   { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
	{ SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int push_fd(struct network *n, int fd, short events)
{
	if (n->fd_count == n->fd_room) {
		unsigned room = n->fd_room ? n->fd_room * 2 : 64;
		struct pollfd *grown = realloc(n->fds, room * sizeof(*grown));

		if (!grown)
			return -1;
		n->fds = grown;
		n->fd_room = room;
	}
	n->fds[n->fd_count] = (struct pollfd){ .fd = fd, .events = events };
	return (int)n->fd_count++;
}

static int add_poll(int fd, int events, void *opaque)
{
	short wanted = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(poll_bits); i++)
		if (events & poll_bits[i].slirp)
			wanted |= poll_bits[i].poll;
	return push_fd(opaque, fd, wanted);
}

static int get_revents(int index, void *opaque)
{
	const struct network *n = opaque;
	int events = 0;

	if (index < 0 || (unsigned)index >= n->fd_count)
		return 0;
	for (unsigned i = 0; i < ARRAY_SIZE(poll_bits); i++)
		if (n->fds[index].revents & poll_bits[i].poll)
			events |= poll_bits[i].slirp;
	return events;
}

static uint32_t until_timers(const struct network *n, uint32_t wait_ms)
{
	int64_t now = clock_ns(NULL) / (int64_t)NS_PER_MS;

	for (unsigned i = 0; i < TIMERS; i++)
		if (n->timer[i].armed)
			wait_ms = (uint32_t)MIN((int64_t)wait_ms,
						MAX(0, n->timer[i].expire_ms - now));
	return wait_ms;
}

static void run_timers(struct network *n)
{
	int64_t now = clock_ns(NULL) / (int64_t)NS_PER_MS;

	for (unsigned i = 0; i < TIMERS; i++) {
		struct timer *t = &n->timer[i];

		if (t->armed && t->expire_ms <= now) {
			t->armed = false;
			slirp_handle_timer(n->slirp, t->id, t->opaque);
		}
	}
}

/* While frames wait for the guest nothing more is taken from the host's sockets: that is how TCP there slows down. */
static void run_once(struct network *n)
{
	bool full = out_waits(n);
	uint32_t wait_ms = UINT32_MAX;

	n->fd_count = 0;
	if (push_fd(n, n->sock, full ? POLLIN | POLLOUT : POLLIN) < 0) {
		n->closed = true;
		return;
	}
	if (!full)
		slirp_pollfds_fill(n->slirp, &wait_ms, add_poll, n);
	wait_ms = until_timers(n, wait_ms);
	int ready = poll(n->fds, n->fd_count, wait_ms > INT32_MAX ? -1 : (int)wait_ms);
	if (ready < 0 && errno != EINTR) {
		n->closed = true;
		return;
	}
	short sock = ready > 0 ? n->fds[0].revents : 0;
	if (!full)
		slirp_pollfds_poll(n->slirp, ready < 0, get_revents, n);
	if (sock & (POLLIN | POLLHUP | POLLERR))
		receive_batch(n);
	run_timers(n);
	flush_out(n);
}

void network_run(struct network *n)
{
	while (!n->closed)
		run_once(n);
}

/* --- life cycle --- */

static int open_forwards(struct network *n, const struct user_options *o, struct error *err)
{
	for (unsigned i = 0; i < o->forwards; i++) {
		const struct forward *f = &o->forward[i];

		if (slirp_add_hostfwd(n->slirp, f->udp, f->host, f->host_port, f->guest,
				      f->guest_port) == 0)
			continue;
		int code = errno ? -errno : -EIO;
		const char *next = "choose another host address or port";
		if (code == -EADDRINUSE)
			next = "stop the program that has this port (ss -lntup shows it), or "
			       "choose another";
		else if (code == -EACCES)
			next = "choose a port of 1024 or above";
		else if (code == -EADDRNOTAVAIL)
			next = "choose an address of this host, or none for all of them";
		return error_set(err, code,
				 "hostfwd=%s: port %u of the host cannot be opened: %s; next: %s",
				 o->forward_text[i], f->host_port, strerror(-code), next);
	}
	return 0;
}

static SlirpConfig make_config(const struct user_options *o)
{
	struct user_addresses a = user_addresses_of(o);
	SlirpConfig c = {
		.version = 4,
		.in_enabled = true,
		.vnetwork = a.net,
		.vnetmask = a.mask,
		.vhost = a.host,
		.vdhcp_start = a.dhcp,
		.vnameserver = a.dns,
		.in6_enabled = true,
		.vprefix_len = 64,
		.vhostname = o->hostname[0] ? o->hostname : NULL,
		.tftp_path = o->tftp[0] ? o->tftp : NULL,
		.bootfile = o->bootfile[0] ? o->bootfile : NULL,
		.if_mtu = MIN(o->mtu, MTU_MAX),
		.if_mru = MIN(o->mtu, MTU_MAX),
	};

	inet_pton(AF_INET6, "fec0::", &c.vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &c.vhost6);
	inet_pton(AF_INET6, "fec0::3", &c.vnameserver6);
	return c;
}

/* libslirp warns through glib about what guests do; the default handler writes to stderr and looks at files. */
static void drop_log(const char *domain, GLogLevelFlags level, const char *text, void *opaque)
{
	(void)domain;
	(void)level;
	(void)text;
	(void)opaque;
}

struct network *network_create(const struct user_options *o, int sock, struct error *err)
{
	struct network *n = calloc(1, sizeof(*n));
	SlirpConfig config = make_config(o);

	if (n)
		n->in_data = malloc(FRAME_BATCH * (size_t)FRAME_MAX);
	if (n)
		n->out.data = malloc(OUT_ROOM);
	if (!n || !n->in_data || !n->out.data) {
		error_set(err, -ENOMEM, "out of memory");
		goto fail;
	}
	n->sock = sock;
	g_log_set_default_handler(drop_log, NULL);
	n->slirp = slirp_new(&config, &callbacks, n);
	if (!n->slirp) {
		error_set(err, -EINVAL, "libslirp %s refuses these options",
			  slirp_version_string());
		goto fail;
	}
	if (open_forwards(n, o, err) < 0)
		goto fail;
	return n;

fail:
	network_destroy(n);
	return NULL;
}

void network_destroy(struct network *n)
{
	if (!n)
		return;
	if (n->slirp)
		slirp_cleanup(n->slirp);
	free(n->fds);
	free(n->in_data);
	free(n->out.data);
	free(n);
}
