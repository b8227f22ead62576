#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/nic_option.h"
#include "known_for_tests.h"
#include "qemu/arguments.h"

static const struct qemu_program qemu_10_1 = { .major = 10, .minor = 1 },
				 qemu_11_1 = { .major = 11, .minor = 1 };

/* What is added to `text` for these ports, words joined with blanks, or the error's text. */
static const char *added_for(const char *text, const char *const *nics,
			     const struct qemu_setup *setup, int *rc)
{
	static char copy[1024], result[4096];
	static char *words[64];
	struct port_spec ports[8];
	struct guest_identity who = { "m", 0, "g" };
	struct qemu_arguments a;
	struct qemu_line line;
	struct error err = { 0 };
	unsigned n = 0;
	int argc = 0;

	for (; nics[n]; n++)
		assert_int_equal(nic_option_parse(&ports[n], nics[n], &test_known, &err), 0);
	ports_complete(ports, n, &who);
	for (unsigned i = 0; i < n; i++)
		if (ports[i].nic[0].transport == TRANSPORT_VHOST_USER)
			ports[i].nic[0].netdev = NETDEV_VHOST_USER;
	str_copy(copy, sizeof(copy), text);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		words[argc++] = w;
	result[0] = '\0';
	*rc = qemu_line_parse(&line, words, argc, &err);
	if (*rc == 0)
		*rc = qemu_arguments_build(&a, &line, ports, n, setup, &err);
	if (*rc < 0)
		return strcpy(result, err.text);
	assert_int_equal(a.user_argc, argc);
	for (int i = 0; i < argc; i++)
		assert_string_equal(a.argv[i], words[i]);
	for (int i = a.user_argc; i < a.argc; i++)
		snprintf(result + strlen(result), sizeof(result) - strlen(result), "%s%s",
			 i > a.user_argc ? " " : "", a.argv[i]);
	assert_null(a.argv[a.argc]);
	qemu_arguments_finish(&a);
	return result;
}

/* QEMU 7 faults when rings of vhost-user have MSI-X and KVM is not there. */
static void msix_is_left_out_where_it_kills_qemu(void **state)
{
	static const struct {
		const char *line;
		unsigned major;
		bool vectors_0;
	} cases[] = {
		{ "qemu-system-x86_64 -M q35", 7, true },
		{ "qemu-system-x86_64 -M q35,accel=tcg", 7, true },
		{ "qemu-system-x86_64 -M q35 -accel kvm -accel tcg", 7, true },
		{ "qemu-system-x86_64 -M q35,accel=kvm:tcg", 7, true },
		{ "qemu-system-x86_64 -M q35 -accel kvm", 7, false },
		{ "qemu-system-x86_64 -M q35 -enable-kvm", 7, false },
		{ "qemu-system-x86_64 -M q35,accel=kvm", 7, false },
		{ "qemu-system-x86_64 -M q35", 11, false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct qemu_program program = { .major = cases[i].major, .minor = 2 };
		struct qemu_setup setup = { .socket_dir = "/run/x",
					    .qmp_fd = 7,
					    .program = &program };
		int rc;
		const char *text = added_for(
			cases[i].line,
			(const char *const[]){ "virtio-net,transport=vhost-user,queues=2", NULL },
			&setup, &rc);

		assert_int_equal(rc, 0);
		assert_non_null(strstr(text, "\"mq\":true"));
		if (cases[i].vectors_0)
			assert_non_null(strstr(text, "\"vectors\":0"));
		else
			assert_non_null(strstr(text, "\"vectors\":6"));
	}
}

/* For cards that are plugged later: room, and memory that they can be served from, where QEMU could have them. */
static void spare_ports_come_last_and_share_the_memory(void **state)
{
	(void)state;
	static const char *const own[] = { "rtl8139,place=qemu", NULL };
	struct qemu_program new = { .major = 11, .minor = 1, .vfio_user = true },
			    old = { .major = 7, .minor = 2 };
	struct qemu_setup setup = {
		.socket_dir = "/run/x", .qmp_fd = 7, .program = &new, .spare_ports = 2
	};
	int rc;

	const char *text = added_for("qemu-system-x86_64 -M q35", own, &setup, &rc);
	assert_int_equal(rc, 0);
	assert_non_null(strstr(text, "\"anynic-rp-2\",\"bus\":\"pcie.0\""));
	assert_null(strstr(text, "\"anynic-rp-3\""));
	text = added_for("qemu-system-x86_64 -M pc", own, &setup, &rc);
	assert_null(strstr(text, "anynic-rp-"));
	/* the user's own choice of memory stays, also where it does not do for a card of ours */
	text = added_for("qemu-system-x86_64 -M q35,memory-backend=m -object "
			 "memory-backend-ram,id=m,size=64M",
			 (const char *const[]){ NULL }, &setup, &rc);
	assert_int_equal(rc, 0);
	assert_null(strstr(text, "memory-backend"));
	text = added_for("qemu-system-x86_64 -M q35", (const char *const[]){ NULL }, &setup, &rc);
	assert_non_null(strstr(text, "memory-backend=anynic-mem"));
	setup.program = &old;
	text = added_for("qemu-system-x86_64 -M q35", (const char *const[]){ NULL }, &setup, &rc);
	assert_null(strstr(text, "memory-backend"));
	assert_non_null(strstr(text, "\"anynic-rp-1\""));
}

static void a_uri_to_come_from_is_added(void **state)
{
	char *words[] = { "qemu-system-x86_64", "-M", "q35" };
	struct qemu_setup setup = { .socket_dir = "/run/x", .qmp_fd = 7, .program = &qemu_11_1 };
	struct qemu_arguments a;
	struct qemu_line line;
	struct error err = { 0 };
	unsigned found = 0;

	(void)state;
	assert_int_equal(qemu_line_parse(&line, words, 3, &err), 0);
	line.incoming = true;
	line.incoming_uri = "unix:/a b";
	assert_int_equal(qemu_arguments_build(&a, &line, NULL, 0, &setup, &err), 0);
	for (int i = a.user_argc; i + 1 < a.argc; i++)
		found += strcmp(a.argv[i], "-incoming") == 0 &&
			 strcmp(a.argv[i + 1], "unix:/a b") == 0;
	assert_int_equal(found, 1);
	qemu_arguments_finish(&a);
}

static const char *added(const char *text)
{
	struct qemu_setup setup = { .socket_dir = "/run/x", .qmp_fd = 7, .program = &qemu_11_1 };
	int rc;

	return added_for(text, (const char *const[]){ "rtl8139", NULL }, &setup, &rc);
}

#define MEMORY(size)                                                                               \
	"-object memory-backend-memfd,id=anynic-mem,size=" size                                    \
	",share=on -machine memory-backend=anynic-mem"
#define MONITOR                                                                                    \
	"-chardev socket,id=anynic-qmp,fd=7 -object "                                              \
	"monitor-qmp,id=anynic-monitor,chardev=anynic-qmp"
#define KEEP   "-monitor vc:80Cx24C"
#define SOCKET "\"socket\":{\"type\":\"unix\",\"path\":\"/run/x/net0.sock\"}"
#define ON_PCI "-device {\"driver\":\"vfio-user-pci\",\"id\":\"net0\",\"bus\":\"pci.0\"," SOCKET "}"
#define ON_PCIE(chassis)                                                                           \
	"-device "                                                                                 \
	"{\"driver\":\"pcie-root-port\",\"id\":\"anynic-rp-0\",\"bus\":\"pcie.0\","                \
	"\"chassis\":" chassis "} "                                                                \
	"-device "                                                                                 \
	"{\"driver\":\"vfio-user-pci\",\"id\":\"net0\",\"bus\":\"anynic-rp-0\",\"addr\":"          \
	"\"0x0\"," SOCKET "}"

static void each_line_gets_what_it_lacks(void **state)
{
	(void)state;
	static const struct {
		const char *line, *added;
	} cases[] = {
		{ "qemu-system-x86_64",
		  "-nic none " MEMORY("128M") " " MONITOR " " KEEP " " ON_PCI },
		{ "qemu-system-x86_64 -m 1G",
		  "-nic none " MEMORY("1024M") " " MONITOR " " KEEP " " ON_PCI },
		{ "qemu-system-x86_64 -m 20000B",
		  "-nic none " MEMORY("24576") " " MONITOR " " KEEP " " ON_PCI },
		{ "qemu-system-x86_64 -nodefaults -m 64", MEMORY("64M") " " MONITOR " " ON_PCI },
		{ "qemu-system-x86_64 -nic user -m 64",
		  MEMORY("64M") " " MONITOR " " KEEP " " ON_PCI },
		{ "qemu-system-x86_64 -nodefaults -M pc-i440fx-9.0 -m 64",
		  MEMORY("64M") " " MONITOR " " ON_PCI },
		{ "qemu-system-x86_64 -nodefaults -M q35 -m 64",
		  MEMORY("64M") " " MONITOR " " ON_PCIE("128") },
		{ "qemu-system-x86_64 -nodefaults -machine type=pc-q35-8.2 -m 64",
		  MEMORY("64M") " " MONITOR " " ON_PCIE("128") },
		{ "qemu-system-aarch64 -nodefaults -M virt-9.2 -m 64",
		  MEMORY("64M") " " MONITOR " " ON_PCIE("128") },
		{ "qemu-system-aarch64 -nodefaults -M virt,gic-version=3 -m 64",
		  MEMORY("64M") " " MONITOR " " ON_PCIE("128") },
		{ "qemu-system-aarch64 -nodefaults -machine type=sbsa-ref",
		  MEMORY("1024M") " " MONITOR " " ON_PCIE("128") },
		{ "qemu-system-i386 -nodefaults", MEMORY("128M") " " MONITOR " " ON_PCI },
		{ "qemu-system-loongarch64 -nodefaults",
		  MEMORY("1024M") " " MONITOR " " ON_PCIE("128") },
		{ "qemu-system-ppc64 -nodefaults", MEMORY("512M") " " MONITOR " " ON_PCI },
		/* the user's own root ports */
		{ "qemu-system-x86_64 -nodefaults -M q35 -device pcie-root-port,chassis=128 "
		  "-device pcie-root-port,chassis=129",
		  MEMORY("128M") " " MONITOR " " ON_PCIE("130") },
		/* the user's own memory */
		{ "qemu-system-x86_64 -nodefaults -object memory-backend-memfd,id=m,size=64M -M "
		  "memory-backend=m",
		  MONITOR " " ON_PCI },
		{ "qemu-system-x86_64 -nodefaults -object "
		  "memory-backend-file,id=m,size=64M,share=on,mem-path=/x -numa node,memdev=m",
		  MONITOR " " ON_PCI },
		{ "qemu-system-x86_64 -nodefaults -object "
		  "memory-backend-ram,id=m,size=64M,share=on -M memory-backend=m",
		  MONITOR " " ON_PCI },
		{ "qemu-system-x86_64 -nodefaults -m 64M,slots=1,maxmem=1G -object "
		  "memory-backend-memfd,id=m,size=64M -device "
		  "pc-dimm,memdev=m",
		  MEMORY("64M") " " MONITOR " " ON_PCI },
		{ "qemu-system-x86_64 -nodefaults -M memory-backend=elsewhere -readconfig f",
		  MONITOR " " ON_PCI },
		/* the user's own monitor and serial port */
		{ "qemu-system-x86_64 -nic none -m 64 -monitor stdio",
		  MEMORY("64M") " " MONITOR " " ON_PCI },
		{ "qemu-system-x86_64 -nic none -m 64 -qmp unix:/x,server=on",
		  MEMORY("64M") " " MONITOR " " ON_PCI },
		{ "qemu-system-x86_64 -nic none -m 64 -nographic",
		  MEMORY("64M") " " MONITOR " -serial mon:stdio " ON_PCI },
		{ "qemu-system-x86_64 -nic none -m 64 -nographic -serial null",
		  MEMORY("64M") " " MONITOR " -monitor stdio " ON_PCI },
		{ "qemu-system-x86_64 -nic none -m 64 -nographic -serial mon:stdio",
		  MEMORY("64M") " " MONITOR " " ON_PCI },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = added(cases[i].line);

		if (strcmp(got, cases[i].added) != 0)
			fail_msg("%s\n  got  %s\n  want %s", cases[i].line, got, cases[i].added);
	}
}

static void lines_that_cannot_work_get_one_error_with_the_next_step(void **state)
{
	(void)state;
	static const struct {
		const char *line;
		int code;
		const char *says, *also;
	} cases[] = {
		{ "qemu-system-x86_64 -object memory-backend-ram,id=m,size=64M -M memory-backend=m",
		  -EINVAL, "guest memory 'm' (-machine memory-backend=) is private",
		  "add share=on to -object memory-backend-ram,id=m, or use place=qemu" },
		{ "qemu-system-x86_64 -object memory-backend-file,id=m,size=64M,mem-path=/x -numa "
		  "node,memdev=m",
		  -EINVAL, "(-numa node,memdev=) is private", "add share=on" },
		{ "qemu-system-x86_64 -object memory-backend-memfd,id=m,size=64M,share=off -M "
		  "memory-backend=m",
		  -EINVAL, "is private", "add share=on" },
		{ "qemu-system-x86_64 -object memory-backend-epc,id=m,size=64M -M memory-backend=m",
		  -EINVAL, "memory-backend-epc", "use memory-backend-memfd" },
		{ "qemu-system-x86_64 -m 64M,slots=1,maxmem=1G -object "
		  "memory-backend-ram,id=m,size=64M -device pc-dimm,memdev=m",
		  -EINVAL, "(-device pc-dimm,memdev=) is private", "add share=on" },
		{ "qemu-system-x86_64 -numa node -numa node", -EINVAL,
		  "-numa node without memdev=", "memory-backend-memfd" },
		{ "qemu-system-x86_64 -mem-path /dev/hugepages", -EINVAL,
		  "-mem-path makes private memory", "memory-backend-file" },
		{ "qemu-system-x86_64 -incoming defer", -ENOTSUP, "-incoming",
		  "start the guest afresh" },
		{ "qemu-system-x86_64 -M isapc", -EINVAL, "-machine isapc: no PCI bus", "q35" },
		{ "qemu-system-x86_64 -M microvm", -EINVAL, "-machine microvm: no PCI bus", "q35" },
		{ "qemu-system-aarch64", -EINVAL, "no default machine with PCI",
		  "add -machine virt" },
		{ "qemu-system-s390x", -EINVAL, "no default machine with PCI", "" },
		{ "qemu-system-x86_64 -device e1000,id=net0", -EINVAL, "id=net0 already",
		  "choose another id=" },
	};
	struct qemu_setup setup = { .socket_dir = "/run/x", .qmp_fd = 7 };

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		int rc;
		const char *text = added_for(cases[i].line,
					     (const char *const[]){ "rtl8139", NULL }, &setup, &rc);

		if (rc != cases[i].code || !strstr(text, cases[i].says) ||
		    !strstr(text, cases[i].also))
			fail_msg("%s: %d %s", cases[i].line, rc, text);
	}
}

static void many_cards_get_a_root_port_each(void **state)
{
	(void)state;
	struct qemu_setup setup = { .socket_dir = "/run/x", .qmp_fd = 7, .program = &qemu_11_1 };
	int rc;
	const char *text = added_for(
		"qemu-system-x86_64 -nodefaults -M q35",
		(const char *const[]){ "auto,bootindex=3", "rtl8139,id=b", NULL }, &setup, &rc);

	assert_int_equal(rc, 0);
	assert_non_null(strstr(text, "\"id\":\"anynic-rp-0\",\"bus\":\"pcie.0\",\"chassis\":128}"));
	assert_non_null(strstr(text, "\"id\":\"anynic-rp-1\",\"bus\":\"pcie.0\",\"chassis\":129}"));
	assert_non_null(strstr(text, "\"id\":\"anynic-rp-2\",\"bus\":\"pcie.0\",\"chassis\":130}"));
	assert_non_null(strstr(text, "\"id\":\"net0-legacy\",\"bus\":\"anynic-rp-0\",\"addr\":"
				     "\"0x0\",\"socket\":{\"type\":\"unix\",\"path\":"
				     "\"/run/x/net0-legacy.sock\"},\"bootindex\":3}"));
	assert_non_null(strstr(text, "\"id\":\"net0-performant\",\"bus\":\"anynic-rp-1\""));
	assert_non_null(strstr(text, "\"id\":\"b\",\"bus\":\"anynic-rp-2\""));
}

static void older_qemu_gets_the_older_monitor_option(void **state)
{
	(void)state;
	struct qemu_setup setup = { .socket_dir = "/run/x", .qmp_fd = -1, .program = &qemu_10_1 };
	int rc;
	const char *text = added_for("qemu-system-x86_64 -nodefaults",
				     (const char *const[]){ NULL }, &setup, &rc);

	/* no card of ours: the guest's memory stays as it is */
	assert_string_equal(
		text, "-chardev socket,id=anynic-qmp,fd=<fd> -mon chardev=anynic-qmp,mode=control");
}

static void a_socket_path_that_is_too_long_is_refused(void **state)
{
	(void)state;
	char dir[120] = "/", path[256];
	struct qemu_setup setup = { .socket_dir = dir, .qmp_fd = -1 };
	int rc;

	memset(dir + 1, 'x', 97); /* 98 + "/net0.sock" = 108 */
	assert_false(qemu_socket_path(path, sizeof(path), dir, "net0"));
	assert_true(qemu_socket_path(path, sizeof(path), dir, "net"));
	const char *text = added_for("qemu-system-x86_64", (const char *const[]){ "rtl8139", NULL },
				     &setup, &rc);
	assert_int_equal(rc, -ENAMETOOLONG);
	assert_non_null(strstr(text, "choose a shorter --name"));
}

static void actions_say_what_and_why(void **state)
{
	(void)state;
	struct port_spec port;
	struct guest_identity who = { "m", 0, "g" };
	struct qemu_arguments a;
	struct qemu_line line;
	struct qemu_setup setup = { .socket_dir = "/run/x", .qmp_fd = -1 };
	char *words[] = { "qemu-system-x86_64", "-M", "q35", "-readconfig", "f" };
	static const char *const want[] = { "note",	    "no-default-nic", "memory",	  "monitor",
					    "keep-monitor", "listen",	      "root-port" };

	assert_int_equal(nic_option_parse(&port, "rtl8139", &test_known, NULL), 0);
	ports_complete(&port, 1, &who);
	assert_int_equal(qemu_line_parse(&line, words, ARRAY_SIZE(words), NULL), 0);
	assert_int_equal(qemu_arguments_build(&a, &line, &port, 1, &setup, NULL), 0);
	assert_int_equal(json_object_array_length(a.actions), ARRAY_SIZE(want));
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		json_object *action = json_object_array_get_idx(a.actions, i);

		assert_string_equal(
			json_object_get_string(json_object_object_get(action, "action")), want[i]);
		assert_true(json_object_get_string_len(json_object_object_get(action, "why")) > 10);
	}
	assert_int_equal(json_object_array_length(a.devices), 1);
	qemu_arguments_finish(&a);
	qemu_arguments_finish(&a);
}

/* QEMU plugs the transient card when the guest asks for it, and takes it out before a migration: it has to know both. */
static void qemu_is_told_which_cards_are_a_team(void **state)
{
	struct qemu_setup setup = { .socket_dir = "/run/x", .qmp_fd = 7, .program = &qemu_11_1 };
	static const char *const team[] = { "team,id=a,transient=igbvf", NULL };
	int rc;

	(void)state;
	/* without a place both are ours, but the words are the same */
	const char *words = added_for("qemu-system-x86_64 -M q35", team, &setup, &rc);
	assert_int_equal(rc, 0);
	assert_non_null(strstr(words, "\"id\":\"a-transient\",\"bus\":\"anynic-rp-1\""));
	assert_non_null(strstr(words, "\"failover_pair_id\":\"a-persistent\""));
	words = added_for("qemu-system-x86_64", team, &setup, &rc);
	assert_int_equal(rc, -ENOTSUP);
	assert_non_null(
		strstr(words, "needs a machine with PCI Express, and -machine pc has none"));
	assert_non_null(strstr(words, "use -machine q35"));
	words = added_for("qemu-system-ppc64 -M pseries", team, &setup, &rc);
	assert_int_equal(rc, -ENOTSUP);
	assert_non_null(strstr(words, "use auto"));
}

/* QEMU's own virtio card offers STANDBY, and its own transient card has no ROM, which the other end of a migration would lack. */
static void a_team_of_qemus_own_cards_can_migrate(void **state)
{
	struct port_spec port;
	struct guest_identity who = { "m", 0, "g" };
	struct qemu_setup setup = { .socket_dir = "/run/x", .qmp_fd = 7, .program = &qemu_11_1 };
	char *words[] = { (char *)"qemu-system-x86_64", (char *)"-M", (char *)"q35" };
	struct qemu_line line;
	struct qemu_arguments a;

	(void)state;
	assert_int_equal(nic_option_parse(&port, "team,id=a,transient=igbvf", &test_known, NULL),
			 0);
	ports_complete(&port, 1, &who);
	str_copy(port.nic[1].model, MODEL_MAX, "e1000e");
	for (unsigned i = 0; i < 2; i++) {
		port.nic[i].place = PLACE_QEMU;
		port.nic[i].netdev = NETDEV_STREAM;
	}
	assert_int_equal(qemu_line_parse(&line, words, 3, NULL), 0);
	assert_int_equal(qemu_arguments_build(&a, &line, &port, 1, &setup, NULL), 0);
	const char *devices = json_object_to_json_string_ext(a.devices, JSON_C_TO_STRING_PLAIN);
	assert_non_null(strstr(devices, "\"failover\":true"));
	assert_non_null(strstr(devices, "\"romfile\":\"\""));
	assert_non_null(strstr(devices, "\"failover_pair_id\":\"a-persistent\""));
	qemu_arguments_finish(&a);
}

/* With its MAC it would take the guest's frames from the wire before the guest has a driver for it. */
static void a_function_of_the_host_in_a_team_is_plugged_and_not_on_the_line(void **state)
{
	struct qemu_setup setup = { .socket_dir = "/run/x", .qmp_fd = 7, .program = &qemu_11_1 };
	char *words[] = { (char *)"qemu-system-x86_64", (char *)"-M", (char *)"q35" };
	struct guest_identity who = { "m", 0, "g" };
	char line_text[4096] = "";
	struct qemu_arguments a;
	struct qemu_line line;
	struct port_spec port;

	(void)state;
	assert_int_equal(
		nic_option_parse(&port, "team,id=a,transient=hostdev,dev=fast", &test_known, NULL),
		0);
	ports_complete(&port, 1, &who);
	for (unsigned i = 0; i < 2; i++) {
		port.nic[i].place = PLACE_QEMU;
		port.nic[i].netdev = i ? NETDEV_HOSTDEV : NETDEV_TAP;
	}
	assert_int_equal(qemu_line_parse(&line, words, 3, NULL), 0);
	assert_int_equal(qemu_arguments_build(&a, &line, &port, 1, &setup, NULL), 0);
	for (int i = 0; i < a.argc; i++)
		strncat(line_text, a.argv[i], sizeof(line_text) - strlen(line_text) - 1);
	assert_non_null(strstr(line_text, "anynic-rp-1"));
	assert_non_null(strstr(line_text, "a-persistent"));
	assert_null(strstr(line_text, "vfio-pci"));
	const char *devices = json_object_to_json_string_ext(a.devices, JSON_C_TO_STRING_PLAIN);
	assert_non_null(strstr(devices, "\"driver\":\"vfio-pci\""));
	assert_non_null(strstr(devices, "\"bus\":\"anynic-rp-1\""));
	const char *actions = json_object_to_json_string_ext(a.actions, JSON_C_TO_STRING_PLAIN);
	assert_non_null(strstr(actions, "\"action\":\"device_add\""));
	qemu_arguments_finish(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(qemu_is_told_which_cards_are_a_team),
		cmocka_unit_test(a_team_of_qemus_own_cards_can_migrate),
		cmocka_unit_test(a_function_of_the_host_in_a_team_is_plugged_and_not_on_the_line),
		cmocka_unit_test(spare_ports_come_last_and_share_the_memory),
		cmocka_unit_test(a_uri_to_come_from_is_added),
		cmocka_unit_test(msix_is_left_out_where_it_kills_qemu),
		cmocka_unit_test(each_line_gets_what_it_lacks),
		cmocka_unit_test(lines_that_cannot_work_get_one_error_with_the_next_step),
		cmocka_unit_test(many_cards_get_a_root_port_each),
		cmocka_unit_test(older_qemu_gets_the_older_monitor_option),
		cmocka_unit_test(a_socket_path_that_is_too_long_is_refused),
		cmocka_unit_test(actions_say_what_and_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
