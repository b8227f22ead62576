#include "control/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "host/undo.h"

#define LISTEN_BACKLOG 16
#define SO_ACCEPTING   (1u << 16) /* of a socket that listens: the kernel's __SO_ACCEPTCON */
#define DIRECTORIES    3
#define LOCK_TRIES     10
#define LOCK_RETRY_US  5000
#define LISTEN_TRIES   8   /* each waits twice as long as the one before: 1.3 s */
#define TIDY_WAITS     160 /* of LOCK_TRIES each: 8 s */

/* --- the run directory ------------------------------------------------------------------------------------------ */

/* Where guests may be, best first. New ones go to the first. */
static unsigned directories(char dir[DIRECTORIES][PLACE_PATH])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	unsigned n = 0;

	if (runtime && runtime[0] == '/')
		snprintf(dir[n++], PLACE_PATH, "%s/anynic", runtime);
	if (geteuid() == 0)
		snprintf(dir[n++], PLACE_PATH, "/run/anynic");
	else
		snprintf(dir[n++], PLACE_PATH, "/tmp/anynic-%u", (unsigned)geteuid());
	return n;
}

static void remove_sockets(const char *path)
{
	DIR *dir = opendir(path);

	if (!dir)
		return;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir))
		if (d->d_type == DT_SOCK)
			unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
	rmdir(path);
}

/* --- sockets ---------------------------------------------------------------------------------------------------- */

static int set_address(struct sockaddr_un *address, const char *path, struct error *err)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (!str_copy(address->sun_path, sizeof(address->sun_path), path))
		return error_set(err, -ENAMETOOLONG,
				 "%s: a socket's path has at most %d characters", path,
				 SOCKET_PATH - 1);
	return 0;
}

/* A connected socket, or negative errno. */
static int connect_to(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* EAGAIN: somebody listens but is busy; a blocking connect would wait for ever on one that hangs */
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	fd_set_nonblock(fd, false);
	return fd;
}

/* A process that outlives its killed parent by a moment may still listen; on a busy machine that is a long one. */
static bool somebody_listens(const struct sockaddr_un *address)
{
	for (unsigned tries = 0; tries < LISTEN_TRIES; tries++) {
		int fd = connect_to(address);
		if (fd >= 0)
			close(fd);
		else if (fd != -EAGAIN)
			return false;
		usleep(LOCK_RETRY_US << tries);
	}
	return true;
}

static bool is_live(const char *path)
{
	struct sockaddr_un address;

	if (set_address(&address, path, NULL) < 0)
		return false;
	int fd = connect_to(&address);
	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -EAGAIN;
}

#define SOCKETS "/proc/net/unix" /* Num: RefCount Protocol Flags Type St Inode Path */

/* By another name, too: of a link, or from here. */
static bool is_same_file(const char *path, const struct stat *other)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && st.st_dev == other->st_dev &&
	       st.st_ino == other->st_ino;
}

bool place_is_taken(const char *path)
{
	struct stat asked;
	bool there = stat(path, &asked) == 0, taken = false;
	FILE *file = there ? fopen(SOCKETS, "re") : NULL;
	char line[256];

	while (file && !taken && fgets(line, sizeof(line), file)) {
		unsigned flags;
		int at = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%*x: %*x %*x %x %*x %*x %*u %n", &flags, &at) == 1 && at)
			taken = flags & SO_ACCEPTING &&
				(strcmp(line + at, path) == 0 || is_same_file(line + at, &asked));
	}
	if (file)
		fclose(file);
	return taken;
}

static int remove_stale(const struct sockaddr_un *address, struct error *err)
{
	struct stat st;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0
				       : error_set(err, -errno, "%s: %s", address->sun_path,
						   strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, -ENOTSOCK, "%s exists and is no socket: name another path",
				 address->sun_path);
	if (somebody_listens(address))
		return error_set(err, -EADDRINUSE,
				 "%s is in use by a running program: name another path",
				 address->sun_path);
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return error_set(err, -errno, "cannot replace %s: %s", address->sun_path,
				 strerror(errno));
	return 0;
}

int place_listen(const char *path, struct error *err)
{
	struct sockaddr_un address;

	int rc = set_address(&address, path, err);
	if (rc == 0)
		rc = remove_stale(&address, err);
	if (rc < 0)
		return rc;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	mode_t mask = umask(0177);
	rc = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
	umask(mask);
	if (rc == 0 && listen(fd, LISTEN_BACKLOG) < 0)
		rc = -errno;
	if (rc < 0) {
		close(fd);
		return error_set(err, rc, "cannot listen on %s: %s", path, strerror(-rc));
	}
	return fd;
}

/* --- claim and release ------------------------------------------------------------------------------------------ */

/* Who has the lock: a process that it started may hold it a moment longer than it lives. */
static void write_owner(int fd)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
		log_debug("the owner of a lock could not be noted: %s", strerror(errno));
}

static bool owner_lives(const char *lock)
{
	char text[16] = "";
	int fd = open(lock, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	fd_close(&fd);
	pid_t pid = n > 0 ? (pid_t)strtol(text, NULL, 10) : 0;
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* Takes the lock file. It may vanish under us when its owner just ended, and for a moment it belongs to whoever tidies up after one that
 * was killed: then once more.
 */
static int lock_name(struct place *p, int most, struct error *err)
{
	for (int tries = 0; tries < most; tries++) {
		struct stat held, named;
		int fd = open(p->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return error_set(err, -errno, "cannot make %s: %s", p->lock,
					 strerror(errno));
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			int rc = errno == EWOULDBLOCK ? -EEXIST : -errno;
			close(fd);
			if (rc == -EEXIST && tries < most - 1) {
				usleep(LOCK_RETRY_US);
				continue;
			}
			return error_set(
				err, rc,
				"a guest named %s is running already: give this one another --name",
				p->name);
		}
		if (fstat(fd, &held) == 0 && stat(p->lock, &named) == 0 &&
		    held.st_ino == named.st_ino) {
			write_owner(fd);
			p->lock_fd = fd;
			return 0;
		}
		close(fd);
	}
	return error_set(err, -EAGAIN, "cannot lock %s", p->lock);
}

static int make_control_socket(struct place *p, const char *qmp, struct error *err)
{
	char standard[PLACE_PATH + PLACE_NAME];

	snprintf(standard, sizeof(standard), "%s/%s.qmp", p->dir, p->name);
	/* we hold the lock: whatever is at the standard place is stale */
	unlink(standard);
	const char *path = qmp ? qmp : standard;
	int fd = place_listen(path, err);
	if (fd < 0)
		return fd;
	p->listen_fd = fd;
	str_copy(p->qmp, sizeof(p->qmp), path);
	if (!qmp)
		return 0;
	/* so that `anynic status NAME` finds a socket that was moved */
	char *whole = realpath(qmp, NULL);
	if (whole && symlink(whole, standard) == 0)
		str_copy(p->link, sizeof(p->link), standard);
	free(whole);
	return 0;
}

void place_nics_path(char *to, size_t size, const char *name)
{
	char dir[DIRECTORIES][PLACE_PATH];

	directories(dir);
	snprintf(to, size, "%.400s/%s.nics", dir[0], name);
}

static void set_files(struct place *p, const char *dir, const char *name)
{
	str_copy(p->dir, sizeof(p->dir), dir);
	str_copy(p->name, sizeof(p->name), name);
	snprintf(p->lock, sizeof(p->lock), "%.400s/%s.lock", dir, p->name);
	snprintf(p->undo, sizeof(p->undo), "%.400s/%s.undo", dir, p->name);
	snprintf(p->nics, sizeof(p->nics), "%.400s/%s.nics", dir, p->name);
}

/* A journal whose owner is dead. What that had started may have the lock for a moment more. */
static void sweep_one(const char *dir, const char *name)
{
	struct place dead = { .lock_fd = -1, .listen_fd = -1 };
	char standard[PLACE_PATH + PLACE_NAME];

	set_files(&dead, dir, name);
	snprintf(standard, sizeof(standard), "%.400s/%s.qmp", dir, name);
	if (lock_name(&dead, owner_lives(dead.lock) ? 1 : LOCK_TRIES, NULL) < 0)
		return;
	unlink(standard);
	place_release(&dead);
}

/* /tmp is everybody's: what somebody else made there, links among it, is none of ours to tidy up. */
static DIR *open_own(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022)))
		fd_close(&fd);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		fd_close(&fd);
	return dir;
}

static void sweep(const char *path)
{
	DIR *dir = open_own(path);

	if (!dir)
		return;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		char name[PLACE_NAME];
		size_t length = strlen(d->d_name);

		if (length <= 5 || length - 5 >= sizeof(name) ||
		    strcmp(d->d_name + length - 5, ".undo") != 0)
			continue;
		memcpy(name, d->d_name, length - 5);
		name[length - 5] = '\0';
		sweep_one(path, name);
	}
	closedir(dir);
}

/* Whoever puts in order what a killed guest left may have to wait for Open vSwitch's database, and has the name as long. */
static int claim_name(struct place *p, struct error *err)
{
	char standard[PLACE_PATH + PLACE_NAME];
	int rc = -EEXIST;

	snprintf(standard, sizeof(standard), "%.400s/%.63s.qmp", p->dir, p->name);
	for (int n = 0; rc == -EEXIST && n < TIDY_WAITS; n++) {
		rc = lock_name(p, LOCK_TRIES, err);
		if (rc == -EEXIST && is_live(standard))
			return rc;
	}
	if (rc != -EEXIST)
		return rc;
	return error_set(err, rc,
			 "a guest named %s was killed, and what it left is still being put in "
			 "order; next: wait a moment, or give this one another --name",
			 p->name);
}

int place_claim(struct place *p, const char *name, const char *qmp, struct error *err)
{
	char dir[DIRECTORIES][PLACE_PATH];

	*p = (struct place){ .lock_fd = -1, .listen_fd = -1 };
	unsigned count = directories(dir);

	set_files(p, dir[0], name);
	int rc = folder_make_private(p->dir, err);
	if (rc < 0)
		return rc;
	rc = claim_name(p, err);
	if (rc < 0)
		goto fail;
	undo_run(p->undo);
	for (unsigned i = 0; i < count; i++)
		sweep(dir[i]);
	remove_sockets(p->nics);
	if (mkdir(p->nics, 0700) < 0 && errno != EEXIST) {
		rc = error_set(err, -errno, "cannot make %s: %s", p->nics, strerror(errno));
		goto fail;
	}
	rc = make_control_socket(p, qmp, err);
	if (rc < 0)
		goto fail;
	return 0;

fail:
	place_release(p);
	return rc;
}

void place_release(struct place *p)
{
	if (p->lock_fd > 0) {
		if (p->qmp[0])
			unlink(p->qmp);
		if (p->link[0])
			unlink(p->link);
		remove_sockets(p->nics);
		undo_run(p->undo);
		unlink(p->lock);
		close(p->lock_fd);
	}
	if (p->listen_fd > 0)
		close(p->listen_fd);
	*p = (struct place){ .lock_fd = -1, .listen_fd = -1 };
}

void place_tidy(const struct place *dead)
{
	struct place p = *dead;
	struct sockaddr_un address;

	p.lock_fd = p.listen_fd = -1;
	if (lock_name(&p, LOCK_TRIES, NULL) < 0)
		return;
	if (p.link[0]) { /* elsewhere anybody may have made a new one */
		if (set_address(&address, p.qmp, NULL) == 0)
			remove_stale(&address, NULL);
		p.qmp[0] = '\0';
	}
	place_release(&p);
}

/* --- finding ---------------------------------------------------------------------------------------------------- */

int place_connect(const char *name, struct error *err)
{
	char dir[DIRECTORIES][PLACE_PATH];
	struct sockaddr_un address;
	bool is_path = strchr(name, '/') != NULL;
	unsigned n = is_path ? 1 : directories(dir);

	for (unsigned i = 0; i < n; i++) {
		char path[PLACE_PATH + PLACE_NAME + 8];
		if (is_path)
			str_copy(path, sizeof(path), name);
		else
			snprintf(path, sizeof(path), "%s/%.63s.qmp", dir[i], name);
		if (set_address(&address, path, err) < 0)
			continue;
		int fd = connect_to(&address);
		if (fd >= 0)
			return fd;
		if (fd == -EACCES || fd == -EPERM)
			return error_set(err, fd,
					 "%s: not yours: run as the user who started the guest",
					 path);
		if (fd == -EAGAIN)
			return error_set(err, fd, "%s: too many wait for an answer: try again",
					 path);
	}
	return error_set(
		err, -ENOENT,
		is_path ? "nothing answers at %s"
			: "no guest named %s is running: `anynic status` lists those that are",
		name);
}

static unsigned list_directory(const char *path, char names[][PLACE_NAME], unsigned n, unsigned max)
{
	DIR *dir = opendir(path);

	if (!dir)
		return n;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		size_t length = strlen(d->d_name);
		char socket_path[PLACE_PATH + 256];
		if (length <= 4 || length - 4 >= PLACE_NAME ||
		    strcmp(d->d_name + length - 4, ".qmp") != 0)
			continue;
		snprintf(socket_path, sizeof(socket_path), "%s/%s", path, d->d_name);
		if (!is_live(socket_path))
			continue;
		if (n < max) {
			memcpy(names[n], d->d_name, length - 4);
			names[n][length - 4] = '\0';
		}
		n++;
	}
	closedir(dir);
	return n;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

unsigned place_list(char names[][PLACE_NAME], unsigned max)
{
	char dir[DIRECTORIES][PLACE_PATH];
	unsigned n = 0;
	unsigned count = directories(dir);

	for (unsigned i = 0; i < count; i++)
		n = list_directory(dir[i], names, n, max);
	qsort(names, MIN(n, max), PLACE_NAME, compare_names);
	return n;
}
