#include "helper/slots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "host/helper_protocol.h"

#define LOCK_END    ".lock"
#define JOURNAL_END ".undo"
#define SLOT_PATH   (UNDO_PATH - 8)

int slots_prepare(const char *folder, struct error *err)
{
	const char *slash = strrchr(folder, '/');
	char above[SLOT_PATH];
	struct stat st;

	/* also found by users: the service's socket lies there */
	(void)snprintf(above, sizeof(above), "%.*s", slash ? (int)(slash - folder) : 0, folder);
	if (above[0])
		(void)mkdir(above, 0755);
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "cannot make %s: %s", folder, strerror(errno));
	if (lstat(folder, &st) < 0)
		return error_set(err, -errno, "%s: %s", folder, strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return error_set(err, -EPERM,
				 "%s is no folder that the helper alone can write; next: remove it",
				 folder);
	return 0;
}

/* The lock's text: process and its start. Nobody of a namespace that we see: it counts as ended. */
static bool owner_lives(int lock)
{
	char text[64] = "";
	unsigned long long started;
	int pid;

	ssize_t n = pread(lock, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	return sscanf(text, "%d %llu", &pid, &started) == 2 && started &&
	       peer_started(pid) == started;
}

static void write_owner(int lock, const struct peer *peer)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%d %llu\n", (int)peer->pid,
			 (unsigned long long)peer->started);

	if (ftruncate(lock, 0) < 0 || pwrite(lock, text, (size_t)n, 0) != n)
		log_warning("cannot note who has what: %s", strerror(errno));
}

/* Files of a lock are never removed: whoever waits for one and whoever has it mean the same. */
static int lock_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return -EWOULDBLOCK;
}

/* Nothing of an earlier owner is left, or he is gone and now it is so. */
static bool is_free(int lock, const char *journal)
{
	if (access(journal, F_OK) < 0)
		return true;
	return !owner_lives(lock) && undo_run(journal) == 0;
}

static int try_slot(struct slot *slot, const char *folder, const struct peer *peer, unsigned number,
		    struct error *err)
{
	char path[SLOT_PATH], journal[UNDO_PATH];

	(void)snprintf(path, sizeof(path), "%.500s/%u.%u" LOCK_END, folder, (unsigned)peer->uid,
		       number);
	(void)snprintf(journal, sizeof(journal), "%.500s/%u.%u" JOURNAL_END, folder,
		       (unsigned)peer->uid, number);
	int fd = lock_file(path);
	if (fd < 0)
		return fd == -EWOULDBLOCK ? fd : error_set(err, fd, "%s: %s", path, strerror(-fd));
	if (!is_free(fd, journal)) {
		close(fd);
		return -EWOULDBLOCK;
	}
	write_owner(fd, peer);
	int rc = undo_open(&slot->undo, journal, err);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	slot->lock = fd;
	return 0;
}

int slot_take(struct slot *slot, const char *folder, const struct peer *peer, unsigned quota,
	      struct error *err)
{
	int rc = -EWOULDBLOCK;

	*slot = (struct slot){ .undo = { .fd = -1 } };
	for (unsigned n = 0; rc == -EWOULDBLOCK && n < quota; n++)
		rc = try_slot(slot, folder, peer, n, err);
	if (rc != -EWOULDBLOCK)
		return rc;
	return error_set(
		err, -EDQUOT,
		"user %u has all that the quota allows (%u at a time); next: end a guest, or "
		"as root, in " HELPER_CONFIG ": quota N user %u",
		(unsigned)peer->uid, quota, (unsigned)peer->uid);
}

void slot_release(struct slot *slot)
{
	undo_close(&slot->undo);
	if (slot->lock > 0)
		close(slot->lock);
	*slot = (struct slot){ .undo = { .fd = -1 } };
}

/* 1 when it had to be left. */
static unsigned tidy_one(const char *folder, const char *name, size_t length)
{
	char path[SLOT_PATH], journal[UNDO_PATH];
	unsigned left = 0;

	(void)snprintf(path, sizeof(path), "%.500s/%.*s" LOCK_END, folder, (int)length, name);
	(void)snprintf(journal, sizeof(journal), "%.500s/%s", folder, name);
	int fd = lock_file(path);
	if (fd < 0)
		return 0;
	if (owner_lives(fd))
		left = 1;
	else
		undo_run(journal);
	close(fd);
	return left;
}

unsigned slots_tidy(const char *folder)
{
	const size_t end = strlen(JOURNAL_END);
	DIR *dir = opendir(folder);
	unsigned left = 0;

	if (!dir)
		return 0;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		size_t length = strlen(d->d_name);

		if (length > end && strcmp(d->d_name + length - end, JOURNAL_END) == 0)
			left += tidy_one(folder, d->d_name, length - end);
	}
	closedir(dir);
	return left;
}
