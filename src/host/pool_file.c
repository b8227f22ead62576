#include "host/pool_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define LOCK_WAIT_NS  (60 * NS_PER_S) /* held for milliseconds, by a host that may be slow */
#define LOCK_RETRY_US 10000
#define LINE_LONGEST  800

void pool_folder(char *to, size_t size)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0)
		str_copy(to, size, "/run/anynic/pools");
	else if (runtime && runtime[0] == '/')
		(void)snprintf(to, size, "%.400s/anynic/pools", runtime);
	else
		(void)snprintf(to, size, "/tmp/anynic-%u/pools", (unsigned)geteuid());
}

/* --- holders -------------------------------------------------------------------------------------------------------- */

/* Field 22 of its stat: the name before it, in parentheses, may hold anything. 0: there is no such process. */
static uint64_t start_of(pid_t pid)
{
	char path[40], text[1024];

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	fd_close(&fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	const char *at = strrchr(text, ')');
	for (unsigned field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

void pool_use_init(struct pool_use *use, const char *device, const char *guest, const char *port)
{
	*use = (struct pool_use){ .pid = getpid(),
				  .started = start_of(getpid()),
				  .since = (int64_t)time(NULL) };
	str_copy(use->device, sizeof(use->device), device);
	str_copy(use->guest, sizeof(use->guest), guest);
	str_copy(use->port, sizeof(use->port), port);
}

bool pool_use_is_ours(const struct pool_use *use)
{
	return use->pid == getpid() && use->started == start_of(use->pid);
}

bool pool_use_is_dead(const struct pool_use *use)
{
	return use->pid && start_of(use->pid) != use->started;
}

/* What it set on the host may still be there. */
static bool is_over(const struct pool_use *use)
{
	return pool_use_is_dead(use) && (!use->journal[0] || access(use->journal, F_OK) < 0);
}

/* --- text ------------------------------------------------------------------------------------------------------------ */

enum field { F_DEVICE, F_GUEST, F_PORT, F_PID, F_STARTED, F_SINCE, F_JOURNAL, FIELDS };

static bool parse_line(char *line, struct pool_use *use)
{
	uint64_t pid, since;
	char *field[FIELDS] = { NULL };
	char *rest = line;
	unsigned n = 0;

	*use = (struct pool_use){ 0 };
	while (rest && n < FIELDS)
		field[n++] = strsep(&rest, "\t");
	if (n != FIELDS || rest || !field[F_DEVICE][0] ||
	    parse_u64(field[F_PID], 0, INT32_MAX, &pid) < 0 ||
	    parse_u64(field[F_STARTED], 0, UINT64_MAX, &use->started) < 0 ||
	    parse_u64(field[F_SINCE], 0, INT64_MAX, &since) < 0)
		return false;
	use->pid = (pid_t)pid;
	use->since = (int64_t)since;
	return str_copy(use->device, sizeof(use->device), field[F_DEVICE]) &&
	       str_copy(use->guest, sizeof(use->guest), field[F_GUEST]) &&
	       str_copy(use->port, sizeof(use->port), field[F_PORT]) &&
	       str_copy(use->journal, sizeof(use->journal), field[F_JOURNAL]);
}

static void read_uses(struct pool_file *p, FILE *file)
{
	char line[LINE_LONGEST];
	bool odd = false;

	while (p->uses < POOL_USES_MAX && fgets(line, sizeof(line), file)) {
		struct pool_use *use = &p->use[p->uses];

		line[strcspn(line, "\n")] = '\0';
		if (!parse_line(line, use))
			odd = true;
		else if (is_over(use))
			p->changed = true;
		else
			p->uses++;
	}
	if (odd)
		log_warning("%s has lines that anynic did not write: they count for nothing",
			    p->path);
}

/* --- the file -------------------------------------------------------------------------------------------------------- */

static int make_folder(const char *folder, struct error *err)
{
	char parent[POOL_PATH];

	str_copy(parent, sizeof(parent), folder);
	char *slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		int rc = folder_make_private(parent, err);
		if (rc < 0)
			return rc;
	}
	return folder_make_private(folder, err);
}

static int take_lock(struct pool_file *p, struct error *err)
{
	uint64_t end = monotonic_ns() + LOCK_WAIT_NS;
	char path[POOL_PATH + 8];

	(void)snprintf(path, sizeof(path), "%s.lock", p->path);
	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p->lock < 0)
		return error_set(err, -errno, "cannot make %s: %s", path, strerror(errno));
	while (flock(p->lock, LOCK_EX | LOCK_NB) < 0) {
		int rc = errno == EWOULDBLOCK ? -ETIMEDOUT : -errno;

		if (rc == -ETIMEDOUT && monotonic_ns() < end) {
			usleep(LOCK_RETRY_US);
			continue;
		}
		fd_close(&p->lock);
		return error_set(err, rc, "another anynic keeps %s: %s", path, strerror(-rc));
	}
	return 0;
}

/* A pool's name becomes a file's. */
static void set_path(struct pool_file *p, const char *folder, const char *pool)
{
	char name[POOL_NAME];

	(void)snprintf(name, sizeof(name), "%s", pool);
	for (char *c = name; *c; c++)
		if (*c == '/' || (c == name && *c == '.') || (unsigned char)*c < '!')
			*c = '_';
	(void)snprintf(p->path, sizeof(p->path), "%.400s/%s", folder, name);
}

/* One that is there and cannot be read is no empty one: what guests have would be given away. NULL: there is none. */
static int open_uses(const char *path, FILE **file)
{
	struct stat st;

	*file = NULL;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(&fd);
		return -EINVAL;
	}
	*file = fdopen(fd, "r");
	return *file ? 0 : -ENOMEM;
}

static int read_file(struct pool_file *p, struct error *err)
{
	FILE *file;

	p->use = calloc(POOL_USES_MAX, sizeof(*p->use));
	if (!p->use)
		return error_set(err, -ENOMEM, "out of memory");
	int rc = open_uses(p->path, &file);
	if (file) {
		read_uses(p, file);
		rc = ferror(file) ? -EIO : 0;
		fclose(file);
	}
	if (rc == 0)
		return 0;
	free(p->use);
	p->use = NULL;
	return error_set(err, rc,
			 "%s, where it stands who has which function, cannot be read: %s; next: "
			 "remove it when no guest has any",
			 p->path, strerror(-rc));
}

int pool_file_peek(struct pool_file *p, const char *folder, const char *pool, struct error *err)
{
	*p = (struct pool_file){ .lock = -1 };
	set_path(p, folder, pool);
	return read_file(p, err);
}

int pool_file_open(struct pool_file *p, const char *folder, const char *pool, struct error *err)
{
	*p = (struct pool_file){ .lock = -1 };
	set_path(p, folder, pool);
	int rc = make_folder(folder, err);
	if (rc == 0)
		rc = take_lock(p, err);
	if (rc == 0)
		rc = read_file(p, err);
	if (rc < 0)
		fd_close(&p->lock);
	return rc;
}

static int write_uses(const struct pool_file *p, FILE *file)
{
	for (unsigned i = 0; i < p->uses; i++) {
		const struct pool_use *u = &p->use[i];

		if (fprintf(file, "%s\t%s\t%s\t%d\t%" PRIu64 "\t%" PRId64 "\t%s\n", u->device,
			    u->guest, u->port, (int)u->pid, u->started, u->since, u->journal) < 0)
			return -EIO;
	}
	return fflush(file) == 0 ? 0 : -errno;
}

/* Written beside it and put in its place: who is killed half-way leaves the old one. */
static int replace(const struct pool_file *p, struct error *err)
{
	char path[POOL_PATH + 8];

	(void)snprintf(path, sizeof(path), "%s.new", p->path);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	int rc = file ? write_uses(p, file) : -errno;

	if (file)
		fclose(file);
	if (rc == 0 && rename(path, p->path) < 0)
		rc = -errno;
	return rc < 0 ? error_set(err, rc, "cannot write %s: %s", path, strerror(-rc)) : 0;
}

int pool_file_close(struct pool_file *p, struct error *err)
{
	int rc = 0;

	if (p->use && p->lock >= 0 && p->changed)
		rc = replace(p, err);
	free(p->use);
	fd_close(&p->lock);
	*p = (struct pool_file){ .lock = -1 };
	return rc;
}

/* --- uses ------------------------------------------------------------------------------------------------------------- */

struct pool_use *pool_file_find(const struct pool_file *p, const char *device)
{
	for (unsigned i = 0; i < p->uses; i++)
		if (strcmp(p->use[i].device, device) == 0)
			return &p->use[i];
	return NULL;
}

unsigned pool_file_count(const struct pool_file *p, const char *device)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->uses; i++)
		n += strcmp(p->use[i].device, device) == 0;
	return n;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			return false;
	return true;
}

int pool_file_add(struct pool_file *p, const struct pool_use *use, struct error *err)
{
	if (!is_plain(use->device) || !is_plain(use->guest) || !is_plain(use->port) ||
	    !is_plain(use->journal))
		return error_set(err, -EINVAL, "%s: a name with a control character", use->device);
	if (p->uses == POOL_USES_MAX)
		return error_set(err, -ENOSPC, "%s is full: %d uses", p->path, POOL_USES_MAX);
	p->use[p->uses++] = *use;
	p->changed = true;
	return 0;
}

bool pool_file_remove(struct pool_file *p, const char *device, const char *guest, const char *port)
{
	for (unsigned i = 0; i < p->uses; i++) {
		const struct pool_use *u = &p->use[i];

		if (strcmp(u->device, device) != 0 || (guest && strcmp(u->guest, guest) != 0) ||
		    (port && strcmp(u->port, port) != 0))
			continue;
		memmove(&p->use[i], &p->use[i + 1], (p->uses - i - 1) * sizeof(*p->use));
		p->uses--;
		p->changed = true;
		return true;
	}
	return false;
}

void pool_file_remove_port(struct pool_file *p, const char *guest, const char *port)
{
	for (unsigned i = p->uses; i-- > 0;)
		if (strcmp(p->use[i].guest, guest) == 0 && strcmp(p->use[i].port, port) == 0)
			(void)pool_file_remove(p, p->use[i].device, guest, port);
}
