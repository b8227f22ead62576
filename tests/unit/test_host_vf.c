/* Virtual functions, their pools and their drivers, on a tree that looks like /sys; network devices are veths in a namespace of the test.
 * What the kernel does with real ones is in tests/lab/pool.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fake_sysfs.h"
#include "host/network_pool.h"
#include "host/pool_file.h"
#include "host/vf_pool.h"
#include "host/vf_settings.h"
#include "host/vf_undo.h"
#include "host/vfio.h"
#include "netns.h"

#define PF	 "0000:01:00.0"
#define VF(n)	 (vf_names[n])
#define NO_GUEST "/nonexistent/guest.undo"

static const char *const vf_names[] = { "0000:01:10.0", "0000:01:10.2", "0000:01:10.4",
					"0000:01:10.6" };
static struct vf_host host;
static struct vf_source source;
static struct error err;

static void touch(const char *file)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/%s", fake_sys, file);
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int make_links(void **state)
{
	(void)state;
	fake_command(
		"ip link add vf0 type veth peer name vf1; ip link add pf0 type veth peer name pf1");
	return 0;
}

/* A card with four functions: bound to its driver, its device down; the same; to no driver; to vfio-pci. */
static int start(void **state)
{
	(void)state;
	fake_start();
	memset(&host, 0, sizeof(host));
	memset(&err, 0, sizeof(err));
	memset(&source, 0, sizeof(source));
	(void)snprintf(host.sys, sizeof(host.sys), "%s", fake_sys);
	(void)snprintf(host.dev, sizeof(host.dev), "%s/dev", fake_sys);
	(void)snprintf(host.folder, sizeof(host.folder), "%s/run/pools", fake_sys);
	fake_dir("dev/vfio");
	touch("dev/vfio/vfio");
	fake_card(PF, 1, "igb", "pf0");
	fake_file(PF, "sriov_totalvfs", "7\n");
	fake_vf(PF, 0, VF(0), 10, "igbvf", "vf0");
	fake_vf(PF, 1, VF(1), 11, "igbvf", "vf1");
	fake_vf(PF, 2, VF(2), 12, "", "");
	fake_vf(PF, 3, VF(3), 13, "vfio-pci", "");
	touch("dev/vfio/13");
	return 0;
}

static int finish(void **state)
{
	(void)state;
	vf_source_finish(&source);
	fake_finish();
	return 0;
}

static void find(const char *name)
{
	vf_source_finish(&source);
	if (vf_source_find(&host, name, &source, &err) < 0)
		fail_msg("%s: %s", name, err.text);
}

static void not_found(const char *name, int code, const char *why)
{
	struct vf_source none = { 0 };

	assert_int_equal(vf_source_find(&host, name, &none, &err), code);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void takes(const char *guest, const char *port, const char *pci)
{
	const struct vf_owner owner = { .guest = guest, .port = port };
	char got[PCI_NAME];

	if (vf_pool_take(&host, &source, &owner, NULL, got, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(got, pci);
}

static void refused(const char *guest, const char *why)
{
	const struct vf_owner owner = { .guest = guest, .port = "net0" };
	char got[PCI_NAME];

	assert_int_equal(vf_pool_take(&host, &source, &owner, NULL, got, &err), -EBUSY);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

/* --- what is there ------------------------------------------------------------------------------------------------- */

static void a_pci_address_is_read_in_each_form_that_people_write(void **state)
{
	static const struct {
		const char *text, *pci;
	} rows[] = { { "0000:01:10.2", "0000:01:10.2" },
		     { "01:10.2", "0000:01:10.2" },
		     { "1:10.2", "0000:01:10.2" },
		     { "10000:01:10.2", NULL },
		     { "01:10.8", NULL },
		     { "01:20.0", NULL },
		     { "01:10", NULL },
		     { "01:10.2x", NULL },
		     { "eth0", NULL },
		     { "", NULL },
		     { "0000:01:10.2:", NULL } };
	char pci[PCI_NAME];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(pci_parse(rows[i].text, pci), rows[i].pci != NULL);
		if (rows[i].pci)
			assert_string_equal(pci, rows[i].pci);
	}
}

static void a_function_is_known_by_its_driver_its_device_and_its_group(void **state)
{
	struct pci_function f;

	(void)state;
	assert_int_equal(pci_function_find(host.sys, "vf1", &f, &err), 0);
	assert_string_equal(f.pci, VF(1));
	assert_string_equal(f.driver, "igbvf");
	assert_string_equal(f.netdev, "vf1");
	assert_string_equal(f.pf, PF);
	assert_string_equal(f.override, "");
	assert_int_equal(f.group, 11);
	assert_int_equal(f.class_code, 0x020000);
	assert_true(f.resets);
	assert_int_equal(pci_function_find(host.sys, PF, &f, &err), 0);
	assert_int_equal(f.vfs, 4);
	assert_int_equal(f.vfs_max, 7);
	assert_int_equal(sriov_number(host.sys, PF, VF(3)), 3);
	assert_int_equal(sriov_number(host.sys, PF, "0000:02:10.0"), -ENOENT);
	assert_int_equal(pci_function_find(host.sys, "0000:02:00.0", &f, &err), -ENOENT);
	assert_int_equal(pci_function_find(host.sys, "nosuch", &f, &err), -ENOENT);
	assert_int_equal(pci_function_find(host.sys, "../x", &f, &err), -ENOENT);
}

static void functions_are_made_only_of_none_and_only_as_many_as_there_can_be(void **state)
{
	struct pci_function f;

	(void)state;
	assert_int_equal(sriov_set_count(host.sys, PF, 8, &err), -ERANGE);
	assert_int_equal(sriov_set_count(host.sys, PF, 5, &err), -EBUSY);
	assert_int_equal(sriov_set_count(host.sys, PF, 4, &err), 0);
	assert_int_equal(sriov_set_count(host.sys, VF(0), 1, &err), -ENOTSUP);
	assert_int_equal(sriov_set_count(host.sys, PF, 0, &err), 0);
	assert_int_equal(pci_function_read(host.sys, PF, &f, &err), 0);
	assert_int_equal(f.vfs, 0);
}

static void dev_names_a_device_with_functions_or_one_function(void **state)
{
	(void)state;
	find("pf0");
	assert_int_equal(source.count, 4);
	assert_false(source.single);
	assert_string_equal(source.pf, PF);
	find(PF);
	assert_int_equal(source.count, 4);
	find("vf1");
	assert_true(source.single);
	assert_string_equal(source.list[0], VF(1));
	find("01:10.4");
	assert_string_equal(source.list[0], VF(2));
	not_found("nosuch", -ENOENT, "no network device, no PCI address and no network");
	not_found("0000:05:00.0", -ENOENT, "no PCI function");
	fake_card("0000:02:00.0", 2, "e1000e", "plain");
	not_found("plain", -ENOTSUP, "dev=0000:02:00.0 hands on the card itself");
	fake_file("0000:02:00.0", "sriov_totalvfs", "8\n");
	not_found("plain", -ENOTSUP, "anynic pool create plain --vfs 4");
	find("0000:02:00.0");
	assert_true(source.single);
	fake_card("0000:03:00.0", 3, "nvme", "");
	fake_file("0000:03:00.0", "class", "0x010802\n");
	not_found("0000:03:00.0", -EINVAL, "no network card");
}

static void the_pool_of_a_network_lists_virtual_functions_only(void **state)
{
	const char list[][16] = { "0000:01:10.4", "0000:01:10.0" }, odd[][16] = { PF };
	struct vf_source none = { 0 };

	(void)state;
	assert_int_equal(vf_source_list(&host, "lan", list, 2, &source, &err), 0);
	takes("a", "net0", VF(2));
	assert_int_equal(vf_source_list(&host, "lan", odd, 1, &none, &err), -EINVAL);
	assert_non_null(strstr(err.text, "no virtual function"));
}

/* --- taking -------------------------------------------------------------------------------------------------------- */

static void functions_are_given_in_order_and_each_once(void **state)
{
	(void)state;
	find("pf0");
	takes("a", "net0", VF(0));
	takes("a", "net1", VF(1));
	takes("b", "net0", VF(2));
	takes("b", "net1", VF(3));
	refused("c", "no function of pf0 is free: of 4, guests have 4");
	refused("c", "guest a, port net0");
	assert_int_equal(vf_pool_release(&host, VF(1), "a", "net1", &err), 1);
	assert_int_equal(vf_pool_release(&host, VF(1), "a", "net1", &err), 0);
	assert_int_equal(vf_pool_release(&host, VF(2), "a", NULL, &err), 0); /* it is b's */
	takes("c", "net0", VF(1));
}

static void what_a_process_has_already_it_gets_again(void **state)
{
	(void)state;
	find("pf0");
	takes("a", "net0", VF(0));
	takes("a", "net0", VF(0));
	takes("a", "net1", VF(1));
}

static void a_function_that_the_host_uses_is_not_given(void **state)
{
	(void)state;
	assert_int_equal(set_link("vf0", true), 0);
	fake_command("ip link add br9 type bridge; ip link set vf1 master br9");
	find("pf0");
	takes("a", "net0", VF(2));
	takes("a", "net1", VF(3));
	refused("b", "guests have 2, the host uses 2");
	refused("b", "vf0 is up");
	find("vf1");
	refused("b", "vf1 belongs to br9");
	fake_command("ip link del br9");
	assert_int_equal(set_link("vf0", false), 0);
	find("pf0");
	takes("b", "net0", VF(0));
}

static void a_function_whose_device_is_elsewhere_is_not_given(void **state)
{
	(void)state;
	fake_command("rm -r %s/bus/pci/devices/%s/net", fake_sys, VF(0));
	find(VF(0));
	refused("a", "in another network namespace, or a program's");
	fake_driver(VF(0), "uio_pci_generic");
	refused("a", "driver uio_pci_generic has it");
	fake_driver(VF(0), NULL);
	takes("a", "net0", VF(0));
}

static void a_card_with_functions_is_not_given_itself(void **state)
{
	struct pci_function f;
	struct pool_file p = { .lock = -1 };
	char why[VF_WHY];

	(void)state;
	assert_int_equal(pci_function_read(host.sys, PF, &f, &err), 0);
	assert_int_equal(pool_file_peek(&p, host.folder, PF, &err), 0);
	assert_int_equal(vf_look(&host, &p, &f, why), VF_BUSY);
	assert_non_null(strstr(why, "4 virtual functions"));
	pool_file_close(&p, NULL);
}

static void one_that_is_kept_by_hand_goes_to_its_guest_alone(void **state)
{
	const struct vf_owner keeper = { .guest = "b", .port = "", .by_hand = true };
	char pci[PCI_NAME];

	(void)state;
	find("vf0");
	assert_int_equal(vf_pool_take(&host, &source, &keeper, NULL, pci, &err), 0);
	refused("a", "by hand for b");
	find("pf0");
	takes("a", "net0", VF(1));
	takes("b", "net0", VF(0));
	takes("b", "net1", VF(2));
	assert_int_equal(vf_pool_release_by_hand(&host, VF(0), &err), -EBUSY);
	assert_int_equal(vf_pool_release_by_hand(&host, VF(3), &err), -ENOENT);
	find(VF(3));
	assert_int_equal(vf_pool_take(&host, &source, &keeper, NULL, pci, &err), 0);
	assert_int_equal(vf_pool_release_by_hand(&host, VF(3), &err), 0);
	takes("a", "net3", VF(3));
}

static void a_plan_takes_none_and_gives_none_twice(void **state)
{
	const struct vf_owner owner = { .guest = "a", .port = "net0" };
	struct vf_picks picks = { 0 };
	char pci[PCI_NAME];

	(void)state;
	find("pf0");
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(vf_pool_take(&host, &source, &owner, &picks, pci, &err), 0);
		assert_string_equal(pci, VF(i));
	}
	assert_int_equal(vf_pool_take(&host, &source, &owner, &picks, pci, &err), -EBUSY);
	assert_int_equal(access(host.folder, F_OK), -1); /* nothing was made */
	takes("b", "net0", VF(0));
}

/* A process that takes one and is killed; its journal is `journal`. */
static void take_and_die(const char *journal)
{
	const struct vf_owner owner = { .guest = "dead", .port = "net0", .journal = journal };
	char pci[PCI_NAME];
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		(void)vf_pool_take(&host, &source, &owner, NULL, pci, NULL);
		kill(getpid(), SIGKILL);
	}
	waitpid(pid, &status, 0);
}

static void what_a_killed_process_had_is_free_again(void **state)
{
	(void)state;
	find("vf0");
	take_and_die(NO_GUEST);
	takes("a", "net0", VF(0));
}

static void but_not_before_its_journal_is_done(void **state)
{
	char journal[100];

	(void)state;
	(void)snprintf(journal, sizeof(journal), "%s/dead.undo", fake_sys);
	fake_command("touch %s", journal);
	find("vf0");
	take_and_die(journal);
	refused("a", "guest dead had it and was killed");
	unlink(journal);
	takes("a", "net0", VF(0));
}

static void of_many_that_race_for_the_last_function_one_gets_it(void **state)
{
	int gate[2], over[2], won = 0;
	pid_t pid[8];

	(void)state;
	find("pf0");
	takes("a", "net0", VF(0));
	takes("a", "net1", VF(1));
	takes("a", "net2", VF(2));
	assert_int_equal(pipe(gate), 0);
	assert_int_equal(pipe(over),
			 0); /* it closes when all have tried: who has it lives until then */
	for (unsigned i = 0; i < ARRAY_SIZE(pid); i++) {
		pid[i] = fork();
		if (pid[i] != 0)
			continue;
		char guest[8], pci[PCI_NAME], go;
		struct vf_owner owner = { .guest = guest, .port = "net0" };

		(void)snprintf(guest, sizeof(guest), "r%u", i);
		close(gate[1]);
		if (read(gate[0], &go, 1) != 0)
			_exit(3);
		int rc = vf_pool_take(&host, &source, &owner, NULL, pci, &err);
		close(over[1]);
		if (rc == 0 && read(over[0], &go, 1) != 0)
			_exit(4);
		_exit(rc == 0 ? 0 : rc == -EBUSY ? 1 : 2);
	}
	close(gate[0]);
	close(gate[1]);
	close(over[0]);
	close(over[1]);
	for (unsigned i = 0; i < ARRAY_SIZE(pid); i++) {
		int status;

		assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		won += WEXITSTATUS(status) == 0;
	}
	assert_int_equal(won, 1);
}

/* Another process has the pool in hand, and is about to take one. */
static void functions_do_not_go_while_somebody_takes_one(void **state)
{
	int ready[2];
	char byte = 0;

	(void)state;
	fake_file(PF, "sriov_numvfs", "4\n");
	find(PF);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct pool_file p;
		struct pool_use use;

		if (pool_file_open(&p, host.folder, PF, NULL) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		usleep(300000);
		pool_use_init(&use, VF(1), "one", "net0");
		_exit(pool_file_add(&p, &use, NULL) < 0 || pool_file_close(&p, NULL) < 0 ||
		      pause());
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(vf_pool_set_count(&host, PF, 0, &err), -EBUSY);
	assert_non_null(strstr(err.text, "guest one, port net0"));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(vf_pool_set_count(&host, PF, 0, &err), 0);
	close(ready[0]);
	close(ready[1]);
}

static void a_pool_file_with_anything_in_it_does_no_harm(void **state)
{
	static const char *const texts[] = {
		"",
		"\n\n\n",
		"\t\t\t\t\t\t\n",
		"0000:01:10.0\n",
		"0000:01:10.0\tg\tp\t-1\t0\t0\t\n",
		"0000:01:10.0\tg\tp\t0\t0\t0\t\textra\n",
		"0000:01:10.0xxxxxxxxxxxxxxxxxxxxxxxxx\tg\tp\t0\t0\t0\t\n",
		"0000:01:10.0\tg\tp\t99999999999999999999\t0\t0\t\n",
	};
	struct pool_file p;

	(void)state;
	assert_int_equal(pool_file_open(&p, host.folder, PF, &err), 0);
	assert_int_equal(pool_file_close(&p, &err), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		char path[200];

		(void)snprintf(path, sizeof(path), "%s/%s", host.folder, PF);
		FILE *f = fopen(path, "we");
		assert_non_null(f);
		fputs(texts[i], f);
		fclose(f);
		assert_int_equal(pool_file_open(&p, host.folder, PF, &err), 0);
		assert_int_equal(p.uses, 0);
		assert_int_equal(pool_file_close(&p, &err), 0);
	}
}

/* What cannot be read is not empty: the functions that stand in it would be given to others. */
static void a_pool_file_that_cannot_be_read_is_no_empty_one(void **state)
{
	struct pool_file p;
	char path[200], name[220];

	(void)state;
	find(PF);
	takes("one", "net0", VF(0));
	(void)snprintf(path, sizeof(path), "%s/%s", host.folder, PF);
	(void)snprintf(name, sizeof(name), "%s.elsewhere", path);
	assert_int_equal(rename(path, name), 0);
	assert_int_equal(symlink(name, path), 0);
	assert_int_equal(pool_file_open(&p, host.folder, PF, &err), -ELOOP);
	assert_non_null(strstr(err.text, "cannot be read"));
	assert_int_equal(pool_file_close(&p, &err), 0);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes into it */
	assert_int_equal(pool_file_open(&p, host.folder, PF, &err), -EINVAL);
	assert_int_equal(pool_file_peek(&p, host.folder, PF, &err), -EINVAL);
	unlink(path);
	assert_int_equal(rename(name, path), 0);
	takes("two", "net0", VF(1)); /* and the lock is free */
}

/* /tmp is everybody's, and there the folder is of one who is not root. */
static void a_folder_that_somebody_else_made_is_not_used(void **state)
{
	struct pool_file p;
	char elsewhere[220];

	(void)state;
	(void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", fake_sys);
	fake_dir("elsewhere");
	fake_dir("run");
	assert_int_equal(symlink(elsewhere, host.folder), 0);
	assert_int_equal(pool_file_open(&p, host.folder, PF, &err), -EPERM);
	unlink(host.folder);
	assert_int_equal(mkdir(host.folder, 0777), 0);
	assert_int_equal(chown(host.folder, 65534, 65534), 0);
	assert_int_equal(pool_file_open(&p, host.folder, PF, &err), -EPERM);
	assert_non_null(strstr(err.text, "not a directory of yours"));
	assert_int_equal(chown(host.folder, 0, 0), 0);
	assert_int_equal(pool_file_open(&p, host.folder, PF, &err), 0);
	assert_int_equal(pool_file_close(&p, &err), 0);
}

/* --- networks ------------------------------------------------------------------------------------------------------ */

static struct network_spec net;
static struct interface_spec iface;
static struct network_plug plug;

static void make_network(enum forward_mode mode, const char *pf)
{
	net = (struct network_spec){ .forward = mode, .managed = true };
	iface = (struct interface_spec){ .type = INTERFACE_NETWORK };
	str_copy(net.name, sizeof(net.name), "lan");
	str_copy(net.pf, sizeof(net.pf), pf);
}

static const char *port_of(const char *guest, const char *port, struct vf_picks *dry)
{
	const struct vf_owner owner = { .guest = guest, .port = port };

	if (network_pool_allocate(&host, &net, &iface, &owner, dry, &plug, &err) < 0)
		return err.text;
	return plug.device;
}

static void a_network_of_functions_gives_each_to_one_port(void **state)
{
	(void)state;
	make_network(FORWARD_HOSTDEV, "pf0");
	assert_string_equal(port_of("a", "net0", NULL), VF(0));
	assert_int_equal(iface.actual, INTERFACE_HOSTDEV);
	assert_string_equal(iface.hostdev.pci, VF(0));
	assert_true(iface.hostdev.managed);
	assert_string_equal(port_of("a", "net1", NULL), VF(1));
	find("pf0");
	takes("b", "net0", VF(2)); /* by --nic: the functions are the same */
	assert_string_equal(port_of("c", "net0", NULL), VF(3));
	assert_non_null(strstr(port_of("d", "net0", NULL), "no function of lan is free"));
	assert_string_equal(err.where, "network lan");
}

static void what_a_network_took_is_opened_by_its_address_under_the_same_name(void **state)
{
	(void)state;
	make_network(FORWARD_HOSTDEV, "pf0");
	assert_string_equal(port_of("a", "hostdev0", NULL), VF(0));
	assert_string_equal(port_of("a", "hostdev1", NULL), VF(1));
	find(VF(0));
	refused("b", "guest a");
	takes("a", "hostdev0", VF(0));
	find(VF(1));
	takes("a", "hostdev1", VF(1));
}

static void a_function_that_comes_back_to_its_network_is_for_the_next(void **state)
{
	const struct vf_owner a = { .guest = "a", .port = "hostdev0" };
	const struct vf_owner other = { .guest = "a", .port = "hostdev1" };

	(void)state;
	make_network(FORWARD_HOSTDEV, "pf0");
	assert_string_equal(port_of("a", "hostdev0", NULL), VF(0));
	network_pool_release(&host, "lan", VF(0), &other); /* he has nothing of it */
	assert_string_equal(port_of("b", "hostdev0", NULL), VF(1));
	network_pool_release(&host, "lan", VF(0), &a);
	assert_string_equal(port_of("c", "hostdev0", NULL), VF(0));
	network_pool_release(&host, "lan", VF(0), &a); /* once more */
	assert_string_equal(port_of("d", "hostdev0", NULL), VF(2));
}

static void a_port_that_a_network_refuses_takes_no_function(void **state)
{
	(void)state;
	make_network(FORWARD_HOSTDEV, "pf0");
	net.port.virtualport.kind = VIRTUALPORT_8021QBH;
	iface.host.virtualport.kind = VIRTUALPORT_OPENVSWITCH;
	assert_non_null(strstr(port_of("a", "hostdev0", NULL), "virtualport"));
	iface.host.virtualport.kind = VIRTUALPORT_NONE;
	net.port.virtualport.kind = VIRTUALPORT_NONE;
	assert_string_equal(port_of("b", "hostdev0", NULL), VF(0));
}

static void a_plan_of_a_network_and_of_its_function_is_one(void **state)
{
	const struct vf_owner owner = { .guest = "a", .port = "hostdev0" };
	struct vf_picks picks = { 0 };
	char pci[PCI_NAME];

	(void)state;
	make_network(FORWARD_HOSTDEV, "pf0");
	assert_string_equal(port_of("a", "hostdev0", &picks), VF(0));
	find(VF(0));
	assert_int_equal(vf_pool_take(&host, &source, &owner, &picks, pci, &err), 0);
	find("pf0");
	assert_int_equal(vf_pool_take(&host, &source, &owner, &picks, pci, &err), 0);
	assert_string_equal(pci, VF(1));
}

static void a_network_of_a_card_without_functions_says_what_to_do(void **state)
{
	(void)state;
	fake_file(PF, "sriov_numvfs", "0\n");
	for (unsigned i = 0; i < 4; i++) {
		char link[16];

		(void)snprintf(link, sizeof(link), "virtfn%u", i);
		fake_link(PF, link, NULL);
	}
	make_network(FORWARD_HOSTDEV, "pf0");
	assert_non_null(strstr(port_of("a", "net0", NULL), "anynic pool create pf0 --vfs N"));
	make_network(FORWARD_HOSTDEV, "nosuch");
	assert_non_null(strstr(port_of("a", "net0", NULL), "no network device nosuch"));
}

static void macvtaps_are_spread_over_the_devices_of_a_network(void **state)
{
	struct vf_picks picks = { 0 };

	(void)state;
	make_network(FORWARD_BRIDGE, "");
	net.devs = 2;
	str_copy(net.dev[0], 16, "eth8");
	str_copy(net.dev[1], 16, "eth9");
	assert_string_equal(port_of("a", "net0", &picks), "eth8");
	assert_string_equal(port_of("a", "net1", &picks), "eth9");
	assert_string_equal(port_of("a", "net0", NULL), "eth8"); /* a plan took nothing */
	assert_string_equal(port_of("a", "net1", NULL), "eth9");
	assert_string_equal(port_of("b", "net0", NULL), "eth8");
	assert_string_equal(port_of("b", "net0", NULL), "eth8"); /* again: the same port */
	assert_string_equal(port_of("b", "net1", NULL), "eth9");
	assert_string_equal(iface.port.backend.dev, "eth9");
	assert_string_equal(iface.port.backend.mode, "bridge");
}

static void a_passthrough_network_uses_the_devices_of_the_functions_once_each(void **state)
{
	(void)state;
	make_network(FORWARD_PASSTHROUGH, "pf0");
	assert_string_equal(port_of("a", "net0", NULL), "vf0");
	assert_string_equal(port_of("b", "net0", NULL), "vf1");
	assert_non_null(strstr(port_of("c", "net0", NULL), "all 2 are taken"));
}

static void a_network_that_libvirt_would_refuse_is_refused(void **state)
{
	(void)state;
	make_network(FORWARD_HOSTDEV, "pf0");
	net.mtu = 9000;
	assert_non_null(strstr(port_of("a", "net0", NULL), "<mtu> has no meaning"));
}

/* --- groups and drivers -------------------------------------------------------------------------------------------- */

static void group_of(const char *pci, int code, const char *why)
{
	struct pci_function f;

	assert_int_equal(pci_function_read(host.sys, pci, &f, &err), 0);
	assert_int_equal(vfio_check_group(host.sys, &f, &err), code);
	if (why && !strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

static void a_function_alone_in_its_group_can_be_handed_on(void **state)
{
	(void)state;
	group_of(VF(0), 0, NULL);
	fake_card("0000:04:00.0", 10, "vfio-pci", "");
	group_of(VF(0), 0, NULL);
	fake_card("0000:04:01.0", 10, "pcieport", "");
	fake_file("0000:04:01.0", "class", "0x060400\n");
	group_of(VF(0), 0, NULL);
}

static void what_else_is_in_the_group_is_named_with_a_way_out(void **state)
{
	(void)state;
	fake_card("0000:04:00.1", 10, "e1000e", "eth7");
	group_of(VF(0), -EBUSY, "0000:04:00.1 (driver e1000e, eth7)");
	group_of(VF(0), -EBUSY, "driverctl set-override 0000:04:00.1 vfio-pci");
	fake_card("0000:04:00.2", 10, "ahci", "");
	group_of(VF(0), -EBUSY, "and others");
}

static void without_an_iommu_the_reason_says_how_to_get_one(void **state)
{
	(void)state;
	fake_link(VF(0), "iommu_group", NULL);
	group_of(VF(0), -ENOTSUP, "intel_iommu=on");
}

static void a_node_that_is_missing_or_forbidden_is_said(void **state)
{
	struct pci_function f;

	(void)state;
	assert_int_equal(pci_function_read(host.sys, VF(3), &f, &err), 0);
	assert_int_equal(vfio_check_access(host.dev, &f, &err), 0);
	fake_command("rm %s/dev/vfio/vfio", fake_sys);
	assert_int_equal(vfio_check_access(host.dev, &f, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "modprobe vfio-pci"));
}

static void a_kernel_that_does_not_bind_leaves_all_as_it_was(void **state)
{
	struct pci_function f;
	char text[40] = "";

	(void)state;
	fake_command("mkdir -p %s/bus/pci/drivers/vfio-pci; touch %s/bus/pci/drivers_probe "
		     "%s/bus/pci/drivers/igbvf/unbind",
		     fake_sys, fake_sys, fake_sys);
	assert_int_equal(pci_function_read(host.sys, VF(0), &f, &err), 0);
	assert_int_equal(vfio_bind(host.sys, &f, "", &err), -EIO); /* files do nothing */
	assert_non_null(strstr(err.text, "cannot be given to vfio-pci"));
	char path[200];
	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver_override", fake_sys,
		       VF(0));
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, "\n");
}

static void variants_of_vfio_are_known_by_their_names(void **state)
{
	(void)state;
	assert_true(vfio_is_driver("vfio-pci"));
	assert_true(vfio_is_driver("mlx5_vfio_pci"));
	assert_false(vfio_is_driver("igbvf"));
	assert_false(vfio_is_driver(""));
	assert_false(vfio_is_driver("vfio-platform"));
}

/* --- settings ------------------------------------------------------------------------------------------------------ */

static void the_journal_keeps_settings_and_drivers_word_for_word(void **state)
{
	const struct vf_settings s = {
		.vlan = 12, .qos = 3, .spoofchk = 1, .trust = -1, .link_state = 2
	};
	struct vf_settings back = { 0 };
	struct pci_function f = { .pci = "0000:01:10.0", .driver = "igbvf" };
	struct undo_step step;

	(void)state;
	vf_undo_settings(&step, VF(0), &s, &s);
	assert_true(vf_settings_parse(step.text, &back));
	assert_int_equal(back.vlan, 12);
	assert_int_equal(back.qos, 3);
	assert_int_equal(back.spoofchk, 1);
	assert_int_equal(back.trust, -1);
	assert_int_equal(back.link_state, 2);
	assert_false(vf_settings_parse("vlan 1", &back));
	vf_undo_driver(&step, &f);
	assert_string_equal(step.text, "driver igbvf override -");
}

static void a_function_with_another_mac_than_a_killed_anynic_knew_is_anothers(void **state)
{
	const struct undo_step step = { .kind = UNDO_VF,
					.mac = { 0x52, 0x54, 0, 0, 0, 1 },
					.old_mac = { 0x52, 0x54, 0, 0, 0, 2 } };
	struct vf_settings now = { .mac = { 0x52, 0x54, 0, 0, 0, 1 }, .trust = -1 };

	(void)state;
	assert_false(vf_settings_are_anothers(&step, &now));
	now.mac[5] = 2; /* a team's, whose card was not plugged */
	assert_false(vf_settings_are_anothers(&step, &now));
	now.mac[5] = 3;
	assert_true(vf_settings_are_anothers(&step, &now));
	now.trust = 0;
	assert_true(vf_settings_are_anothers(&step, &now));
	now.trust = 1; /* the guest chose it */
	assert_false(vf_settings_are_anothers(&step, &now));
}

static void a_card_that_says_no_vlan_gets_none_and_keeps_the_rest(void **state)
{
	struct nic_spec nic = { .vlan = -1, .qos = -1, .mac = { 0x52, 0x54, 0, 1, 2, 3 } };
	struct vf_settings s;

	(void)state;
	vf_settings_for(&nic, LINK_AUTO, &s);
	assert_int_equal(s.vlan, 0);
	assert_int_equal(s.spoofchk, -1);
	assert_int_equal(s.trust, -1);
	assert_int_equal(s.link_state, -1);
	nic.trust = TRISTATE_ON;
	nic.spoofchk = TRISTATE_OFF;
	nic.vlan = 7;
	vf_settings_for(&nic, LINK_DOWN, &s);
	assert_int_equal(s.vlan, 7);
	assert_int_equal(s.spoofchk, 0);
	assert_int_equal(s.trust, 1);
	assert_int_equal(s.link_state, 2);
}

static void a_device_without_functions_tells_of_none(void **state)
{
	struct vf_settings s;
	struct netlink nl;
	struct link l;

	(void)state;
	assert_int_equal(netlink_open(&nl, &err), 0);
	assert_int_equal(netlink_find(&nl, "pf0", &l), 0);
	assert_int_equal(netlink_get_vf(&nl, l.index, 0, &s), -ENOENT);
	s = (struct vf_settings){ .vlan = 5 };
	assert_true(netlink_set_vf(&nl, l.index, 0, VF_VLAN, &s) < 0);
	assert_int_equal(netlink_get_vf(&nl, 0, 0, &s), -ENODEV);
	assert_int_equal(netlink_get_vf(&nl, 99999, 0, &s), -ENODEV);
	netlink_close(&nl);
}

static void a_line_about_a_function_that_is_gone_is_done(void **state)
{
	struct undo_step step = { .kind = UNDO_VF,
				  .name = "0000:09:10.0",
				  .text = "vlan 0 qos 0 spoofchk 1 trust 0 link -1" };

	(void)state;
	assert_int_equal(vf_settings_give_back(&host, &step, &err), 0);
	str_copy(step.text, sizeof(step.text), "driver igbvf override -");
	assert_int_equal(vf_driver_give_back(&host, &step, &err), 0);
	str_copy(step.text, sizeof(step.text), "nonsense");
	assert_int_equal(vf_settings_give_back(&host, &step, &err), 0);
	assert_int_equal(vf_driver_give_back(&host, &step, &err), 0);
	str_copy(step.name, sizeof(step.name), VF(0)); /* its own driver has it */
	str_copy(step.text, sizeof(step.text), "driver igbvf override -");
	assert_int_equal(vf_driver_give_back(&host, &step, &err), 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)
	const struct CMUnitTest tests[] = {
		TEST(a_pci_address_is_read_in_each_form_that_people_write),
		TEST(a_function_is_known_by_its_driver_its_device_and_its_group),
		TEST(functions_are_made_only_of_none_and_only_as_many_as_there_can_be),
		TEST(dev_names_a_device_with_functions_or_one_function),
		TEST(the_pool_of_a_network_lists_virtual_functions_only),
		TEST(functions_are_given_in_order_and_each_once),
		TEST(what_a_process_has_already_it_gets_again),
		TEST(a_function_that_the_host_uses_is_not_given),
		TEST(a_function_whose_device_is_elsewhere_is_not_given),
		TEST(a_card_with_functions_is_not_given_itself),
		TEST(one_that_is_kept_by_hand_goes_to_its_guest_alone),
		TEST(a_plan_takes_none_and_gives_none_twice),
		TEST(what_a_killed_process_had_is_free_again),
		TEST(but_not_before_its_journal_is_done),
		TEST(of_many_that_race_for_the_last_function_one_gets_it),
		TEST(functions_do_not_go_while_somebody_takes_one),
		TEST(a_pool_file_with_anything_in_it_does_no_harm),
		TEST(a_pool_file_that_cannot_be_read_is_no_empty_one),
		TEST(a_folder_that_somebody_else_made_is_not_used),
		TEST(a_network_of_functions_gives_each_to_one_port),
		TEST(what_a_network_took_is_opened_by_its_address_under_the_same_name),
		TEST(a_function_that_comes_back_to_its_network_is_for_the_next),
		TEST(a_port_that_a_network_refuses_takes_no_function),
		TEST(a_plan_of_a_network_and_of_its_function_is_one),
		TEST(a_network_of_a_card_without_functions_says_what_to_do),
		TEST(macvtaps_are_spread_over_the_devices_of_a_network),
		TEST(a_passthrough_network_uses_the_devices_of_the_functions_once_each),
		TEST(a_network_that_libvirt_would_refuse_is_refused),
		TEST(a_function_alone_in_its_group_can_be_handed_on),
		TEST(what_else_is_in_the_group_is_named_with_a_way_out),
		TEST(without_an_iommu_the_reason_says_how_to_get_one),
		TEST(a_node_that_is_missing_or_forbidden_is_said),
		TEST(a_kernel_that_does_not_bind_leaves_all_as_it_was),
		TEST(variants_of_vfio_are_known_by_their_names),
		TEST(the_journal_keeps_settings_and_drivers_word_for_word),
		TEST(a_function_with_another_mac_than_a_killed_anynic_knew_is_anothers),
		TEST(a_card_that_says_no_vlan_gets_none_and_keeps_the_rest),
		TEST(a_device_without_functions_tells_of_none),
		TEST(a_line_about_a_function_that_is_gone_is_done),
	};

	if (enter_netns() < 0)
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, make_links, NULL);
}
