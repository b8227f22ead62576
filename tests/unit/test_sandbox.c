/* The locked process tries what it must not do. Each try is a child of its own, with a second thread alive, since the filter
 * ends the whole process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "datapath/datapath.h"

static void (*job_of_thread)(void);

static void quiet(enum log_level level, const char *text)
{
	(void)level;
	(void)text;
}

static void *second_thread(void *arg)
{
	uint64_t n;

	if (read(*(int *)arg, &n, sizeof(n)) == sizeof(n) && job_of_thread)
		job_of_thread();
	return NULL;
}

/* Runs `job` in a locked child, in the main or in the second thread. Returns the wait status. */
static int run_locked(void (*job)(void), bool in_thread)
{
	pid_t pid = fork();

	if (pid == 0) {
		struct error err = { 0 };
		int go = eventfd(0, 0);
		uint64_t one = 1;
		pthread_t thread;

		log_set_sink(quiet);
		if (sandbox_before_threads(&err) < 0)
			_exit(100);
		job_of_thread = in_thread ? job : NULL;
		pthread_create(&thread, NULL, second_thread, &go);
		if (sandbox_lock(&err) < 0)
			_exit(101);
		if (!in_thread)
			job();
		if (write(go, &one, sizeof(one)) < 0)
			_exit(102);
		pthread_join(thread, NULL);
		_exit(0);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	return status;
}

static void open_a_file(void)
{
	if (open("/etc/passwd", O_RDONLY) >= 0 || open("/dev/null", O_RDWR) >= 0)
		_exit(42);
}

static void open_a_file_the_old_way(void)
{
	syscall(SYS_open, "/etc/passwd", O_RDONLY);
}

static void stat_a_path(void)
{
	struct stat st;
	stat("/etc/passwd", &st);
}

static void make_a_socket(void)
{
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0)
		_exit(42);
}

static void connect_a_socket(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	connect(0, (struct sockaddr *)&sun, sizeof(sun));
}

static void exec_a_program(void)
{
	char *argv[] = { NULL };
	execve("/bin/true", argv, argv);
}

static void trace_a_process(void)
{
	ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static void read_another_process(void)
{
	char c;
	struct iovec iov = { &c, 1 };
	process_vm_readv(1, &iov, 1, &iov, 1, 0);
}

static void fork_a_child(void)
{
	if (fork() == 0)
		_exit(0);
}

static void signal_another(void)
{
	kill(getpid(), SIGTERM);
}

static void map_code(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void turn_data_into_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

static void use_another_ioctl(void)
{
	int n;
	ioctl(0, FIONREAD, &n);
}

static void make_a_memory_file(void)
{
	memfd_create("x", 0);
}

static void each_forbidden_call_ends_the_process(void **state)
{
	(void)state;
#if defined(__SANITIZE_ADDRESS__)
	skip(); /* sanitizer builds have their own, wider filter */
#endif
	static const struct {
		const char *what;
		void (*job)(void);
	} forbidden[] = {
		{ "open", open_a_file },	 { "old open", open_a_file_the_old_way },
		{ "stat", stat_a_path },	 { "socket", make_a_socket },
		{ "connect", connect_a_socket }, { "exec", exec_a_program },
		{ "ptrace", trace_a_process },	 { "process_vm_readv", read_another_process },
		{ "fork", fork_a_child },	 { "kill", signal_another },
		{ "mmap exec", map_code },	 { "mprotect exec", turn_data_into_code },
		{ "ioctl", use_another_ioctl },	 { "memfd_create", make_a_memory_file },
	};
	for (unsigned i = 0; i < ARRAY_SIZE(forbidden); i++) {
		for (int in_thread = 0; in_thread < 2; in_thread++) {
			int status = run_locked(forbidden[i].job, in_thread);
			if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
				fail_msg("%s was not stopped (thread %d, status 0x%x)",
					 forbidden[i].what, in_thread, status);
		}
	}
}

/* What a new connection, a new memory map and a hot-plugged port need. */
static int listen_fd, pair[2];

static void live_on(void)
{
	int fds[FD_PASS_MAX];
	unsigned nfds;
	char byte;
	int conn = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0)
		_exit(1);
	if (fd_recv(pair[1], &byte, 1, fds, &nfds) != 1 || nfds != 1)
		_exit(2);
	struct stat st;
	if (fstat(fds[0], &st) < 0 || st.st_size != 8192)
		_exit(3);
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	if (p == MAP_FAILED)
		_exit(4);
	p[5000] = 'x';
	munmap(p, 8192);
	if (lseek(fds[0], 0, SEEK_DATA) != 4096)
		_exit(5);
	if (fd_set_nonblock(conn, true) < 0 || eventfd(0, EFD_NONBLOCK) < 0)
		_exit(6);
	char *heap = malloc(1 << 22);
	if (!heap)
		_exit(7);
	memset(heap, 1, 1 << 22);
	free(heap);
	close(conn);
}

static void what_is_needed_later_still_works(void **state)
{
	(void)state;
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	struct sockaddr_un name;
	socklen_t len = sizeof(name);

	listen_fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&sun, sizeof(sa_family_t)),
			 0); /* autobind: no path */
	assert_int_equal(listen(listen_fd, 1), 0);
	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&name, &len), 0);
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&name, len), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	int file_fd = memfd_create("guest", 0);
	assert_int_equal(ftruncate(file_fd, 8192), 0);
	assert_int_equal(fd_send(pair[0], "x", 1, &file_fd, 1), 1);

	int status = run_locked(live_on, false);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(client);
	close(listen_fd);
	close(file_fd);
}

/* glibc gives threads heaps of their own, and asks the system about processors and overcommit for them. */
static void fill_and_empty_a_heap(void)
{
	enum { BLOCKS = 20000 };
	static void *block[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++)
		if (!(block[i] = malloc(650)))
			_exit(1);
	for (unsigned i = BLOCKS; i-- > 0;)
		free(block[i]);
}

static void a_heap_that_was_large_may_shrink(void **state)
{
	(void)state;
	for (int in_thread = 0; in_thread < 2; in_thread++) {
		int status = run_locked(fill_and_empty_a_heap, in_thread);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("thread %d: status 0x%x", in_thread, status);
	}
}

#define THREADS 24

static int go_fd, done_fd, end_fd;

/* All hold what they have until the last one has it: heaps are not shared one after the other. */
static void *allocating_thread(void *arg)
{
	uint64_t n = 1;

	(void)arg;
	if (read(go_fd, &n, sizeof(n)) != sizeof(n))
		return NULL;
	void *p = malloc(100);
	if (!p || write(done_fd, &n, sizeof(n)) < 0 || read(end_fd, &n, sizeof(n)) < 0)
		_exit(103);
	free(p);
	return NULL;
}

static void every_worker_of_a_large_machine_may_allocate(void **state)
{
	(void)state;
	pid_t pid = fork();

	if (pid == 0) {
		struct error err = { 0 };
		uint64_t all = THREADS, one;
		pthread_t thread[THREADS];

		log_set_sink(quiet);
		go_fd = eventfd(0, EFD_SEMAPHORE);
		done_fd = eventfd(0, EFD_SEMAPHORE);
		end_fd = eventfd(0, EFD_SEMAPHORE);
		if (sandbox_before_threads(&err) < 0)
			_exit(100);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_create(&thread[i], NULL, allocating_thread, NULL);
		if (sandbox_lock(&err) < 0)
			_exit(101);
		if (write(go_fd, &all, sizeof(all)) < 0)
			_exit(102);
		for (unsigned i = 0; i < THREADS; i++)
			if (read(done_fd, &one, sizeof(one)) < 0)
				_exit(104);
		if (write(end_fd, &all, sizeof(all)) < 0)
			_exit(105);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		_exit(0);
	}
	int status = 0;
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void kill_another_process(void)
{
	syscall(SYS_tgkill, getppid(), getppid(), 0);
}

/* Who reads the log must not take a failed check for an attack. */
static void a_check_that_fails_ends_the_process_by_its_own_signal(void **state)
{
	(void)state;
	for (int in_thread = 0; in_thread < 2; in_thread++) {
		int status = run_locked(abort, in_thread);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
#if !defined(__SANITIZE_ADDRESS__)
	int status = run_locked(kill_another_process, false);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSYS);
#endif
}

static void a_locked_process_has_no_capability_and_is_not_dumpable(void **state)
{
	(void)state;
	int hold[2];
	char line[256];

	assert_int_equal(pipe(hold), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct error err;
		char c;
		log_set_sink(quiet);
		if (sandbox_before_threads(&err) < 0 || sandbox_lock(&err) < 0)
			_exit(1);
		if (write(hold[1], "x", 1) != 1 || read(pair[1], &c, 1) < 0)
			_exit(2);
		_exit(0);
	}
	assert_int_equal(read(hold[0], line, 1), 1);
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	unsigned seen = 0;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "CapEff:", 7) == 0 || strncmp(line, "CapPrm:", 7) == 0 ||
		    strncmp(line, "CapBnd:", 7) == 0)
			seen += strspn(line + 8, "0") == 16;
		if (strncmp(line, "NoNewPrivs:\t1", 13) == 0 ||
		    strncmp(line, "Seccomp:\t2", 10) == 0)
			seen++;
	}
	fclose(f);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (geteuid() == 0)
		assert_int_equal(seen, 5);
	else
		assert_true(seen >= 4); /* the bounding set is dropped only by who may */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_forbidden_call_ends_the_process),
		cmocka_unit_test(what_is_needed_later_still_works),
		cmocka_unit_test(a_heap_that_was_large_may_shrink),
		cmocka_unit_test(every_worker_of_a_large_machine_may_allocate),
		cmocka_unit_test(a_check_that_fails_ends_the_process_by_its_own_signal),
		cmocka_unit_test(a_locked_process_has_no_capability_and_is_not_dumpable),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
