/* vfio_user_world.h - servers, their loop and a client in one thread, for tests that read like conversations. */
#ifndef ANYNIC_TESTS_VFIO_USER_WORLD_H
#define ANYNIC_TESTS_VFIO_USER_WORLD_H

#include "attach/vfio_user/vfio_user.h"
#include "vfio_user_client.h"
#include "vfio_user_nic.h"

#define WORLD_NICS 7
#define ROM_SIZE   110080u

struct world {
	struct loop loop;
	char folder[64];
	struct test_nic *t[WORLD_NICS];
	struct vfio_user *v[WORLD_NICS];
	unsigned nics;
	struct vfio_client c;      /* of NIC 0, where a test asks for it */
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

int open_descriptors(void);

#endif
