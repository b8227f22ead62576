/* vfio_user_world.h - servers, their loop and a client in one thread, for tests that read like conversations. */
#ifndef ANYNIC_TESTS_VFIO_USER_WORLD_H
#define ANYNIC_TESTS_VFIO_USER_WORLD_H

#include "attach/vfio_user/vfio_user.h"
#include "vfio_user_client.h"
#include "vfio_user_nic.h"

#define WORLD_NICS 7
#define ROM_SIZE   110080u
#define GUEST_PAGE 4096u

struct world {
	struct loop loop;
	char folder[64];
	struct test_nic *t[WORLD_NICS];
	struct vfio_user *v[WORLD_NICS];
	unsigned nics;
	struct vfio_client c; /* of NIC 0, where a test asks for it */
	uint8_t *rom;
	int fds_before;
};

/* NICs are conventional and express in turn; the first has a ROM, the third and fourth have no MSI-X. */
struct world *world_create(unsigned nics);
/* Returns how many descriptors are open that were not before. */
int world_destroy(struct world *w);
/* Serves everything that is there to be served. */
void world_pump(void *world);
void world_socket_path(const struct world *w, unsigned nic, char *path, size_t size);
int world_connect(struct world *w, unsigned nic, struct vfio_client *c);
/* Connects w->c to NIC 0 and shakes hands as QEMU. */
void world_greet(struct world *w);

/* For cmocka: two NICs, w->c connected to the first; fails when a descriptor is left open. */
int world_setup(void **state);
int world_teardown(void **state);
/* Drops log lines: the stories provoke warnings. */
void world_quiet(void);

int open_descriptors(void);
int guest_memory(size_t size); /* a memfd */
int event_descriptor(void);    /* an eventfd as QEMU makes it */
uint64_t signals(int eventfd); /* since the last question */
void client_bus_master(struct vfio_client *c, bool on);

#endif
