#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "qemu/line.h"
#include "qemu/options.h"

#define MB (1ull << 20)

/* Splits at blanks; the words live until the next call. */
static struct qemu_line parsed(const char *text)
{
	static char copy[1024];
	static char *words[64];
	int n = 0;
	struct qemu_line line;
	struct error err = { 0 };

	str_copy(copy, sizeof(copy), text);
	for (char *w = strtok(copy, " "); w; w = strtok(NULL, " "))
		words[n++] = w;
	words[n] = NULL;
	if (qemu_line_parse(&line, words, n, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	return line;
}

static void memory_is_read_in_all_forms(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
		bool given;
	} cases[] = {
		{ "q", 128 * MB, false },
		{ "q -m 512", 512 * MB, true },
		{ "q -m 512M", 512 * MB, true },
		{ "q -m 2G", 2048 * MB, true },
		{ "q -m 2g", 2048 * MB, true },
		{ "q -m 1.5G", 1536 * MB, true },
		{ "q --m 64", 64 * MB, true },
		{ "q -m size=64M,slots=2,maxmem=4G", 64 * MB, true },
		{ "q -m 64,slots=2,maxmem=4G", 64 * MB, true },
		{ "q -m slots=2,maxmem=4G", 128 * MB, false },
		{ "q -m 16M -m slots=2,maxmem=1G", 16 * MB, true },
		{ "q -m 16M,size=32M", 32 * MB, true },
		{ "q -m 0", 128 * MB, false },
		{ "q -m 1 -m 3", 3 * MB, true },
		{ "q -m 4100k", 4202496, true },
		{ "q -m 20000B", 24576, true }, /* as QEMU rounds */
		{ "q -M memory.size=32M", 32 * MB, true },
		{ "q -M memory.size=33554432", 32 * MB, true },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct qemu_line line = parsed(cases[i].text);

		if (line.memory != cases[i].bytes || line.memory_given != cases[i].given)
			fail_msg("%s: %llu bytes", cases[i].text, (unsigned long long)line.memory);
	}
}

static void machine_options_are_merged(void **state)
{
	(void)state;
	assert_string_equal(parsed("q").machine, "");
	assert_string_equal(parsed("q -M q35").machine, "q35");
	assert_string_equal(parsed("q -machine type=q35,accel=kvm").machine, "q35");
	assert_string_equal(parsed("q -M accel=kvm,type=q35").machine, "q35");
	assert_string_equal(parsed("q -machine q35 -machine type=pc").machine, "pc");

	struct qemu_line line = parsed("q -M q35 -M kernel-irqchip=off -M memory-backend=m0 -m 1G");
	assert_string_equal(line.machine, "q35");
	assert_string_equal(line.memory_backend, "m0");
	assert_int_equal(line.uses, 1);
	assert_string_equal(line.use[0].option, "-machine memory-backend");
}

static void memory_backends_are_read_in_both_forms(void **state)
{
	(void)state;
	struct qemu_line line = parsed(
		"q -object memory-backend-memfd,id=a,size=64M"
		" -object "
		"{\"qom-type\":\"memory-backend-file\",\"id\":\"b\",\"size\":1048576,\"share\":"
		"true}"
		" -object memory-backend-file,id=c,size=1G,share=off,mem-path=/dev/shm"
		" -object memory-backend-ram,id=d,size=1G"
		" -object qom-type=memory-backend-ram,id=e,share=on,size=1G"
		" -object memory-backend-memfd,id=f,share=no,size=1G"
		" -object rng-random,id=r,filename=/dev/urandom"
		" -object {\"broken"
		" -object {\"qom-type\":null}"
		" -object {\"qom-type\":\"memory-backend-shm\",\"id\":\"g\",\"size\":\"2M\"}");
	static const struct {
		const char *id;
		uint64_t size;
		bool share;
	} want[] = {
		{ "a", 64 * MB, true },	   { "b", MB, true },	     { "c", 1024 * MB, false },
		{ "d", 1024 * MB, false }, { "e", 1024 * MB, true }, { "f", 1024 * MB, false },
		{ "g", 2 * MB, true },
	};

	assert_int_equal(line.objects, ARRAY_SIZE(want));
	for (unsigned i = 0; i < ARRAY_SIZE(want); i++) {
		assert_string_equal(line.object[i].id, want[i].id);
		assert_int_equal(line.object[i].size, want[i].size);
		assert_int_equal(line.object[i].share, want[i].share);
	}
}

static void numa_and_dimms_use_memory(void **state)
{
	(void)state;
	struct qemu_line line = parsed("q -numa node,nodeid=0,cpus=0-1,memdev=m0 -numa "
				       "node,memdev=m1 -numa dist,src=0,dst=1,val=20"
				       " -numa node,nodeid=2 -device pc-dimm,id=d,memdev=m2 "
				       "-device virtio-mem-pci,memdev=m3"
				       " -device {\"driver\":\"pc-dimm\",\"memdev\":\"m4\"}");

	assert_int_equal(line.numa_nodes, 3);
	assert_int_equal(line.numa_memdevs, 2);
	assert_int_equal(line.uses, 5);
	assert_string_equal(line.use[1].id, "m1");
	assert_string_equal(line.use[2].option, "-device pc-dimm,memdev");
	assert_string_equal(line.use[3].option, "-device virtio-mem,memdev");
	assert_string_equal(line.use[4].id, "m4");
}

static void a_value_that_looks_like_an_option_is_a_value(void **state)
{
	(void)state;
	struct qemu_line line =
		parsed("q -append -daemonize -name -S -kernel -nodefaults -serial -nic disk.img");

	assert_false(line.stopped);
	assert_false(line.nodefaults);
	assert_false(line.network);
	assert_true(line.serial);
	assert_string_equal(line.name, "-S");

	line = parsed("q -nographic -S -no-reboot -nodefaults -future -m 64 -later x -nic none");
	assert_true(line.stopped);
	assert_true(line.nodefaults);
	assert_true(line.nographic);
	assert_true(line.network);
	assert_int_equal(line.memory, 64 * MB);
}

static void an_option_at_the_end_without_its_value_is_left_to_qemu(void **state)
{
	(void)state;
	assert_false(parsed("q -m").memory_given);
	assert_true(parsed("q -nic").network);
	parsed("q -");
	parsed("q --");
}

static void each_network_option_counts(void **state)
{
	(void)state;
	assert_false(parsed("q -device e1000").network); /* QEMU still adds its own NIC */
	assert_true(parsed("q -net none").network);
	assert_true(parsed("q -nic user").network);
	assert_true(parsed("q --netdev user,id=n").network);
}

static void monitors_and_serial_ports_are_noticed(void **state)
{
	(void)state;
	assert_true(parsed("q -monitor stdio").monitor);
	assert_true(parsed("q -qmp stdio").monitor);
	assert_true(parsed("q -mon chardev=c").monitor);
	assert_true(parsed("q -serial mon:stdio").monitor);
	assert_true(parsed("q -object monitor-qmp,id=m,chardev=c").monitor);
	assert_false(parsed("q -serial stdio").monitor);
	assert_true(parsed("q -device isa-serial,chardev=c").serial);
	assert_false(parsed("q -chardev stdio,id=c").serial);
}

static void the_name_is_the_guests(void **state)
{
	(void)state;
	assert_string_equal(parsed("q -name vm1").name, "vm1");
	assert_string_equal(parsed("q -name vm1,process=p,debug-threads=on").name, "vm1");
	assert_string_equal(parsed("q -name process=p,guest=vm2").name, "vm2");
	assert_string_equal(parsed("q -name a,,b").name, "a,b");
	assert_string_equal(parsed("q").name, "");
}

static void cpus_are_counted_as_qemu_does(void **state)
{
	(void)state;
	assert_int_equal(parsed("q").vcpus, 1);
	assert_false(parsed("q").kvm);
	assert_true(parsed("q -accel kvm,thread=multi").kvm);
	assert_true(parsed("q -M q35,accel=kvm").kvm);
	assert_true(parsed("q -accel kvm -accel tcg").other_accelerator);
	assert_int_equal(parsed("q -smp 4").vcpus, 4);
	assert_int_equal(parsed("q -smp cpus=3,maxcpus=8").vcpus, 3);
	assert_int_equal(parsed("q -smp sockets=2,cores=2").vcpus, 4);
	assert_int_equal(parsed("q -smp maxcpus=4").vcpus, 4);
	assert_int_equal(parsed("q -M smp.cpus=2").vcpus, 2);
	assert_int_equal(parsed("q -smp 99999999999999999999").vcpus, 1);
}

static void the_target_comes_from_the_program(void **state)
{
	(void)state;
	assert_string_equal(parsed("qemu-system-aarch64").target, "aarch64");
	assert_string_equal(parsed("/opt/qemu/bin/qemu-system-x86_64").target, "x86_64");
	assert_true(parsed("qemu-kvm").target[0] != '\0'); /* the host's own */
}

static void chassis_of_the_users_root_ports_are_noticed(void **state)
{
	(void)state;
	struct qemu_line line = parsed("q -device pcie-root-port,id=a,chassis=128 -device "
				       "{\"driver\":\"pcie-root-port\",\"chassis\":9}"
				       " -device pcie-root-port,chassis=300");

	assert_int_equal(line.chassis[16], 1);
	assert_int_equal(line.chassis[1], 2);
}

static void ids_are_found_by_option(void **state)
{
	(void)state;
	struct qemu_line line = parsed("q -netdev user,id=n -device e1000,netdev=n,id=d -device "
				       "{\"driver\":\"e1000\",\"id\":\"j\"}");

	assert_true(qemu_line_has_id(&line, "device", "d"));
	assert_true(qemu_line_has_id(&line, "device", "j"));
	assert_true(qemu_line_has_id(&line, "netdev", "n"));
	assert_false(qemu_line_has_id(&line, "device", "n"));
}

static void lines_that_cannot_work_are_refused(void **state)
{
	(void)state;
	static const struct {
		char *words[8];
		const char *says;
	} cases[] = {
		{ { NULL }, "no QEMU command line" },
		{ { "" }, "no QEMU command line" },
		{ { "q", "-daemonize" }, "leave it out" },
		{ { "q", "--daemonize" }, "leave it out" },
		{ { "q", "-m", "lots" }, "-m lots is no memory size" },
		{ { "q", "-m", "0x10" }, "no memory size" },
		{ { "q", "-m", "-5" }, "no memory size" },
		{ { "q", "-m", "64MB" }, "no memory size" },
		{ { "q", "-m", "inf" }, "no memory size" },
		{ { "q", "-m", "1e30" }, "no memory size" },
		{ { "q", "-M", "memory.size=x" }, "-machine memory.size x is no memory size" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct qemu_line line;
		struct error err = { 0 };
		int n = 0;

		while (cases[i].words[n])
			n++;
		assert_int_equal(qemu_line_parse(&line, cases[i].words, n, &err), -EINVAL);
		if (!strstr(err.text, cases[i].says))
			fail_msg("case %u: %s", i, err.text);
	}
}

static void the_last_of_many_values_counts(void **state)
{
	(void)state;
	char v[16];

	assert_true(qemu_option_get("x,a=1,a=2", "type", "a", v, sizeof(v)));
	assert_string_equal(v, "2");
	assert_true(qemu_option_get("x,a=1", "type", "type", v, sizeof(v)));
	assert_string_equal(v, "x");
	assert_true(qemu_option_get("a=1,,2,b", NULL, "a", v, sizeof(v)));
	assert_string_equal(v, "1,2");
	assert_true(qemu_option_get("a=1,,2,b", NULL, "b", v, sizeof(v)));
	assert_string_equal(v, "on");
	assert_true(qemu_option_get("a=b=c", NULL, "a", v, sizeof(v)));
	assert_string_equal(v, "b=c");
	assert_false(qemu_option_get("a=1", NULL, "b", v, sizeof(v)));
	assert_false(qemu_option_get("", "type", "type", v, sizeof(v)));
	assert_false(qemu_option_get("{\"a\":[1]}", "type", "b", v, sizeof(v)));
	assert_false(qemu_option_get("{", "type", "b", v, sizeof(v)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_read_in_all_forms),
		cmocka_unit_test(machine_options_are_merged),
		cmocka_unit_test(memory_backends_are_read_in_both_forms),
		cmocka_unit_test(numa_and_dimms_use_memory),
		cmocka_unit_test(a_value_that_looks_like_an_option_is_a_value),
		cmocka_unit_test(an_option_at_the_end_without_its_value_is_left_to_qemu),
		cmocka_unit_test(each_network_option_counts),
		cmocka_unit_test(monitors_and_serial_ports_are_noticed),
		cmocka_unit_test(the_name_is_the_guests),
		cmocka_unit_test(cpus_are_counted_as_qemu_does),
		cmocka_unit_test(the_target_comes_from_the_program),
		cmocka_unit_test(chassis_of_the_users_root_ports_are_noticed),
		cmocka_unit_test(ids_are_found_by_option),
		cmocka_unit_test(lines_that_cannot_work_are_refused),
		cmocka_unit_test(the_last_of_many_values_counts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
