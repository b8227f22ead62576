/* assemble.c - a hosted port from a message and its descriptors: backend, NICs, sockets. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "datapath/datapath.h"

#define ROM_MAX (1u << 20)

/* The next descriptor of the message, which no longer owns it; -1 when there is none. */
static int take_fd(struct message *m, unsigned *next)
{
	if (*next >= m->nfds)
		return -1;
	int fd = m->fds[*next];
	m->fds[(*next)++] = -1;
	return fd;
}

static int load_rom(struct hosted_nic *hn, int fd, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > ROM_MAX)
		return error_set(err, -EINVAL, "romfile: not a file of 1 to %u bytes", ROM_MAX);
	void *rom = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (rom == MAP_FAILED)
		return error_set(err, -errno, "romfile: cannot be mapped: %s", strerror(errno));
	hn->rom = rom;
	hn->rom_size = (size_t)st.st_size;
	return 0;
}

static struct nic *make_nic(struct hosted_port *hp, unsigned i, const struct nic_spec *spec,
			    int rom_fd, struct error *err)
{
	struct hosted_nic *hn = &hp->nic[i];

	if (rom_fd >= 0 && load_rom(hn, rom_fd, err) < 0)
		return NULL;
	hn->port = hp;
	if (spec->netdev == NETDEV_STREAM) {
		int fd = hn->listen_fd;

		hn->listen_fd = -1;
		return hn->nic = remote_create(spec, fd, &hp->clock, hp->worker->batch, err);
	}
	hn->nic = nic_create(spec, &hp->clock, hp->worker->batch, err);
	if (hn->nic && hn->rom)
		pci_set_rom(&hn->nic->pci, hn->rom, (uint32_t)hn->rom_size);
	return hn->nic;
}

static const struct msg_port_add *checked_body(const struct message *m, struct error *err)
{
	const struct msg_port_add *a = message_body(m, sizeof(*a));

	if (a && a->spec.nics >= 1 && a->spec.nics <= PORT_NICS &&
	    a->spec.backend.nfds <= QUEUES_MAX)
		return a;
	error_set(err, -EPROTO, "the message that adds a port is malformed");
	return NULL;
}

/* Backend and NICs; what was made is in *backend and hp->nic[], also on failure. */
static int make_parts(struct hosted_port *hp, struct message *m, const struct msg_port_add *add,
		      struct backend **backend, struct nic **nics, struct error *err)
{
	struct backend_spec spec = add->spec.backend;
	unsigned next = 0;

	for (unsigned i = 0; i < spec.nfds; i++)
		spec.fds[i] = take_fd(m, &next);
	*backend = backend_create(&spec, err);
	if (!*backend)
		return -EINVAL;
	for (unsigned i = 0; i < add->spec.nics; i++) {
		hp->nic[i].listen_fd = take_fd(m, &next);
		if (hp->nic[i].listen_fd < 0)
			return error_set(err, -EPROTO,
					 "the message that adds a port lacks a socket");
		int rom_fd = add->rom[i] ? take_fd(m, &next) : -1;
		nics[i] = make_nic(hp, i, &add->spec.nic[i], rom_fd, err);
		fd_close(&rom_fd);
		if (!nics[i])
			return -EINVAL;
	}
	return 0;
}

struct hosted_port *hosted_port_create(struct message *m, struct worker *w, struct error *err)
{
	const struct msg_port_add *add = checked_body(m, err);
	struct backend *backend = NULL;
	struct nic *nics[PORT_NICS] = { NULL };

	if (!add) {
		message_close_fds(m);
		return NULL;
	}
	struct hosted_port *hp = calloc(1, sizeof(*hp));
	if (!hp) {
		error_set(err, -ENOMEM, "port %s: out of memory", add->spec.id);
		message_close_fds(m);
		return NULL;
	}
	hp->worker = w;
	for (unsigned i = 0; i < PORT_NICS; i++)
		hp->nic[i].listen_fd = -1;
	if (make_parts(hp, m, add, &backend, nics, err) < 0)
		goto fail;
	message_close_fds(m);
	if (port_init(&hp->port, &add->spec, backend, nics, add->spec.nics, &w->scratch, err) < 0) {
		hosted_port_destroy(hp);
		return NULL;
	}
	return hp;

fail:
	message_close_fds(m);
	for (unsigned i = 0; i < PORT_NICS; i++)
		nic_destroy(nics[i]);
	backend_destroy(backend);
	hosted_port_destroy(hp);
	return NULL;
}

void hosted_port_destroy(struct hosted_port *hp)
{
	if (!hp)
		return;
	port_finish(&hp->port);
	for (unsigned i = 0; i < PORT_NICS; i++) {
		fd_close(&hp->nic[i].listen_fd);
		if (hp->nic[i].rom)
			munmap(hp->nic[i].rom, hp->nic[i].rom_size);
	}
	free(hp);
}

/* Takes `fd`. */
static int open_server(struct hosted_nic *hn, int fd, struct loop *loop, struct error *err)
{
	if (hn->nic->spec.transport == TRANSPORT_VHOST_USER)
		hn->vhost = vhost_user_create(hn->nic, fd, loop, FD_VHOST_LISTEN,
					      FD_VHOST_CONNECTION, err);
	else
		hn->vfio = vfio_user_create(hn->nic, fd, loop, FD_VFIO_LISTEN, FD_VFIO_CONNECTION,
					    err);
	return hn->vfio || hn->vhost ? 0 : err->code ? err->code : -EIO;
}

/* How a VMM reaches the card. */
static int attach_nic(struct hosted_nic *hn, struct loop *loop, struct error *err)
{
	int fd = hn->listen_fd;

	hn->timer = (struct loop_timer){ .kind = TIMER_NIC, .owner = hn };
	hn->report_timer = (struct loop_timer){ .kind = TIMER_REPORT, .owner = hn };
	if (nic_is_remote(hn->nic)) {
		hosted_nic_watch_remote(hn);
		return 0;
	}
	hn->listen_fd = -1;
	return open_server(hn, fd, loop, err);
}

int hosted_port_attach(struct hosted_port *hp, struct worker *w, struct error *err)
{
	hp->ask_timer = (struct loop_timer){ .kind = TIMER_ASK, .owner = hp };
	for (unsigned i = 0; i < hp->port.nics; i++) {
		int rc = attach_nic(&hp->nic[i], &w->loop, err);
		if (rc < 0)
			return rc;
	}
	hosted_port_watch_backend(hp);
	return 0;
}

void hosted_port_detach(struct hosted_port *hp)
{
	struct loop *loop = &hp->worker->loop;

	kernel_path_close(hp);
	loop_timer_cancel(loop, &hp->ask_timer);
	for (unsigned i = 0; i < hp->port.nics; i++) {
		vfio_user_destroy(hp->nic[i].vfio);
		vhost_user_destroy(hp->nic[i].vhost);
		hp->nic[i].vfio = NULL;
		hp->nic[i].vhost = NULL;
		loop_unwatch(loop, &hp->nic[i].remote);
		loop_unwatch(loop, &hp->nic[i].remote_listen);
		loop_timer_cancel(loop, &hp->nic[i].timer);
		loop_timer_cancel(loop, &hp->nic[i].report_timer);
	}
	hosted_port_unwatch_backend(hp);
}

void hosted_port_unwatch_backend(struct hosted_port *hp)
{
	struct loop *loop = &hp->worker->loop;

	for (unsigned i = 0; i < QUEUES_MAX; i++)
		loop_unwatch(loop, &hp->backend_source[i]);
	loop_unwatch(loop, &hp->backend_listen);
}

/* Watches a descriptor for `events`, if there is one, instead of what this source watched before. */
static void watch(struct loop *loop, struct loop_source *s, enum fd_kind kind, void *owner, int fd,
		  uint32_t events, bool anew)
{
	if (s->events && (s->fd != fd || anew))
		loop_unwatch(loop, s);
	if (fd < 0)
		return;
	s->fd = fd;
	s->kind = kind;
	s->owner = owner;
	if (loop_watch(loop, s, events) < 0)
		log_error("a connection cannot be watched: out of memory");
}

/* Watches exactly what the backend and the port can use now. Called after whatever may have changed that. */
void hosted_port_watch_backend(struct hosted_port *hp)
{
	struct backend *b = hp->port.backend;
	struct loop *loop = &hp->worker->loop;
	bool read = port_wants_rx(&hp->port);
	uint32_t events = (read ? EPOLLIN : 0u) | (b->blocked ? EPOLLOUT : 0u);

	for (unsigned i = 0; i < QUEUES_MAX; i++) {
		hp->backend_source[i].index = i;
		watch(loop, &hp->backend_source[i], FD_BACKEND, hp,
		      i < b->fds && !b->lent ? b->fd[i] : -1, events, b->fds_changed);
	}
	b->fds_changed = false;
	/* one peer is there: the next one waits in the socket's queue */
	watch(loop, &hp->backend_listen, FD_BACKEND_LISTEN, hp, b->listen_fd, EPOLLIN, false);
}

/* As the port's backend: what its connection can use now. */
void hosted_nic_watch_remote(struct hosted_nic *hn)
{
	struct backend *b = remote_stream(hn->nic);
	struct loop *loop = &hn->port->worker->loop;
	bool read = !hn->port->port.stopped && remote_wants_read(hn->nic);
	uint32_t events = (read ? EPOLLIN : 0u) | (b->blocked ? EPOLLOUT : 0u);

	watch(loop, &hn->remote, FD_REMOTE, hn, b->fds ? b->fd[0] : -1, events, b->fds_changed);
	watch(loop, &hn->remote_listen, FD_REMOTE_LISTEN, hn, b->listen_fd, EPOLLIN, false);
	b->fds_changed = false;
}
