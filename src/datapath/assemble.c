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

int hosted_port_attach(struct hosted_port *hp, struct worker *w, struct error *err)
{
	for (unsigned i = 0; i < hp->port.nics; i++) {
		struct hosted_nic *hn = &hp->nic[i];
		int fd = hn->listen_fd;
		hn->listen_fd = -1;
		hn->timer = (struct loop_timer){ .kind = TIMER_NIC, .owner = hn };
		hn->report_timer = (struct loop_timer){ .kind = TIMER_REPORT, .owner = hn };
		hn->server = vfio_user_create(hn->nic, fd, &w->loop, FD_VFIO_LISTEN,
					      FD_VFIO_CONNECTION, err);
		if (!hn->server)
			return err->code ? err->code : -EIO;
	}
	hosted_port_watch_backend(hp);
	return 0;
}

void hosted_port_detach(struct hosted_port *hp)
{
	struct loop *loop = &hp->worker->loop;

	for (unsigned i = 0; i < hp->port.nics; i++) {
		vfio_user_destroy(hp->nic[i].server);
		hp->nic[i].server = NULL;
		loop_timer_cancel(loop, &hp->nic[i].timer);
		loop_timer_cancel(loop, &hp->nic[i].report_timer);
	}
	for (unsigned i = 0; i < QUEUES_MAX; i++)
		loop_unwatch(loop, &hp->backend_source[i]);
	loop_unwatch(loop, &hp->backend_listen);
}

/* Watches exactly what the backend and the port can use now. Called after whatever may have changed that. */
void hosted_port_watch_backend(struct hosted_port *hp)
{
	struct backend *b = hp->port.backend;
	struct loop *loop = &hp->worker->loop;
	bool read = port_wants_rx(&hp->port);
	uint32_t events = (read ? EPOLLIN : 0u) | (b->blocked ? EPOLLOUT : 0u);

	for (unsigned i = 0; i < QUEUES_MAX; i++) {
		struct loop_source *s = &hp->backend_source[i];
		int fd = i < b->fds ? b->fd[i] : -1;
		if (s->events && (s->fd != fd || b->fds_changed))
			loop_unwatch(loop, s);
		if (fd < 0)
			continue;
		s->fd = fd;
		s->kind = FD_BACKEND;
		s->index = i;
		s->owner = hp;
		if (loop_watch(loop, s, events) < 0)
			log_error("port %s: its backend cannot be watched", hp->port.spec.id);
	}
	b->fds_changed = false;
	if (b->listen_fd < 0) /* one peer is there: the next one waits in the socket's queue */
		loop_unwatch(loop, &hp->backend_listen);
	if (b->listen_fd >= 0 && !hp->backend_listen.events) {
		hp->backend_listen = (struct loop_source){ .fd = b->listen_fd,
							   .kind = FD_BACKEND_LISTEN,
							   .owner = hp };
		if (loop_watch(loop, &hp->backend_listen, EPOLLIN) < 0)
			log_error("port %s: its socket cannot be watched", hp->port.spec.id);
	}
}
