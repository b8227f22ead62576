/* One more port for a guest that runs, from a network that hands on functions: what was taken for it, and by whom it can be had when it did
 * not become a port. The host is a tree that looks like /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/guest.h"
#include "fake_sysfs.h"
#include "host/vf_pool.h"

#define PF	  "0000:01:00.0"
#define FUNCTIONS 2

static const char *const vf_names[FUNCTIONS] = { "0000:01:10.0", "0000:01:10.2" };
static char network_file[100], interface_file[100];
static struct port_spec present[1];
static unsigned presents;
static struct guest guest, more;
static struct error err;

/* Instead of this machine. */
void __wrap_vf_host_init(struct vf_host *host);
void __wrap_vf_host_init(struct vf_host *host)
{
	(void)snprintf(host->sys, sizeof(host->sys), "%s", fake_sys);
	(void)snprintf(host->dev, sizeof(host->dev), "%s/dev", fake_sys);
	(void)snprintf(host->folder, sizeof(host->folder), "%s/run/pools", fake_sys);
}

static void write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int start(void **state)
{
	(void)state;
	fake_start();
	fake_card(PF, 1, "igb", "");
	for (unsigned i = 0; i < FUNCTIONS; i++)
		fake_vf(PF, i, vf_names[i], 10 + (int)i, "", "");
	(void)snprintf(network_file, sizeof(network_file), "%s/network.xml", fake_sys);
	(void)snprintf(interface_file, sizeof(interface_file), "%s/interface.xml", fake_sys);
	write_text(network_file,
		   "<network><name>functions</name><forward mode='hostdev' managed='yes'>"
		   "<address type='pci' domain='0' bus='1' slot='0x10' function='0'/>"
		   "<address type='pci' domain='0' bus='1' slot='0x10' function='2'/>"
		   "</forward></network>\n");
	memset(&guest, 0, sizeof(guest));
	str_copy(guest.name, sizeof(guest.name), "g");
	memset(present, 0, sizeof(present));
	memset(&err, 0, sizeof(err));
	presents = 0;
	return 0;
}

static int finish(void **state)
{
	(void)state;
	fake_finish();
	return 0;
}

/* --- what is asked for --------------------------------------------------------------------------------------------- */

#define OF_FUNCTIONS "<interface type='network'><source network='functions'/>"
#define ONE	     OF_FUNCTIONS "</interface>"

static int plug(const char *interfaces)
{
	const struct guest_request request = { .interfaces = interface_file,
					       .network = { network_file },
					       .networks = 1,
					       .take = true };

	write_text(interface_file, interfaces);
	return guest_prepare_port(&more, &guest, &request, present, presents, &err);
}

static void plugs(const char *interfaces)
{
	if (plug(interfaces) < 0)
		fail_msg("%s: %s", err.where, err.text);
}

static void refused(int code, const char *interfaces, const char *why)
{
	assert_int_equal(plug(interfaces), code);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
}

/* --- who has it ---------------------------------------------------------------------------------------------------- */

static void has(unsigned function, const char *port)
{
	struct pool_file p;
	struct vf_host host;

	__wrap_vf_host_init(&host);
	assert_int_equal(pool_file_peek(&p, host.folder, PF, &err), 0);
	const struct pool_use *use = pool_file_find(&p, vf_names[function]);
	assert_string_equal(use ? use->port : "", port);
	assert_int_equal(pool_file_close(&p, &err), 0);
}

static void all_are_free(void)
{
	for (unsigned i = 0; i < FUNCTIONS; i++)
		has(i, "");
}

static void a_function_is_taken_until_it_is_given_back(void **state)
{
	(void)state;
	plugs(ONE);
	assert_string_equal(more.port[0].id, "hostdev0");
	assert_string_equal(more.port[0].nic[0].host_pci, vf_names[0]);
	has(0, "hostdev0");
	guest_give_back_networks(&more);
	all_are_free();
}

static void a_port_knows_its_network_by_its_name(void **state)
{
	const struct guest_request request = { .interfaces = interface_file,
					       .network = { network_file },
					       .networks = 1,
					       .take = true };

	(void)state;
	write_text(interface_file, "<devices><interface type='user'/>" ONE "</devices>");
	if (guest_prepare(&more, &request, &err) < 0)
		fail_msg("%s: %s", err.where, err.text);
	assert_int_equal(more.ports, 2);
	assert_string_equal(guest_network_of(&more, more.port[0].id), "");
	assert_string_equal(guest_network_of(&more, more.port[1].id), "functions");
	assert_string_equal(guest_network_of(&more, "net7"), "");
}

static void a_port_that_does_not_fit_beside_the_others_leaves_its_function_to_others(void **state)
{
	(void)state;
	presents = 1;
	str_copy(present[0].id, ID_MAX, "net0");
	present[0].nics = 1;
	str_copy(present[0].nic[0].id, ID_MAX, "net0");
	present[0].nic[0].bootindex = 1;
	refused(-EINVAL, OF_FUNCTIONS "<boot order='1'/></interface>",
		"is used by two ports, net0 and hostdev0");
	all_are_free();
}

static void two_at_a_time_are_refused_and_take_nothing(void **state)
{
	(void)state;
	refused(-EINVAL, "<devices>" ONE ONE "</devices>", "one is plugged at a time");
	all_are_free();
}

static void when_the_network_runs_dry_those_before_are_given_back(void **state)
{
	(void)state;
	refused(-EBUSY, "<devices>" ONE ONE ONE "</devices>", "no function of functions is free");
	all_are_free();
}

static void a_name_that_is_used_takes_nothing_from_who_has_it(void **state)
{
	(void)state;
	plugs(OF_FUNCTIONS "<alias name='ua-fast'/></interface>");
	present[presents++] = more.port[0];
	has(0, "ua-fast");
	refused(-EINVAL, OF_FUNCTIONS "<alias name='ua-fast'/></interface>",
		"<alias name='ua-fast'>: the guest has port ua-fast of that name");
	has(0, "ua-fast");
	has(1, "");
	plugs(ONE);
	has(0, "ua-fast");
	has(1, "hostdev0");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, start, finish)
	const struct CMUnitTest tests[] = {
		TEST(a_function_is_taken_until_it_is_given_back),
		TEST(a_port_knows_its_network_by_its_name),
		TEST(a_port_that_does_not_fit_beside_the_others_leaves_its_function_to_others),
		TEST(two_at_a_time_are_refused_and_take_nothing),
		TEST(when_the_network_runs_dry_those_before_are_given_back),
		TEST(a_name_that_is_used_takes_nothing_from_who_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
