/* What a Linux bridge does with our ports: frames between taps of different VLANs, and of isolated ports. The kernel may be built without VLANs
 * on bridges; then only what is refused is tested here, and the rest on the lab host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "host/open.h"
#include "netns.h"

#define SOON	   1000
#define NOT	   60 /* ms that a frame would need at most to come where it must not */
#define HEADER	   10 /* of virtio, in front of each frame */
#define EXPERIMENT 0x88b5
#define VLAN_TYPE  0x8100

static bool kernel_has_vlans;

static bool run(const char *command)
{
	return system(command) == 0;
}

static int set_scene(void **state)
{
	(void)state;
	kernel_has_vlans = run("ip link add br0 type bridge vlan_filtering 1 2>/dev/null");
	return !((kernel_has_vlans || run("ip link add br0 type bridge")) &&
		 run("ip link set br0 addrgenmode none up"));
}

static int clear_scene(void **state)
{
	(void)state;
	return !run("ip link del br0");
}

static int open_port(uint8_t number, const struct bridge_rules *rules, struct opened_backend *o,
		     struct error *err)
{
	struct backend_spec spec = { .type = "bridge", .br = "br0", .rules = *rules };
	struct backend_request r = { .spec = &spec,
				     .guest = "test",
				     .port = "net0",
				     .mac = { 0x52, 0x54, 0, 0, 0, number } };

	return host_backend_open(&r, o, err);
}

static struct opened_backend must_open(uint8_t number, struct bridge_rules rules)
{
	struct opened_backend o;
	struct error err = { 0 };

	if (open_port(number, &rules, &o, &err) < 0)
		fail_msg("%s", err.text);
	return o;
}

/* A broadcast of the guest, tagged when `vlan` is not 0. */
static void sends(const struct opened_backend *o, unsigned vlan, uint8_t number)
{
	uint8_t data[HEADER + 64] = { 0 }, *at = data + HEADER;

	memset(at, 0xff, 6);
	memset(at + 6, 0x52, 6);
	at += 12;
	if (vlan) {
		put_be16(at, VLAN_TYPE);
		put_be16(at + 2, (uint16_t)vlan);
		at += 4;
	}
	put_be16(at, EXPERIMENT);
	at[2] = number;
	assert_int_equal(write(o->fds[0], data, sizeof(data)), sizeof(data));
}

/* The VLAN that the broadcast comes in with, 0 for none; -1 = it does not come. */
static int gets(const struct opened_backend *o, uint8_t number, int wait_ms)
{
	struct pollfd p = { .fd = o->fds[0], .events = POLLIN };
	uint8_t data[2000];

	while (poll(&p, 1, wait_ms) == 1) {
		ssize_t n = read(p.fd, data, sizeof(data));
		const uint8_t *at = data + HEADER + 12;
		int vlan = 0;

		if (n < HEADER + 60)
			continue;
		if (get_be16(at) == VLAN_TYPE) {
			vlan = get_be16(at + 2) & 0xfff;
			at += 4;
		}
		if (get_be16(at) == EXPERIMENT && at[2] == number)
			return vlan;
	}
	return -1;
}

static struct bridge_rules access_to(uint16_t vlan)
{
	return (struct bridge_rules){ .vlan = { .count = 1, .tag = { vlan }, .native = -1 } };
}

static struct bridge_rules trunk_of(uint16_t a, uint16_t b, int native, bool tagged)
{
	return (struct bridge_rules){ .vlan = { .count = 2,
						.tag = { a, b },
						.trunk = true,
						.native = native,
						.native_tagged = tagged } };
}

static void isolated_ports_reach_the_others_but_not_each_other(void **state)
{
	const struct bridge_rules isolated = { .isolated = true }, nothing = { 0 };

	(void)state;
	struct opened_backend a = must_open(1, isolated), b = must_open(2, isolated),
			      c = must_open(3, nothing);
	sends(&a, 0, 1);
	assert_int_equal(gets(&c, 1, SOON), 0);
	assert_int_equal(gets(&b, 1, NOT), -1);
	sends(&c, 0, 2);
	assert_int_equal(gets(&a, 2, SOON), 0);
	assert_int_equal(gets(&b, 2, SOON), 0);
	opened_backend_close(&a);
	opened_backend_close(&b);
	opened_backend_close(&c);
}

static void a_port_hears_its_own_vlan_only(void **state)
{
	(void)state;
	if (!kernel_has_vlans)
		skip();
	struct opened_backend a = must_open(1, access_to(10)), b = must_open(2, access_to(10)),
			      c = must_open(3, access_to(20)),
			      all = must_open(4, trunk_of(10, 20, -1, false));
	sends(&a, 0, 1);
	assert_int_equal(gets(&b, 1, SOON), 0);
	assert_int_equal(gets(&all, 1, SOON), 10);
	assert_int_equal(gets(&c, 1, NOT), -1);
	sends(&all, 20, 2);
	assert_int_equal(gets(&c, 2, SOON), 0);
	assert_int_equal(gets(&a, 2, NOT), -1);
	sends(&all, 0, 3); /* of no VLAN, and there is no native one */
	assert_int_equal(gets(&a, 3, NOT), -1);
	assert_int_equal(gets(&c, 3, NOT), -1);
	opened_backend_close(&a);
	opened_backend_close(&b);
	opened_backend_close(&c);
	opened_backend_close(&all);
}

static void a_trunks_native_vlan_goes_without_a_tag_or_with_one(void **state)
{
	(void)state;
	if (!kernel_has_vlans)
		skip();
	struct opened_backend a = must_open(1, access_to(10)),
			      bare = must_open(2, trunk_of(10, 20, 10, false)),
			      tagged = must_open(3, trunk_of(10, 20, 10, true));
	sends(&a, 0, 1);
	assert_int_equal(gets(&bare, 1, SOON), 0);
	assert_int_equal(gets(&tagged, 1, SOON), 10);
	sends(&bare, 0, 2); /* what has no tag is of the native one */
	assert_int_equal(gets(&a, 2, SOON), 0);
	sends(&tagged, 0, 3);
	assert_int_equal(gets(&a, 3, SOON), 0);
	opened_backend_close(&a);
	opened_backend_close(&bare);
	opened_backend_close(&tagged);
}

static void refused(struct bridge_rules rules, const char *words)
{
	struct opened_backend o;
	struct error err = { 0 };

	assert_int_equal(open_port(1, &rules, &o, &err), -EINVAL);
	if (!strstr(err.text, words))
		fail_msg("'%s' says nothing of '%s'", err.text, words);
	assert_int_equal(o.nfds, 0);
}

static void what_a_bridge_cannot_do_is_refused_with_the_next_step(void **state)
{
	(void)state;
	refused(access_to(4095), "VLANs from 1 to 4094");
	refused(access_to(0), "VLANs from 1 to 4094");
	if (kernel_has_vlans)
		assert_true(run("ip link set br0 type bridge vlan_filtering 0"));
	refused(access_to(10), "ip link set br0 type bridge vlan_filtering 1");
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, set_scene, clear_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(isolated_ports_reach_the_others_but_not_each_other),
		SCENE(a_port_hears_its_own_vlan_only),
		SCENE(a_trunks_native_vlan_goes_without_a_tag_or_with_one),
		SCENE(what_a_bridge_cannot_do_is_refused_with_the_next_step),
	};

	if (enter_netns() < 0 || access("/dev/net/tun", R_OK | W_OK) < 0)
		return TEST_SKIPPED;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
