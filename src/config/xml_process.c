/* xml_process.c - the process that reads XML.
 *
 * Theory. A file of XML is often somebody else's, and libxml2 is large. So a child reads it that can do nothing else: it has the open file
 * and one end of a socket pair, and answers with structs (or with text, when it writes), whose size is known and whose fields are checked by
 * the rows here before anybody uses them.
 *
 *     1 descriptors       all others are closed
 *     2 limits            memory, processor time, no file grows, no core
 *     3 rights            no_new_privs, nobody, no capability, not dumpable
 *     4 Landlock          no file at all, where the kernel has it
 *     5 seccomp           reads, writes, memory; what a C library asks for on its way (a table of characters, the time) fails, and all
 *                         else ends the process
 *
 * What libxml2 itself is told stands in xml_parse.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/confine.h"
#include "base/fd.h"
#include "config/xml.h"
#include "config/xml_reading.h"
#include "config/xml_writing.h"

#define TIME_MS 10000

/* --- what the child does -------------------------------------------------------------------------------------------- */

enum job_kind { READ_INTERFACES, READ_NETWORKS, WRITE_INTERFACES, VALIDATE };

struct job {
	enum job_kind kind;
	const char *file; /* for people */
	int fd, schema;	  /* schema: -1 = none */
	struct interface_list *list;
	struct network_list *networks;
	const struct interface_result *result;
	/* the answer */
	void *data;
	size_t size, most;
	bool exact; /* `size` is the only legal one */
};

struct answer {
	int32_t code;
	uint32_t size;
	struct error error;
};

static char *read_all(int fd, size_t *size)
{
	size_t room = XML_FILE_MAX + 1, got = 0;
	char *text = malloc(room);

	while (text && got < room) {
		ssize_t n = read(fd, text + got, room - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(text);
			return NULL;
		}
		if (n == 0)
			break;
		got += (size_t)n;
	}
	*size = got;
	return text;
}

static int write_document(struct job *job, const char *text, size_t size, struct error *err)
{
	xmlChar *out = NULL;
	int length = 0;
	xmlDoc *doc = xml_parse(text, size, job->file, err);

	if (!doc)
		return -EINVAL;
	int rc = xml_write_document(doc, job->list, job->result, err);
	if (rc == 0) {
		xmlDocDumpMemoryEnc(doc, &out, &length, "UTF-8");
		if (!out || length <= 0 || (unsigned)length > XML_OUT_MAX)
			rc = error_set(err, -ENOMEM, "%.80s: the document does not fit", job->file);
	}
	job->data = out;
	job->size = (size_t)length;
	xmlFreeDoc(doc);
	return rc;
}

static int validate(struct job *job, const char *text, size_t size, struct error *err)
{
	size_t length = 0;
	char *schema = read_all(job->schema, &length);

	if (!schema)
		return error_set(err, -EIO, "the schema cannot be read: %s", strerror(errno));
	return xml_validate_text(text, size, job->file, schema, length, err);
}

static int do_job(struct job *job, struct error *err)
{
	size_t size = 0;
	char *text = read_all(job->fd, &size);

	if (!text)
		return error_set(err, -EIO, "%.80s: cannot be read: %s", job->file,
				 strerror(errno));
	switch (job->kind) {
	case READ_INTERFACES:
		job->data = job->list;
		job->size = sizeof(*job->list);
		return xml_read_text(text, size, job->file, job->list, NULL, err);
	case READ_NETWORKS:
		job->data = job->networks;
		job->size = sizeof(*job->networks);
		return xml_read_text(text, size, job->file, NULL, job->networks, err);
	case WRITE_INTERFACES:
		return write_document(job, text, size, err);
	case VALIDATE:
		job->size = 0;
		return validate(job, text, size, err);
	}
	return -EINVAL;
}

static int send_all(int sock, const void *data, size_t size)
{
	for (size_t sent = 0; sent < size;) {
		ssize_t n = send(sock, (const char *)data + sent, size - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		sent += (size_t)n;
	}
	return 0;
}

static const int allowed[] = {
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(sendto),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(brk),
	SCMP_SYS(futex),
	SCMP_SYS(getrandom),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
#if CONFINE_SANITIZED
	/* the named, wider filter of sanitizer builds */
	SCMP_SYS(sigaltstack),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(sched_yield),
	SCMP_SYS(readlink),
	SCMP_SYS(tgkill),
	SCMP_SYS(prctl),
#endif
};

/* Asked for by iconv and the like: the answer is no, and the parser says what it lacks. */
static const int failing[] = {
	SCMP_SYS(open), SCMP_SYS(openat),     SCMP_SYS(access), SCMP_SYS(faccessat2),
	SCMP_SYS(stat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
};

static int filter_calls(struct error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = ctx ? confine_allow(ctx, allowed, ARRAY_SIZE(allowed)) : -ENOMEM;

	if (rc == 0)
		rc = confine_allow_memory(ctx);
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(failing); i++)
		rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), failing[i], 0);
	return confine_load(ctx, rc, err);
}

static int limit(struct error *err)
{
	static const struct {
		int what;
		rlim_t most;
	} limits[] = {
		{ RLIMIT_CORE, 0 },
		{ RLIMIT_FSIZE, 0 },
		{ RLIMIT_CPU, TIME_MS / 1000 },
#if !CONFINE_SANITIZED /* whose shadow needs more */
		{ RLIMIT_DATA, 128 << 20 },
#endif
	};

	for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit l = { limits[i].most, limits[i].most };

		if (setrlimit((__rlimit_resource_t)limits[i].what, &l) < 0)
			return error_set(err, -errno, "limits: %s", strerror(errno));
	}
	return 0;
}

/* The job's files and the socket become 3, 4 and 5; nothing else stays. Standard error does, for sanitizers. */
static int keep_descriptors(struct job *job, int *sock, struct error *err)
{
	int *const kept[] = { &job->fd, &job->schema, sock };

	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) /* first above those that will be used */
		if (*kept[i] >= 0 && (*kept[i] = fcntl(*kept[i], F_DUPFD, 10)) < 0)
			return error_set(err, -errno, "descriptors: %s", strerror(errno));
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		if (*kept[i] >= 0)
			*kept[i] = dup2(*kept[i], 3 + (int)i);
	(void)close(0);
	(void)close(1);
	if (syscall(SYS_close_range, 6u, ~0u, 0) < 0)
		return error_set(err, -errno, "descriptors: %s", strerror(errno));
	return 0;
}

static _Noreturn void child(struct job *job, int sock)
{
	struct answer answer = { 0 };
	struct error err = { 0 };
	int rc = keep_descriptors(job, &sock, &err);

	if (rc == 0)
		rc = limit(&err);
	if (rc == 0)
		rc = confine_rights(&err);
	if (rc == 0) {
		(void)confine_files(); /* the filter refuses files anyway */
		rc = filter_calls(&err);
	}
	if (rc == 0)
		rc = do_job(job, &err);
	answer.code = rc;
	answer.size = rc == 0 ? (uint32_t)job->size : 0;
	answer.error = err;
	if (send_all(sock, &answer, sizeof(answer)) == 0 && rc == 0)
		(void)send_all(sock, job->data, job->size);
	_exit(0);
}

/* --- what we do ----------------------------------------------------------------------------------------------------- */

static int receive_all(int sock, void *data, size_t size, uint64_t until_ns)
{
	for (size_t got = 0; got < size;) {
		struct pollfd p = { .fd = sock, .events = POLLIN };
		uint64_t now = monotonic_ns();

		if (now >= until_ns)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)((until_ns - now) / 1000000 + 1)) <= 0)
			continue;
		ssize_t n = recv(sock, (char *)data + got, size - got, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		got += (size_t)n;
	}
	return 0;
}

static int take_answer(struct job *job, int sock, struct error *err)
{
	uint64_t until = monotonic_ns() + TIME_MS * 1000000ull;
	struct answer answer;
	int rc = receive_all(sock, &answer, sizeof(answer), until);

	if (rc < 0)
		return rc;
	answer.error.where[sizeof(answer.error.where) - 1] = '\0';
	answer.error.text[sizeof(answer.error.text) - 1] = '\0';
	if (answer.code < 0) {
		if (err)
			*err = answer.error;
		return err ? (err->code = answer.code) : answer.code;
	}
	if (answer.code > 0 || answer.size > job->most || (job->exact && answer.size != job->most))
		return -EPROTO;
	if (!job->exact && answer.size > 0) {
		job->data = calloc(1, answer.size + 1);
		if (!job->data)
			return -ENOMEM;
	}
	job->size = answer.size;
	return answer.size ? receive_all(sock, job->data, answer.size, until) : 0;
}

static int too_late(const char *file, struct error *err)
{
	return error_set(err, -ETIMEDOUT, "%.80s: reading it took longer than %d s", file,
			 TIME_MS / 1000);
}

static int no_file(const char *path, struct error *err)
{
	return error_set(err, -errno, "%.200s: cannot be read: %s", path, strerror(errno));
}

static int end_child(pid_t pid, int rc, const char *file, bool told, struct error *err)
{
	int status = 0;

	if (rc < 0)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (rc == 0 || told)
		return rc;
	if (rc == -ETIMEDOUT)
		return too_late(file, err);
	if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL)
		return error_set(err, -EIO,
				 "%.80s: the process that reads XML ended by signal %d: the file "
				 "asked too much of it",
				 file, WTERMSIG(status));
	return error_set(err, -EIO, "%.80s: the process that reads XML ended without an answer",
			 file);
}

static int run_job(struct job *job, struct error *err)
{
	struct error told = { 0 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "cannot make a socket pair: %s", strerror(errno));
	pid_t pid = fork();
	if (pid == 0)
		child(job, pair[1]);
	fd_close(&pair[1]);
	if (pid < 0) {
		fd_close(&pair[0]);
		return error_set(err, -errno, "cannot start the process that reads XML: %s",
				 strerror(errno));
	}
	int rc = take_answer(job, pair[0], &told);
	fd_close(&pair[0]);
	if (told.text[0] && err)
		*err = told;
	return end_child(pid, rc, job->file, told.text[0] != '\0', err);
}

/* Copies what comes, up to what is read of a file. A named pipe waits for its writer, but not for ever. */
static int copy_text(int from, int to, const char *path, struct error *err)
{
	const uint64_t until = monotonic_ns() + TIME_MS * 1000000ull;
	char part[16384];

	for (size_t got = 0; got <= XML_FILE_MAX;) {
		struct pollfd p = { .fd = from, .events = POLLIN };
		uint64_t now = monotonic_ns();

		if (now >= until)
			return too_late(path, err);
		if (poll(&p, 1, (int)((until - now) / 1000000 + 1)) <= 0)
			continue;
		ssize_t n = read(from, part, sizeof(part));
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n == 0)
			return 0;
		if (n < 0 || write(to, part, (size_t)n) != n)
			return no_file(path, err);
		got += (size_t)n;
	}
	return 0;
}

/* A pipe gives its text once, and `anynic xml` reads its file twice: the text of what is no plain file stays in memory. */
static int open_once(int from, const char *path, struct error *err)
{
	static char kept_path[PATH_MAX];
	static int kept = -1;

	if (kept < 0 || strcmp(kept_path, path) != 0) {
		fd_close(&kept);
		kept = memfd_create("anynic-xml", MFD_CLOEXEC);
		int rc = kept < 0 ? no_file(path, err) : copy_text(from, kept, path, err);
		if (rc < 0) {
			fd_close(&kept);
			return rc;
		}
		str_copy(kept_path, sizeof(kept_path), path);
	}
	int fd = lseek(kept, 0, SEEK_SET) < 0 ? -1 : fcntl(kept, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? no_file(path, err) : fd;
}

/* "-" is standard input. */
static int open_file(const char *path, struct error *err)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
			  : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		int rc = no_file(path, err);
		fd_close(&fd);
		return rc;
	}
	if (S_ISREG(st.st_mode) && !standard)
		return fd;
	int copy = open_once(fd, path, err);
	fd_close(&fd);
	return copy;
}

static int run_on_file(struct job *job, const char *path, struct error *err)
{
	job->file = path;
	job->fd = open_file(path, err);
	if (job->fd < 0)
		return job->fd;
	int rc = run_job(job, err);
	fd_close(&job->fd);
	return rc;
}

static int no_good_answer(const char *path, struct error *err)
{
	return error_set(err, -EPROTO, "%.80s: the process that read it answered what cannot be",
			 path);
}

int xml_read_interfaces(const char *path, struct interface_list *out, struct error *err)
{
	struct job job = { .kind = READ_INTERFACES,
			   .schema = -1,
			   .list = out,
			   .data = out,
			   .most = sizeof(*out),
			   .exact = true };

	memset(out, 0, sizeof(*out));
	int rc = run_on_file(&job, path, err);
	if (rc == 0 && !xml_interfaces_hold(out))
		rc = no_good_answer(path, err);
	if (rc < 0)
		memset(out, 0, sizeof(*out));
	return rc;
}

int xml_read_networks(const char *path, struct network_list *out, struct error *err)
{
	struct network_list *copy = malloc(sizeof(*copy));

	if (!copy)
		return error_set(err, -ENOMEM, "out of memory");
	*copy = *out;
	struct job job = { .kind = READ_NETWORKS,
			   .schema = -1,
			   .networks = copy,
			   .data = copy,
			   .most = sizeof(*copy),
			   .exact = true };
	int rc = run_on_file(&job, path, err);
	if (rc == 0 && !xml_networks_hold(copy))
		rc = no_good_answer(path, err);
	if (rc == 0)
		*out = *copy;
	free(copy);
	return rc;
}

int xml_write_interfaces(const char *path, const struct interface_list *list,
			 const struct interface_result *result, char **text, struct error *err)
{
	struct job job = { .kind = WRITE_INTERFACES,
			   .schema = -1,
			   .list = (struct interface_list *)list,
			   .result = result,
			   .most = XML_OUT_MAX };
	int rc = run_on_file(&job, path, err);

	*text = rc == 0 ? job.data : NULL;
	if (rc < 0)
		free(job.data);
	return rc == 0 && !*text ? no_good_answer(path, err) : rc;
}

int xml_validate(const char *path, const char *schema, struct error *err)
{
	struct job job = { .kind = VALIDATE, .schema = open_file(schema, err) };

	if (job.schema < 0)
		return job.schema;
	int rc = run_on_file(&job, path, err);
	fd_close(&job.schema);
	return rc;
}
