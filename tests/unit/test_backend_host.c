/* The sockets that control opens for a stream backend, and where it finds its helpers. */
#include "backend_help.h"

#include <sys/stat.h>
#include <sys/un.h>

#include "host/helper.h"
#include "host_help.h"

static char folder[] = "/tmp/anynic-test-host-XXXXXX";
static struct rx_room rx;

static struct backend_spec stream_spec(const char *name, bool server)
{
	struct backend_spec spec = spec_of("stream", -1);

	snprintf(spec.path, sizeof(spec.path), "%s/%s", folder, name);
	spec.server = server;
	return spec;
}

static void must_open(const struct backend_spec *spec, struct opened_backend *o)
{
	struct error err = { 0 };

	if (open_host(spec, 1, o, &err) < 0)
		fail_msg("%s", err.text);
}

static void assert_refused(struct backend_spec spec, int code, const char *words)
{
	struct opened_backend o;
	struct error err = { 0 };

	assert_int_equal(open_host(&spec, 1, &o, &err), code);
	if (!strstr(err.text, words))
		fail_msg("'%s' says nothing of '%s'", err.text, words);
	assert_int_equal(o.nfds, 0);
	assert_string_equal(o.unlink_path, "");
}

static struct backend *backend_on(struct backend_spec *spec, struct opened_backend *o)
{
	memcpy(spec->fds, o->fds, sizeof(spec->fds));
	spec->nfds = o->nfds;
	o->nfds = 0;
	return must_create(spec);
}

static void two_ports_meet_at_a_socket(void **state)
{
	struct backend_spec server = stream_spec("meet", true), client = stream_spec("meet", false);
	struct opened_backend so, co;
	uint8_t data[300];
	struct frame f;

	(void)state;
	must_open(&server, &so);
	struct backend *s = backend_on(&server, &so);
	for (unsigned round = 0; round < 3; round++) { /* the client comes again and again */
		struct backend_spec again = client;
		must_open(&again, &co);
		struct backend *c = backend_on(&again, &co);
		assert_true(fd_is(s->listen_fd, POLLIN));
		backend_accept(s);
		make_frame(&f, data, round, sizeof(data));
		assert_int_equal(c->ops->send(c, &f, 1), 1);
		assert_int_equal(s->ops->receive(s, 0, rx_frames(&rx), 4), 1);
		assert_frame(&rx.frames[0], round, sizeof(data));
		assert_int_equal(s->ops->send(s, &f, 1), 1);
		assert_int_equal(c->ops->receive(c, 0, rx_frames(&rx), 4), 1);
		backend_destroy(c);
		opened_backend_close(&co);
		assert_int_equal(s->ops->receive(s, 0, rx_frames(&rx), 4), 0);
		assert_false(s->up);
	}
	backend_destroy(s);
	opened_backend_close(&so);
	assert_int_equal(access(server.path, F_OK), -1); /* the path goes with the port */
}

static void a_leftover_socket_is_replaced_and_a_live_one_is_not(void **state)
{
	struct backend_spec spec = stream_spec("left", true);
	struct opened_backend first, second;

	(void)state;
	must_open(&spec, &first);
	assert_refused(spec, -EADDRINUSE, "another program listens");
	first.unlink_path[0] = '\0'; /* as if the program had been killed */
	opened_backend_close(&first);
	assert_int_equal(access(spec.path, F_OK), 0);
	must_open(&spec, &second);
	opened_backend_close(&second);
}

static void a_file_that_is_no_socket_is_never_removed(void **state)
{
	struct backend_spec spec = stream_spec("precious", true);
	int fd = open(spec.path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	close(fd);
	assert_refused(spec, -EEXIST, "no socket");
	assert_int_equal(unlink(spec.path), 0);
}

static void a_client_without_server_is_told_what_to_do(void **state)
{
	(void)state;
	assert_refused(stream_spec("nobody", false), -ENOENT, "mode=server");
	struct backend_spec spec = stream_spec("nobody", true);
	snprintf(spec.path, sizeof(spec.path), "/nowhere/socket");
	assert_refused(spec, -ENOENT, "folder");
	spec.path[0] = '\0';
	assert_refused(spec, -EINVAL, "path=");
	memset(spec.path, 'x', 150);
	spec.path[150] = '\0';
	assert_refused(spec, -ENAMETOOLONG, "107");
}

static void a_given_socket_must_be_what_the_mode_says(void **state)
{
	struct backend_spec spec = spec_of("stream", -1);
	struct opened_backend o;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	spec.nfds = 1;
	spec.fds[0] = pair[0];
	must_open(&spec, &o);
	assert_int_equal(o.fds[0], pair[0]);
	assert_int_equal(fcntl(pair[0], F_GETFD), FD_CLOEXEC);
	opened_backend_close(&o);
	spec.fds[0] = pair[1];
	spec.server = true;
	assert_refused(spec, -EINVAL, "leave out mode=server");
	assert_int_equal(fcntl(pair[1], F_GETFD), -1); /* taken, also on failure */
}

static void null_and_loop_need_nothing_and_others_are_unknown(void **state)
{
	struct backend_spec spec = spec_of("null", -1);
	struct opened_backend o;

	(void)state;
	must_open(&spec, &o);
	assert_int_equal(o.nfds, 0);
	opened_backend_close(&o);
	opened_backend_close(&o);
	assert_refused(spec_of("warp", -1), -ENOENT, "anynic backends");
}

static void helpers_are_found_in_the_named_folder_only(void **state)
{
	char path[300];
	struct error err = { 0 };

	(void)state;
	setenv("ANYNIC_LIBEXEC", folder, 1);
	assert_int_equal(host_helper_find("anynic-user", path, sizeof(path), &err), -ENOENT);
	assert_non_null(strstr(err.text, "ANYNIC_LIBEXEC"));
	snprintf(path, sizeof(path), "%s/anynic-user", folder);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700));
	char found[300];
	assert_int_equal(host_helper_find("anynic-user", found, sizeof(found), &err), 0);
	assert_string_equal(found, path);
	unlink(path);
	unsetenv("ANYNIC_LIBEXEC");
}

/* DESTDIR or a moved tree: what was installed with the program is found before what the build named. */
static void helpers_are_found_under_the_prefix_of_the_program(void **state)
{
	char program[300], path[600], wanted[400], self[300];
	struct error err = { 0 };

	(void)state;
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(n > 0);
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(wanted, sizeof(wanted), "%s/../libexec/anynic", self);
	snprintf(path, sizeof(path), "/bin/mkdir -p %s", wanted);
	assert_int_equal(system(path), 0);
	snprintf(program, sizeof(program), "%s/anynic-nobody", wanted);
	close(open(program, O_WRONLY | O_CREAT | O_CLOEXEC, 0700));
	int rc = host_helper_find("anynic-nobody", path, sizeof(path), &err);
	unlink(program);
	rmdir(wanted);
	*strrchr(wanted, '/') = '\0';
	rmdir(wanted);
	assert_int_equal(rc, 0);
	assert_string_equal(path, program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_ports_meet_at_a_socket),
		cmocka_unit_test(a_leftover_socket_is_replaced_and_a_live_one_is_not),
		cmocka_unit_test(a_file_that_is_no_socket_is_never_removed),
		cmocka_unit_test(a_client_without_server_is_told_what_to_do),
		cmocka_unit_test(a_given_socket_must_be_what_the_mode_says),
		cmocka_unit_test(null_and_loop_need_nothing_and_others_are_unknown),
		cmocka_unit_test(helpers_are_found_in_the_named_folder_only),
		cmocka_unit_test(helpers_are_found_under_the_prefix_of_the_program),
	};

	if (!mkdtemp(folder))
		return 1;
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return rc;
}
