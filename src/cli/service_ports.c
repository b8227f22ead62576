/* The ports of a service: their backends are opened, the datapath is started and gets them, QEMU gets what its own cards need. */
#include "cli/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/blame.h"
#include "host/helper.h"
#include "host/ovn.h"
#include "host/vhost.h"

static unsigned total_nics(const struct service *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->options.count; i++)
		n += s->options.ports[i].nics;
	return n;
}

const char *service_socket_dir(const struct service *s)
{
	return s->options.nic_socket ? s->options.nic_socket : s->place.nics;
}

static int make_socket_folder(struct service *s, struct error *err)
{
	const char *path = s->options.nic_socket;

	if (!path || total_nics(s) == 1)
		return 0;
	if (mkdir(path, 0700) == 0)
		str_copy(s->made_dir, sizeof(s->made_dir), path);
	else if (errno != EEXIST)
		return error_set(err, -errno, "cannot make the folder %s: %s", path,
				 strerror(errno));
	return 0;
}

bool service_nic_socket(const struct service *s, const struct nic_spec *nic, char path[SOCKET_PATH])
{
	if (s->options.nic_socket && total_nics(s) == 1)
		return str_copy(path, SOCKET_PATH, s->options.nic_socket);
	return qemu_socket_path(path, SOCKET_PATH, service_socket_dir(s), nic->id);
}

static int nic_listen(struct service *s, const struct nic_spec *nic, struct error *err)
{
	char path[SOCKET_PATH];

	if (!service_nic_socket(s, nic, path))
		return error_set(err, -ENAMETOOLONG,
				 "the socket of %s in %s: the path is too long; set "
				 "XDG_RUNTIME_DIR to a shorter one",
				 nic->id, service_socket_dir(s));
	return place_listen(path, err);
}

/* All cards in the datapath share one backend; QEMU's own have one each, and so has a function of this host. */
static bool has_backend(const struct port_spec *p, unsigned nic)
{
	return p->nic[nic].netdev == NETDEV_HOSTDEV || nic == 0 || !port_in_datapath(p);
}

/* Whether the kernel serves the card's rings: asked for the virtio card alone, said for the port. */
static int choose_driver(struct service *s, unsigned port, unsigned nic, struct error *err)
{
	const struct port_spec *p = &s->options.ports[port];
	struct control_port *told = &s->control.port[port];
	struct opened_backend *b = &s->port[port].backend[nic];
	struct vhost_choice choice;

	if (p->nics > 1 && (p->nic[nic].netdev == NETDEV_HOSTDEV ||
			    (!port_in_datapath(p) && strcmp(p->nic[nic].model, "virtio-net") != 0)))
		return 0;
	int rc = host_vhost_open(p, b->nfds, b->vhost, &b->vhosts, &choice, err);
	if (rc < 0) {
		error_of_port(err, p);
		return rc;
	}
	told->driver = choice.driver;
	str_copy(told->driver_why, sizeof(told->driver_why), choice.why);
	return 0;
}

void service_backend_request(struct service *s, unsigned port, unsigned nic,
			     struct backend_request *request)
{
	const struct port_spec *p = &s->options.ports[port];

	*request = (struct backend_request){ .spec = &p->backend,
					     .guest = s->options.name,
					     /* cards of QEMU's have a tap each */
					     .port = port_in_datapath(p) ? p->id : p->nic[nic].id,
					     .undo = &s->undo };
	memcpy(request->mac, p->mac, MAC_LEN);
	request->link = p->link;
	if (p->nic[nic].netdev == NETDEV_HOSTDEV) {
		request->nic = &p->nic[nic];
		request->port = p->nic[nic].id;
		request->unset = nic_is_plugged_later(&p->nic[nic]);
	}
	for (unsigned n = 0; n < p->nics; n++)
		if (port_in_datapath(p) || n == nic)
			request->queues = MAX(request->queues, p->nic[n].queues);
}

/* What QEMU opens by itself needs nothing of us. */
static bool is_opened_here(const struct port_spec *p, unsigned nic)
{
	enum nic_netdev netdev = p->nic[nic].netdev;

	return port_in_datapath(p) || netdev == NETDEV_TAP || netdev == NETDEV_HOSTDEV ||
	       (netdev == NETDEV_QEMU && strcmp(p->backend.type, "vdpa") == 0);
}

static int open_backend(struct service *s, unsigned port, unsigned nic, struct error *err)
{
	const struct port_spec *p = &s->options.ports[port];
	struct opened_backend *b = &s->port[port].backend[nic];
	struct loop_source *helper = &s->port[port].process[nic];
	struct backend_request request;

	service_backend_request(s, port, nic, &request);
	if (!is_opened_here(p, nic)) {
		str_copy(b->type, sizeof(b->type), p->backend.type);
		return choose_driver(s, port, nic, err);
	}
	int rc = host_backend_open(&request, b, err);
	if (rc < 0 && transient_may_come_later(s, port, nic, err))
		return 0;
	if (rc < 0) {
		error_of_port(err, p);
		return rc;
	}
	control_host_opened(&s->control.port[port], nic, b);
	str_copy(s->control.port[port].spec.nic[nic].host_pci, sizeof(b->pci), b->pci);
	if (p->backend.chosen[0])
		log_info("port %s: backend=%s: %s", p->id, p->backend.type, p->backend.chosen);
	rc = choose_driver(s, port, nic, err);
	if (rc < 0 || b->pidfd < 0)
		return rc;
	*helper =
		(struct loop_source){ .fd = b->pidfd, .kind = KIND_HELPER_PROCESS, .index = port };
	loop_watch(&s->loop, helper, EPOLLIN);
	return 0;
}

static int open_backends_of(struct service *s, unsigned port, struct error *err)
{
	int rc = 0;

	for (unsigned n = 0; rc == 0 && n < s->options.ports[port].nics; n++)
		if (has_backend(&s->options.ports[port], n))
			rc = open_backend(s, port, n, err);
	return rc;
}

static int open_backends(struct service *s, struct error *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < s->options.count; i++)
		rc = open_backends_of(s, i, err);
	return rc;
}

static int open_rom(const struct nic_spec *nic, struct error *err)
{
	int fd = open(nic->romfile, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, -errno, "romfile=%s: %s", nic->romfile, strerror(errno));
	return fd;
}

/* The descriptors of one NIC: its socket, then its ROM if it has one. */
static int open_nic(struct service *s, const struct nic_spec *nic, int *fds, unsigned *nfds,
		    struct error *err)
{
	int fd = nic_listen(s, nic, err);

	if (fd < 0)
		return fd;
	fds[(*nfds)++] = fd;
	if (!nic->romfile[0])
		return 0;
	fd = open_rom(nic, err);
	if (fd < 0)
		return fd;
	fds[(*nfds)++] = fd;
	return 0;
}

#define PORT_MESSAGES 2

/* Hands over a port: the backend's descriptors, then those of each NIC; those of vhost-net in a message of their own. */
static int send_port(struct service *s, unsigned i, uint32_t seq[PORT_MESSAGES], struct error *err)
{
	struct msg_port_add add = { .spec = s->options.ports[i] };
	struct opened_backend *b = &s->port[i].backend[0];
	int fds[FD_PASS_MAX] = { 0 };
	unsigned nfds = b->nfds;
	int rc = 0;

	/* the datapath has no part in a function of the host; of a team it comes second */
	while (add.spec.nics && add.spec.nic[add.spec.nics - 1].netdev == NETDEV_HOSTDEV)
		add.spec.nics--;
	memcpy(fds, b->fds, nfds * sizeof(int));
	str_copy(add.spec.backend.type, sizeof(add.spec.backend.type), b->served);
	add.spec.backend.nfds = b->nfds;
	if (b->mtu)
		add.spec.backend.mtu = b->mtu;
	for (unsigned n = 0; rc == 0 && n < add.spec.nics; n++) {
		add.rom[n] = add.spec.nic[n].romfile[0] != '\0';
		rc = open_nic(s, &add.spec.nic[n], fds, &nfds, err);
		s->port[i].listens[n] = rc == 0;
	}
	struct msg_port_name name = { 0 };
	if (rc == 0) {
		seq[0] =
			datapath_send_fds(&s->datapath, MSG_PORT_ADD, &add, sizeof(add), fds, nfds);
		if (!seq[0])
			rc = error_set(err, -EPIPE, "port %s could not be handed over",
				       add.spec.id);
	}
	str_copy(name.port, sizeof(name.port), add.spec.id);
	if (rc == 0 && b->vhosts)
		seq[1] = datapath_send_fds(&s->datapath, MSG_PORT_VHOST, &name, sizeof(name),
					   b->vhost, b->vhosts);
	for (unsigned n = b->nfds; n < nfds; n++)
		close(fds[n]);
	opened_backend_close_fds(b);
	return rc;
}

_Static_assert(QUEUES_MAX + 2 * PORT_NICS <= FD_PASS_MAX, "a port fits one message");

bool service_uses_datapath(const struct service *s)
{
	for (unsigned i = 0; i < s->options.count; i++)
		if (port_in_datapath(&s->options.ports[i]))
			return true;
	return false;
}

/* Never more workers than CPUs: many ports can share one. */
static int start_datapath(struct service *s, struct error *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned hosted = 0;
	char path[4096];

	for (unsigned i = 0; i < s->options.count; i++)
		hosted += port_in_datapath(&s->options.ports[i]);
	unsigned workers = (unsigned)MIN((long)hosted, MAX(cpus, 1));
	int rc = host_helper_find("anynic-datapath", path, sizeof(path), err);
	return rc == 0 ? datapath_start(&s->datapath, path, workers, err) : rc;
}

/* Its workers run, and it is locked down. */
static int lock_datapath(struct service *s, struct error *err)
{
	struct msg_start start = { .vcpus = s->options.vcpus, .cpu = s->options.cpu, .sandbox = 1 };
	uint32_t started = datapath_send(&s->datapath, MSG_START, &start, sizeof(start));

	return datapath_wait(&s->datapath, started, MSG_STARTED, err);
}

static int wait_for_port(struct service *s, unsigned port, const uint32_t seq[PORT_MESSAGES],
			 struct error *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < PORT_MESSAGES; i++)
		if (seq[i])
			rc = datapath_wait(&s->datapath, seq[i], MSG_REPLY, err);
	if (rc < 0)
		error_of_port(err, &s->options.ports[port]);
	return rc;
}

static int hand_over_ports(struct service *s, struct error *err)
{
	uint32_t *seq = calloc(s->options.count, PORT_MESSAGES * sizeof(*seq));

	if (!seq)
		return error_set(err, -ENOMEM, "out of memory");
	int rc = start_datapath(s, err);
	for (unsigned i = 0; rc == 0 && i < s->options.count; i++)
		if (port_in_datapath(&s->options.ports[i]))
			rc = send_port(s, i, &seq[(size_t)i * PORT_MESSAGES], err);
	if (rc == 0)
		rc = lock_datapath(s, err);
	for (unsigned i = 0; rc == 0 && i < s->options.count; i++)
		rc = wait_for_port(s, i, &seq[(size_t)i * PORT_MESSAGES], err);
	free(seq);
	return rc;
}

/* One more, also the first. A guest that is stopped was so before it came. */
static int hand_over_port(struct service *s, unsigned port, struct error *err)
{
	struct msg_guest_run run = { .running = s->control.running };
	uint32_t seq[PORT_MESSAGES] = { 0 };
	int rc = 0;

	if (s->control.datapath_gone)
		return error_set(err, -EPIPE, "%s; next: place=qemu, or start the guest again",
				 s->datapath.why);
	if (s->datapath.sock < 0) {
		rc = start_datapath(s, err);
		if (rc == 0)
			rc = lock_datapath(s, err);
		if (rc < 0)
			datapath_finish(&s->datapath);
		service_watch_datapath(s);
	}
	if (rc == 0)
		rc = send_port(s, port, seq, err);
	if (rc == 0)
		rc = wait_for_port(s, port, seq, err);
	if (rc == 0 && !run.running)
		(void)datapath_send(&s->datapath, MSG_GUEST_RUN, &run, sizeof(run));
	return rc;
}

int service_open_port(struct service *s, unsigned port, struct error *err)
{
	bool hosted = port_in_datapath(&s->options.ports[port]);

	transient_init(&s->port[port].transient, &s->options.ports[port], port);
	int rc = open_backends_of(s, port, err);

	if (rc == 0 && hosted)
		rc = hand_over_port(s, port, err);
	if (rc < 0)
		service_close_port(s, port);
	else if (!s->host.on)
		control_host_start(&s->control, &s->host);
	else
		control_host_look(&s->control, &s->host);
	return rc;
}

static void init_port(struct service *s, unsigned port)
{
	struct service_port *p = &s->port[port];

	*p = (struct service_port){ 0 };
	for (unsigned n = 0; n < PORT_NICS; n++) {
		p->backend[n].pidfd = p->backend[n].log = -1;
		p->process[n].fd = -1;
	}
	recovery_init(&p->recovery, port);
	transient_init(&p->transient, &s->options.ports[port], port);
}

int service_make_ports(struct service *s, struct error *err)
{
	unsigned room = MAX(s->options.count, (unsigned)PORTS_MAX);

	s->port = calloc(room, sizeof(*s->port));
	s->spec = calloc(room, sizeof(*s->spec));
	if (!s->port || !s->spec)
		return error_set(err, -ENOMEM, "out of memory");
	if (!s->options.attached) { /* those change */
		memcpy(s->spec, s->options.ports, s->options.count * sizeof(*s->spec));
		s->options.ports = s->spec;
	}
	for (unsigned i = 0; i < MIN(room, s->options.attached ? s->options.count : room); i++)
		init_port(s, i);
	return 0;
}

/* Nobody can send the guest before QEMU listens. */
static void wait_for_ovn(struct service *s)
{
	struct ovn_wait w;

	ovn_wait_begin(&w, OVN_WAIT_MS, s->signal_source.fd);
	for (unsigned i = 0; i < s->options.count; i++)
		for (unsigned n = 0; n < PORT_NICS; n++)
			ovn_wait_port(&w, s->options.ports[i].id, &s->options.ports[i].backend,
				      &s->port[i].backend[n]);
}

int service_open_ports(struct service *s, struct error *err)
{
	int rc = make_socket_folder(s, err);

	if (rc == 0)
		rc = open_backends(s, err);
	if (rc == 0 && service_uses_datapath(s))
		rc = hand_over_ports(s, err);
	if (rc == 0 && s->options.incoming)
		wait_for_ovn(s);
	return rc;
}

unsigned service_card_fds(struct service *s, struct qemu_card_fds *cards)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->options.count; i++) {
		const struct port_spec *p = &s->options.ports[i];

		for (unsigned n = 0; !port_in_datapath(p) && n < p->nics; n++) {
			const struct opened_backend *b = &s->port[i].backend[n];

			if (p->nic[n].netdev == NETDEV_HOSTDEV)
				continue;
			struct qemu_card_fds *card = &cards[count++];
			*card = (struct qemu_card_fds){ .taps = b->nfds, .vhosts = b->vhosts };
			str_copy(card->nic, sizeof(card->nic), p->nic[n].id);
			memcpy(card->tap, b->fds, sizeof(card->tap));
			memcpy(card->vhost, b->vhost, sizeof(card->vhost));
		}
	}
	return count;
}

void service_host_functions(const struct service *s, struct port_spec *ports)
{
	for (unsigned i = 0; i < s->options.count; i++)
		for (unsigned n = 0; n < ports[i].nics; n++)
			str_copy(ports[i].nic[n].host_pci, sizeof(ports[i].nic[n].host_pci),
				 s->control.port[i].spec.nic[n].host_pci);
}

void service_qemu_has_fds(struct service *s)
{
	for (unsigned i = 0; i < s->options.count; i++)
		for (unsigned n = 0; n < PORT_NICS; n++)
			opened_backend_close_fds(&s->port[i].backend[n]);
}

/* Only what was made here: another program may sit on the path that the next one would have had. */
static void remove_sockets(struct service *s, unsigned port)
{
	char path[SOCKET_PATH];

	for (unsigned n = 0; n < PORT_NICS; n++) {
		if (s->port[port].listens[n] &&
		    service_nic_socket(s, &s->options.ports[port].nic[n], path))
			unlink(path);
		s->port[port].listens[n] = false;
	}
}

static void leave_datapath(struct service *s, unsigned port)
{
	struct msg_port_name name = { 0 };

	if (s->datapath.sock < 0)
		return;
	str_copy(name.port, sizeof(name.port), s->options.ports[port].id);
	uint32_t seq = datapath_send(&s->datapath, MSG_PORT_REMOVE, &name, sizeof(name));
	if (seq) /* one that it never had is no trouble */
		(void)datapath_wait(&s->datapath, seq, MSG_REPLY, NULL);
}

void service_close_port(struct service *s, unsigned port)
{
	struct service_port *p = &s->port[port];

	if (port_in_datapath(&s->options.ports[port]))
		leave_datapath(s, port);
	recovery_stop(s, &p->recovery);
	transient_stop(s, &p->transient);
	for (unsigned n = 0; n < PORT_NICS; n++) {
		loop_unwatch(&s->loop, &p->process[n]);
		opened_backend_close(&p->backend[n]);
	}
	remove_sockets(s, port);
	init_port(s, port);
}

void service_close_ports(struct service *s)
{
	for (unsigned i = 0; s->port && i < s->options.count; i++) {
		recovery_stop(s, &s->port[i].recovery);
		transient_stop(s, &s->port[i].transient);
		for (unsigned n = 0; n < PORT_NICS; n++)
			opened_backend_close(&s->port[i].backend[n]);
		remove_sockets(s, i);
	}
	if (s->made_dir[0])
		rmdir(s->made_dir);
	free(s->port);
	free(s->spec);
	s->port = NULL;
	s->spec = NULL;
}
