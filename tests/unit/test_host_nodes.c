/* <backend tap= vhost=> of XML: other nodes than the usual ones make the taps, and serve the rings; what is no such node is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "host/open.h"
#include "host/vhost.h"
#include "netns.h"

static char folder[] = "/tmp/anynic-test-nodes-XXXXXX";
static char path[100];
static struct error err;

static const char *in_folder(const char *name)
{
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static int open_tap(const char *type, const char *node, bool look_only)
{
	struct backend_spec spec = { .type = "", .br = "br0" };
	struct backend_request r = {
		.spec = &spec, .guest = "test", .port = "net0", .mac = { 0x52, 0x54, 0, 0, 0, 1 }
	};
	struct opened_backend o;

	err = (struct error){ 0 };
	str_copy(spec.type, sizeof(spec.type), type);
	str_copy(spec.tap_node, sizeof(spec.tap_node), node);
	if (look_only)
		return host_backend_look(&r, &err);
	int rc = host_backend_open(&r, &o, &err);
	if (rc == 0)
		opened_backend_close(&o);
	return rc;
}

static void fails(const char *node, const char *why)
{
	static const char *const types[] = { "tap", "bridge" };

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(types); i++) {
		bool look_only = i % 2;

		/* of a device only its driver knows what it is */
		if (look_only && strcmp(node, "/dev/null") == 0)
			continue;
		assert_true(open_tap(types[i / 2], node, look_only) < 0);
		if (!strstr(err.text, why) || strncmp(err.text, "<backend tap='", 14) != 0)
			fail_msg("'%s', wanted '%s'", err.text, why);
	}
}

static void taps_come_from_the_node_that_is_named(void **state)
{
	struct stat usual;

	(void)state;
	assert_int_equal(stat("/dev/net/tun", &usual), 0);
	if (mknod(in_folder("tun"), S_IFCHR | 0600, usual.st_rdev) < 0)
		skip(); /* root of a user namespace makes no nodes */
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		skip(); /* a file system without devices */
	close(fd);
	assert_int_equal(open_tap("tap", path, false), 0);
	assert_int_equal(open_tap("bridge", path, false), 0);
	assert_int_equal(open_tap("bridge", path, true), 0);
}

static void what_makes_no_taps_is_told(void **state)
{
	(void)state;
	assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
	fails(path, "it is no such device");
	fails(folder, "it is no such device");
	fails("/dev/null", "it is no such device");
	fails(in_folder("missing"), "No such file");
}

/* The node is one; what is wrong is the name. */
static void a_name_that_is_no_tap_is_not_blamed_on_the_node(void **state)
{
	struct backend_spec spec = { .type = "tap", .ifname = "br0", .tap_node = "/dev/net/tun" };
	struct backend_request r = { .spec = &spec, .guest = "test", .port = "net0" };
	struct opened_backend o;

	(void)state;
	err = (struct error){ 0 };
	assert_int_equal(host_backend_open(&r, &o, &err), -EINVAL);
	assert_string_equal(err.text, "br0 is no tap interface; next: choose another ifname=");
}

static void a_tap_of_the_users_own_is_not_made(void **state)
{
	struct backend_spec spec = { .type = "tap", .ifname = "own7", .managed = TRISTATE_OFF };
	struct backend_request r = { .spec = &spec, .guest = "test", .port = "net0" };
	struct opened_backend o;

	(void)state;
	assert_int_equal(host_backend_look(&r, &err), -ENOENT);
	assert_int_equal(host_backend_open(&r, &o, &err), -ENOENT);
	assert_non_null(strstr(err.text, "<target dev='own7' managed='no'>"));
	assert_int_equal(if_nametoindex("own7"), 0);
	assert_int_equal(system("ip tuntap add dev own7 mode tap"), 0);
	assert_int_equal(host_backend_open(&r, &o, &err), 0);
	opened_backend_close(&o);
	/* and the other way round */
	spec.managed = TRISTATE_ON;
	assert_int_equal(host_backend_look(&r, &err), -EEXIST);
	assert_int_equal(host_backend_open(&r, &o, &err), -EEXIST);
	assert_non_null(strstr(err.text, "managed='no'"));
	assert_int_equal(system("ip link del own7"), 0);
	assert_int_equal(host_backend_open(&r, &o, &err), 0);
	opened_backend_close(&o);
}

static struct port_spec vhost_port(const char *node, enum backend_driver driver)
{
	struct port_spec p = { .nics = 1,
			       .backend = { .type = "bridge", .driver = driver },
			       .nic = { { .model = "virtio-net", .netdev = NETDEV_TAP } } };

	str_copy(p.backend.vhost_node, sizeof(p.backend.vhost_node), node);
	return p;
}

static int open_vhost(const char *node, enum backend_driver driver, struct vhost_choice *out)
{
	struct port_spec p = vhost_port(node, driver);
	int fds[QUEUES_MAX];
	unsigned nfds = 1;

	err = (struct error){ 0 };
	*out = (struct vhost_choice){ 0 };
	int rc = host_vhost_open(&p, 1, fds, &nfds, out, &err);
	assert_int_equal(nfds, 0);
	return rc;
}

static void rings_without_the_named_node_stay_in_user_space_unless_vhost_is_required(void **state)
{
	struct vhost_choice choice;

	(void)state;
	assert_int_equal(open_vhost(in_folder("missing"), DRIVER_DEFAULT, &choice), 0);
	assert_int_equal(choice.driver, DRIVER_QEMU);
	assert_non_null(strstr(choice.why, path));
	assert_int_equal(open_vhost(path, DRIVER_VHOST, &choice), -ENOTSUP);
	assert_non_null(strstr(err.text, path));
}

static void a_node_that_is_no_vhost_is_an_error(void **state)
{
	struct vhost_choice choice;
	struct port_spec p = vhost_port(folder, DRIVER_DEFAULT);

	(void)state;
	assert_int_equal(open_vhost(folder, DRIVER_DEFAULT, &choice), -ENODEV);
	assert_non_null(strstr(err.text, "<backend vhost='"));
	assert_int_equal(open_vhost("/dev/null", DRIVER_DEFAULT, &choice), -ENODEV);
	assert_int_equal(host_vhost_plan(&p, false, &choice, &err), -ENODEV);
	assert_int_equal(host_vhost_plan(&p, true, &choice, &err), 0); /* for another host */
}

static int clear_scene(void **state)
{
	char command[150];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taps_come_from_the_node_that_is_named),
		cmocka_unit_test(what_makes_no_taps_is_told),
		cmocka_unit_test(a_name_that_is_no_tap_is_not_blamed_on_the_node),
		cmocka_unit_test(a_tap_of_the_users_own_is_not_made),
		cmocka_unit_test(
			rings_without_the_named_node_stay_in_user_space_unless_vhost_is_required),
		cmocka_unit_test(a_node_that_is_no_vhost_is_an_error),
	};

	if (enter_netns() < 0 || need_tun() < 0)
		return TEST_SKIPPED;
	if (!mkdtemp(folder) || system("ip link add br0 type bridge") != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, clear_scene);
}
