/* Where each card lives: given, or by what the QEMU at hand can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "config/nic_option.h"
#include "known_for_tests.h"
#include "qemu/place.h"

static const struct qemu_program qemu_7_1 = { .major = 7, .minor = 1 },
				 qemu_7_2 = { .major = 7, .minor = 2 },
				 qemu_11 = { .major = 11, .minor = 1, .vfio_user = true };

struct case_row {
	const char *nic;
	const struct qemu_program *program;
	int rc;
	enum nic_place place;
	enum nic_netdev netdev; /* of the last card */
	const char *says;	/* in the error, or in the reason */
};

static const struct case_row rows[] = {
	{ "auto", &qemu_11, 0, PLACE_HOSTED, NETDEV_NONE, "" },
	{ "auto", NULL, 0, PLACE_HOSTED, NETDEV_NONE, "" },
	{ "auto", &qemu_7_2, 0, PLACE_QEMU, NETDEV_STREAM, "QEMU 7.2 has no vfio-user-pci" },
	{ "auto,place=hosted", &qemu_7_2, -ENOTSUP, 0, 0, "has no vfio-user-pci" },
	{ "auto,place=qemu", &qemu_11, 0, PLACE_QEMU, NETDEV_STREAM, "" },
	{ "auto,place=qemu", &qemu_7_1, -ENOTSUP, 0, 0, "needs QEMU 7.2" },
	{ "rtl8139,place=qemu,backend=tap", &qemu_7_2, 0, PLACE_QEMU, NETDEV_TAP, "" },
	{ "rtl8139,place=qemu,backend=tap", &qemu_7_1, -ENOTSUP, 0, 0, "needs QEMU 7.2" },
	{ "auto,place=qemu,backend=tap", &qemu_11, 0, PLACE_QEMU, NETDEV_STREAM, "" },
	{ "auto,place=qemu,backend=bridge,br=b", &qemu_7_2, 0, PLACE_QEMU, NETDEV_TAP, "" },
	{ "auto,place=qemu,backend=bridge,br=b", &qemu_7_1, -ENOTSUP, 0, 0, "needs QEMU 7.2" },
	{ "auto,place=qemu,backend=bridge,br=b,iface-id=x", &qemu_11, 0, PLACE_QEMU, NETDEV_STREAM,
	  "" },
	{ "virtio-net,place=qemu,backend=bridge,br=b,iface-id=x", &qemu_11, 0, PLACE_QEMU,
	  NETDEV_TAP, "" },
	{ "virtio-net,place=qemu,backend=user", &qemu_11, 0, PLACE_QEMU, NETDEV_STREAM, "" },
};

static void every_port_finds_its_place(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct case_row *row = &rows[i];
		struct port_spec port;
		struct error err = { 0 };
		char why[PLACE_WHY];

		assert_int_equal(nic_option_parse(&port, row->nic, &test_known, &err), 0);
		int rc = qemu_place_port(&port, row->program, why, &err);
		const char *said = rc ? err.text : why;
		if (rc != row->rc || !strstr(said, row->says) || (!row->says[0] && said[0]))
			fail_msg("%s: %d, %s", row->nic, rc, said);
		for (unsigned n = 0; rc == 0 && n < port.nics; n++) {
			assert_int_equal(port.nic[n].place, row->place);
			assert_int_equal(port.nic[n].netdev, row->netdev);
		}
		assert_int_equal(rc == 0 && !port_in_datapath(&port),
				 rc == 0 && row->netdev == NETDEV_TAP);
	}
}

/* What was asked for is not dropped because the other card has to go elsewhere. */
static void a_card_with_vhost_user_stays_hosted_when_the_other_goes_to_qemu(void **state)
{
	static const char *const specs[] = { "auto,transport=vhost-user",
					     "auto,transport=vhost-user,backend=bridge,br=b" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(specs); i++) {
		struct port_spec port;
		struct error err = { 0 };
		char why[PLACE_WHY];

		assert_int_equal(nic_option_parse(&port, specs[i], &test_known, &err), 0);
		assert_int_equal(qemu_place_port(&port, &qemu_7_2, why, &err), 0);
		assert_int_equal(port.nic[0].place, PLACE_QEMU);
		assert_int_equal(port.nic[0].netdev, NETDEV_STREAM);
		assert_int_equal(port.nic[1].place, PLACE_HOSTED);
		assert_int_equal(port.nic[1].netdev, NETDEV_VHOST_USER);
		assert_true(port_in_datapath(&port));
		assert_non_null(strstr(why, "transport=vhost-user"));
	}
}

static const struct {
	const char *nic;
	const struct qemu_program *program;
	int rc;
	enum nic_netdev persistent, transient;
	bool qemu_pairs; /* QEMU hides the transient card, and plugs it when the guest asks */
	const char *says;
} teams[] = {
	{ "team", &qemu_11, 0, NETDEV_STREAM, NETDEV_NONE, true, "" },
	{ "team,backend=bridge,br=b", &qemu_11, 0, NETDEV_STREAM, NETDEV_NONE, true, "" },
	{ "team,transport=vhost-user", &qemu_11, 0, NETDEV_VHOST_USER, NETDEV_NONE, true, "" },
	{ "team,place=hosted", &qemu_11, 0, NETDEV_NONE, NETDEV_NONE, false, "" },
	{ "team,place=qemu,transient=e1000e", &qemu_11, 0, NETDEV_STREAM, NETDEV_STREAM, true, "" },
	{ "team,transient=e1000e", &qemu_7_2, 0, NETDEV_STREAM, NETDEV_STREAM, true,
	  "QEMU 7.2 has no vfio-user-pci" },
	{ "team,transient=hostdev,backend=bridge,br=b", &qemu_7_2, 0, NETDEV_TAP, NETDEV_HOSTDEV,
	  true, "" },
	{ "team,transient=hostdev", &qemu_7_2, 0, NETDEV_STREAM, NETDEV_HOSTDEV, true, "" },
	{ "team,transient=hostdev,place=hosted", &qemu_11, -ENOTSUP, 0, 0, false,
	  "exclude each other" },
	{ "team,place=qemu,transient=igb", &qemu_11, -ENOTSUP, 0, 0, false,
	  "QEMU refuses its own igb" },
	{ "team,place=hosted", &qemu_7_2, -ENOTSUP, 0, 0, false, "has no vfio-user-pci" },
	{ "team,transient=igbvf", &qemu_7_2, -ENOTSUP, 0, 0, false, "no QEMU has this card" },
	{ "team,transient=e1000e", &qemu_7_1, -ENOTSUP, 0, 0, false, "needs QEMU 7.2" },
};

static void every_team_is_paired_by_qemu_where_qemu_can(void **state)
{
	struct guest_identity who = { "m", 0, "g" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(teams); i++) {
		struct port_spec port;
		struct error err = { 0 };
		char why[PLACE_WHY];

		assert_int_equal(nic_option_parse(&port, teams[i].nic, &test_known, &err), 0);
		ports_complete(&port, 1, &who);
		int rc = qemu_place_port(&port, teams[i].program, why, &err);
		const char *said = rc ? err.text : why;
		if (rc != teams[i].rc || !strstr(said, teams[i].says) ||
		    (!teams[i].says[0] && said[0]))
			fail_msg("%s: %d, %s", teams[i].nic, rc, said);
		if (rc < 0)
			continue;
		assert_true(port.nic[0].standby);
		assert_int_equal(port.nic[0].netdev, teams[i].persistent);
		assert_int_equal(port.nic[1].netdev, teams[i].transient);
		assert_string_equal(port.nic[1].pair, teams[i].qemu_pairs ? port.nic[0].id : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_team_is_paired_by_qemu_where_qemu_can),
		cmocka_unit_test(every_port_finds_its_place),
		cmocka_unit_test(a_card_with_vhost_user_stays_hosted_when_the_other_goes_to_qemu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
