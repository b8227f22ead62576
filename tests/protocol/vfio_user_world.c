#include "vfio_user_world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

enum { KIND_LISTEN = 1, KIND_CONNECTION };

int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

void world_socket_path(const struct world *w, unsigned nic, char *path, size_t size)
{
	snprintf(path, size, "%s/%u", w->folder, nic);
}

static int listen_at(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	str_copy(addr.sun_path, sizeof(addr.sun_path), path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(fd, 4) < 0)
		abort();
	return fd;
}

struct world *world_create(unsigned nics)
{
	int before = open_descriptors();
	struct world *w = calloc(1, sizeof(*w));
	char path[80], id[16];

	w->fds_before = before;
	w->nics = nics;
	w->c.fd = -1;
	str_copy(w->folder, sizeof(w->folder), "/tmp/anynic-test-XXXXXX");
	if (!mkdtemp(w->folder) || loop_init(&w->loop, NULL) < 0)
		abort();
	w->rom = malloc(ROM_SIZE);
	for (uint32_t i = 0; i < ROM_SIZE; i++)
		w->rom[i] = (uint8_t)(i * 7 + (i >> 8));
	for (unsigned i = 0; i < nics; i++) {
		snprintf(id, sizeof(id), "nic%u", i);
		w->t[i] = test_nic_create(
			id, (i & 1 ? TEST_EXPRESS : 0u) | (i / 2 == 1 ? TEST_NO_MSIX : 0u),
			i ? NULL : w->rom, ROM_SIZE);
		world_socket_path(w, i, path, sizeof(path));
		w->v[i] = vfio_user_create(&w->t[i]->nic, listen_at(path), &w->loop, KIND_LISTEN,
					   KIND_CONNECTION, NULL);
	}
	return w;
}

int world_destroy(struct world *w)
{
	char path[80];

	if (w->c.fd >= 0)
		client_close(&w->c);
	for (unsigned i = 0; i < w->nics; i++) {
		vfio_user_destroy(w->v[i]);
		test_nic_destroy(w->t[i]);
		world_socket_path(w, i, path, sizeof(path));
		unlink(path);
	}
	rmdir(w->folder);
	loop_finish(&w->loop);
	int before = w->fds_before;
	free(w->rom);
	free(w);
	return open_descriptors() - before;
}

void world_pump(void *world)
{
	struct world *w = world;
	struct loop_event e;

	for (unsigned i = 0; i < 1000 && loop_next(&w->loop, &e, 0) > 0; i++) {
		if (e.kind == KIND_LISTEN)
			vfio_user_accept(e.owner);
		else
			vfio_user_serve(e.owner, e.index, e.events);
	}
}

int world_connect(struct world *w, unsigned nic, struct vfio_client *c)
{
	char path[80];

	world_socket_path(w, nic, path, sizeof(path));
	return client_connect(c, path, world_pump, w);
}

void world_greet(struct world *w)
{
	if (world_connect(w, 0, &w->c) < 0 || client_hello(&w->c, client_qemu_text) < 0)
		abort();
}

int world_setup(void **state)
{
	struct world *w = world_create(2);

	world_greet(w);
	*state = w;
	return 0;
}

int world_teardown(void **state)
{
	return world_destroy(*state);
}

static void drop_line(enum log_level level, const char *text)
{
	(void)level;
	(void)text;
}

void world_quiet(void)
{
	log_set_sink(drop_line);
}

int guest_memory(size_t size)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		abort();
	return fd;
}

int event_descriptor(void)
{
	return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

uint64_t signals(int eventfd)
{
	uint64_t n = 0;

	return read(eventfd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

void client_bus_master(struct vfio_client *c, bool on)
{
	client_write16(c, VU_CONFIG, PCI_COMMAND,
		       on ? PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY : PCI_COMMAND_MEMORY);
}
