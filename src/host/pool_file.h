/* pool_file.h - who has which device of a pool: one small file for each pool, shared by all guests of this host.
 *
 * Between open and close the file is ours alone (flock on a file beside it). A holder is a process, known by its number and the time it
 * was started, so that a use ends with it, however it ended: unless what it left on the host is still to be put in order (its journal is
 * there), which keeps the device from others. A use without a process was made by hand, and stays until it is taken back.
 */
#ifndef ANYNIC_HOST_POOL_FILE_H
#define ANYNIC_HOST_POOL_FILE_H

#include <sys/types.h>

#include "base/error.h"

#define POOL_USES_MAX 512
#define POOL_NAME     64
#define POOL_PATH     512

struct pool_use {
	char device[16]; /* a PCI address, or the name of a network device */
	char guest[64], port[40];
	pid_t pid;		 /* of the control process; 0 = by hand */
	uint64_t started;	 /* of it, in the kernel's ticks since boot */
	int64_t since;		 /* seconds since 1970 */
	char journal[POOL_PATH]; /* what a kill would leave is written here; empty = nothing */
};

struct pool_file {
	int lock; /* -1 = closed */
	bool changed;
	char path[POOL_PATH];
	struct pool_use *use;
	unsigned uses;
};

/* Where pools are: /run/anynic/pools for root, whoever started him; else in the user's own run directory. */
void pool_folder(char *to, size_t size);

/* Waits for the file a minute at most, -ETIMEDOUT; drops the uses of processes that are gone. A name may be any text. */
int pool_file_open(struct pool_file *p, const char *folder, const char *pool, struct error *err);

/* Only to look: waits for nobody and makes nothing; nothing may be added. A file that is not there is an empty one. */
int pool_file_peek(struct pool_file *p, const char *folder, const char *pool, struct error *err);

/* Writes what changed, all of it or nothing, and gives the file to the next. Accepts a closed one. */
int pool_file_close(struct pool_file *p, struct error *err);

/* Our process, now. */
void pool_use_init(struct pool_use *use, const char *device, const char *guest, const char *port);

/* The first use of a device, or NULL. */
struct pool_use *pool_file_find(const struct pool_file *p, const char *device);
unsigned pool_file_count(const struct pool_file *p, const char *device);

int pool_file_add(struct pool_file *p, const struct pool_use *use, struct error *err);

/* The use of `device` by guest and port; a NULL is any. True when there was one. */
bool pool_file_remove(struct pool_file *p, const char *device, const char *guest, const char *port);

/* All uses by a port of a guest. */
void pool_file_remove_port(struct pool_file *p, const char *guest, const char *port);

/* It belongs to this process. */
bool pool_use_is_ours(const struct pool_use *use);

/* Its process has ended. */
bool pool_use_is_dead(const struct pool_use *use);

#endif
