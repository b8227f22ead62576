/* QEMU's own cards seen from outside: recorded texts of QEMU 7.2 and 11.1, the table of cards, and looks at a QEMU that the test plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "qemu/monitor_text.h"
#include "qemu/nic_status.h"

static const char *recorded; /* the folder of the recorded texts */

/* --- texts ------------------------------------------------------------------------------------------------------- */

static char *read_recorded(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", recorded, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	char *text = calloc(1, 1 << 17);
	assert_true(fread(text, 1, (1 << 17) - 1, f) > 1000);
	fclose(f);
	return text;
}

struct found {
	bool bus_master;
	uint64_t base;
};

static struct found find_card(const char *text, const char *owner, const char *registers)
{
	struct found found = { 0 };
	struct mtree_region r;

	while (mtree_next(&text, &r)) {
		if (!span_is(r.owner, owner))
			continue;
		found.bus_master |= r.alias && span_is(r.name, "bus master");
		if (span_begins(r.name, registers))
			found.base = r.from;
	}
	return found;
}

static void a_recorded_tree_tells_bus_mastering_and_registers_of_each_card(void **state)
{
	(void)state;
	static const struct {
		const char *file, *owner, *registers;
		uint64_t base;
	} rows[] = {
		{ "mtree-7.2-q35", "n0", "rtl8139-mem", 0xfde40000 },
		{ "mtree-7.2-q35", "n1", "e1000-mmio", 0xfdc40000 },
		{ "mtree-7.2-q35", "n2", "e1000e-mmio", 0xfda40000 },
		{ "mtree-7.2-q35", "n3", "virtio-pci-common", 0xfe400000 },
		{ "mtree-7.2-q35", "/machine/peripheral-anon/device[0]", "virtio-pci-common",
		  0xfe200000 },
		{ "mtree-11.1-q35", "n0", "rtl8139-mem", 0xfdc40000 },
		{ "mtree-11.1-q35", "n1", "e1000-mmio", 0xfda40000 },
		{ "mtree-11.1-q35", "n2", "e1000e-mmio", 0xfd840000 },
		{ "mtree-11.1-q35", "n5", "igb-mmio", 0xfd200000 },
		{ "mtree-11.1-q35", "n3", "virtio-pci-common", 0xfe400000 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text = read_recorded(rows[i].file);
		struct found f = find_card(text, rows[i].owner, rows[i].registers);
		assert_true(f.bus_master);
		assert_int_equal(f.base, rows[i].base);
		free(text);
	}
}

static void a_recorded_tree_without_the_alias_is_a_card_without_bus_mastering(void **state)
{
	(void)state;
	const char *text =
		"address-space: rtl8139\n"
		"  0000000000000000-ffffffffffffffff (prio 0, i/o): bus master container "
		"owner:{dev id=n0}\n"
		"\n"
		"address-space: memory\n"
		"    00000000fde40000-00000000fde400ff (prio 1, i/o): alias rtl8139-mem @rtl8139 "
		"0000000000000000-00000000000000ff owner:{dev id=n0}\n";
	struct found f = find_card(text, "n0", "rtl8139-mem");

	assert_false(f.bus_master);
	assert_int_equal(f.base, 0xfde40000);
}

static void lines_of_a_tree_that_are_none_are_passed_over(void **state)
{
	(void)state;
	static const char *const bad[] = { "",
					   "\n\n\n",
					   "  owner:{dev id=n0}",
					   "0-1 (prio 0, i/o): x owner:{dev id=n0",
					   "00000000000000000-1 (prio 0, i/o): x owner:{dev id=n0}",
					   "zz-1 (prio 0, i/o): x owner:{dev id=n0}",
					   "0 (prio 0, i/o): x owner:{dev id=n0}",
					   "0-1 owner:{dev id=n0} (prio 0, i/o): x",
					   "0-1 (prio 0, i/o): x owner:{obj path=/n0}",
					   "0-1 (prio 0, i/o): x [disabled] owner:{dev id=n0}",
					   "0-1 (prio 0, i/o): x parent:{dev id=n0}",
					   "0-1 (prio 0, i/o): owner:{dev id=n0}" };
	struct mtree_region r;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *text = bad[i];
		if (mtree_next(&text, &r))
			fail_msg("line %u was taken", i);
	}
	const char *good = "rubbish\n0-1 (prio 0, i/o): x owner:{dev id=n0}";
	assert_true(mtree_next(&good, &r));
	assert_true(span_is(r.name, "x") && span_is(r.owner, "n0"));
	assert_false(mtree_next(&good, &r));
}

static void memory_is_read_as_both_versions_print_it(void **state)
{
	(void)state;
	uint64_t v[4] = { 0 };

	assert_int_equal(xp_parse("00000000fde40037: 0x0d\r\n", 0xfde40037, v, 4), 1);
	assert_int_equal(v[0], 0x0d);
	assert_int_equal(xp_parse("febe0037: 0x11\r\n", 0xfebe0037, v, 4), 1);
	assert_int_equal(v[0], 0x11);
	assert_int_equal(xp_parse("fe400010: 0x00000000 0x0000000f\r\n", 0xfe400010, v, 4), 2);
	assert_int_equal(v[1], 0x0f);
	assert_int_equal(xp_parse("0000000000001000: 0x00000001 0x00000002 0x00000003 0x00000004\n"
				  "0000000000001010: 0x00000005\n",
				  0x1000, v, 4),
			 4);
	assert_int_equal(v[3], 4);
}

static void memory_that_cannot_be_read_gives_no_value(void **state)
{
	(void)state;
	static const char *const bad[] = { " 00000000d0000000: Cannot access memory\r\n",
					   "",
					   "d0000000",
					   "d0000000:",
					   "d0000000: 13",
					   "d0000000: 0x",
					   "d0000000: 0x00000000000000001",
					   "d0000001: 0x12",
					   "unknown command: 'xp'\r\n" };
	uint64_t v;

	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
		if (xp_parse(bad[i], 0xd0000000, &v, 1) != 0)
			fail_msg("text %u was taken", i);
}

static void info_network_names_cards_and_what_they_hang_on(void **state)
{
	(void)state;
	const char *text = "n0: index=0,type=nic,model=rtl8139,macaddr=52:54:00:00:01:00\r\n"
			   " \\ h0: index=0,type=tap,ifname=vnet0,script=no,downscript=no\r\n"
			   "garbage\r\n"
			   "virtio-net-pci.1: index=0,type=nic,model=virtio-net-pci\r\n";
	struct network_line l;

	assert_true(network_next(&text, &l));
	assert_true(!l.peer && span_is(l.name, "n0"));
	assert_true(span_is(network_value(l.info, "model"), "rtl8139"));
	assert_true(span_is(network_value(l.info, "macaddr"), "52:54:00:00:01:00"));
	assert_null(network_value(l.info, "mac").at);
	assert_true(network_next(&text, &l));
	assert_true(l.peer && span_is(l.name, "h0"));
	assert_true(span_is(network_value(l.info, "ifname"), "vnet0"));
	assert_true(network_next(&text, &l));
	assert_true(!l.peer && span_is(l.name, "virtio-net-pci.1"));
	assert_false(network_next(&text, &l));
}

/* --- the table --------------------------------------------------------------------------------------------------- */

struct judged {
	const char *device;
	struct card_seen seen;
	enum driver_state state;
	enum driver_phase phase;
	const char *evidence; /* begins like this */
};

#define DRIVEN .tree = true, .present = true, .mapped = true, .has_base = true, .bus_master = true

/* Registers as Linux 6.1 left them at each stage (recorded). */
static const struct judged judged[] = {
	{ "rtl8139", { 0 }, DRIVER_NONE, PHASE_UNKNOWN, "QEMU does not tell" },
	{ "rtl8139", { .tree = true }, DRIVER_NONE, PHASE_UNKNOWN, "QEMU has no such card" },
	{ "rtl8139",
	  { .tree = true, .present = true, .mapped = true },
	  DRIVER_NONE,
	  PHASE_UNKNOWN,
	  "bus mastering is off" },
	{ "rtl8139",
	  { .tree = true, .present = true, .bus_master = true },
	  DRIVER_NONE,
	  PHASE_UNKNOWN,
	  "the card is not mapped" },
	{ "rtl8139",
	  { .tree = true, .present = true, .mapped = true, .bus_master = true },
	  DRIVER_INITIALIZING,
	  PHASE_UNKNOWN,
	  "bus mastering is on, the card's registers are not mapped" },
	{ "rtl8139", { DRIVEN }, DRIVER_INITIALIZING, PHASE_UNKNOWN, "bus mastering is on; QEMU" },
	{ "rtl8139",
	  { DRIVEN, .have = 7, .reg = { 0x01 } },
	  DRIVER_INITIALIZING,
	  PHASE_UNKNOWN,
	  "CR 01" },
	{ "rtl8139",
	  { DRIVEN, .have = 7, .reg = { 0x0d, 0x80ff, 0xa40e } },
	  DRIVER_READY,
	  PHASE_OS,
	  "CR 0d, IMR 80ff" },
	{ "rtl8139",
	  { DRIVEN, .have = 7, .reg = { 0x0d, 0, 0xa40f } },
	  DRIVER_READY,
	  PHASE_FIRMWARE,
	  "CR 0d" },
	{ "rtl8139", { DRIVEN, .have = 1, .reg = { 0x0c } }, DRIVER_READY, PHASE_UNKNOWN, "CR 0c" },
	{ "e1000",
	  { DRIVEN, .have = 0x1f, .reg = { 0 } },
	  DRIVER_INITIALIZING,
	  PHASE_UNKNOWN,
	  "the receiver is off" },
	{ "e1000",
	  { DRIVEN, .have = 0x1f, .reg = { 0x8002, 0, 0, 0, 0 } },
	  DRIVER_INITIALIZING,
	  PHASE_UNKNOWN,
	  "no receive ring" },
	{ "e1000",
	  { DRIVEN, .have = 0x1f, .reg = { 0x8002, 0x1000, 0, 0, 0x9d } },
	  DRIVER_INITIALIZING,
	  PHASE_OS,
	  "no receive buffer" },
	{ "e1000",
	  { DRIVEN, .given = true, .have = 0x1f, .reg = { 0x8002, 0x1000, 0, 0xfe, 0x9d } },
	  DRIVER_READY,
	  PHASE_OS,
	  "RCTL 00008002, mask 0000009d" },
	{ "e1000",
	  { DRIVEN, .given = true, .have = 0x1f, .reg = { 0x8002, 256, 0, 8, 0 } },
	  DRIVER_READY,
	  PHASE_FIRMWARE,
	  "RCTL 00008002" },
	{ "e1000e",
	  { DRIVEN, .have = 0x3f, .reg = { 0, 0, 0, 0, 0, 0x10400000 } },
	  DRIVER_INITIALIZING,
	  PHASE_OS,
	  "driver loaded, interface down" },
	{ "e1000e",
	  { DRIVEN, .given = true, .have = 0x3f,
	    .reg = { 0x04008002, 0x1000, 0, 0xf0, 0x01570244, 0x91400000 } },
	  DRIVER_READY,
	  PHASE_OS,
	  "RCTL 04008002, mask 01570244, DRV_LOAD set" },
	{ "igb",
	  { DRIVEN, .given = true, .have = 0x3f,
	    .reg = { 0x04048022, 0x1000, 0, 0xff, 7, 0x10000000 } },
	  DRIVER_READY,
	  PHASE_OS,
	  "RCTL 04048022, mask 00000007" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 0, 0xffff } },
	  DRIVER_NONE,
	  PHASE_UNKNOWN,
	  "device status 0" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 1, 0xffff } },
	  DRIVER_NONE,
	  PHASE_UNKNOWN,
	  "ACKNOWLEDGE only" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 0x0b, 0xffff } },
	  DRIVER_INITIALIZING,
	  PHASE_UNKNOWN,
	  "device status 0x0b, no DRIVER_OK" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 0x8f, 0 } },
	  DRIVER_FAILED,
	  PHASE_OS,
	  "the driver gave up" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 0x4f, 0 } },
	  DRIVER_FAILED,
	  PHASE_OS,
	  "device status 0x4f" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 0x0f, 0 }, .ring_known = true, .avail_known = true },
	  DRIVER_INITIALIZING,
	  PHASE_UNKNOWN,
	  "DRIVER_OK, no receive buffers yet" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 0x0f, 0 }, .given = true },
	  DRIVER_READY,
	  PHASE_OS,
	  "DRIVER_OK, receive buffers given" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 0x0f, 0xffff }, .given = true, .vlan_known = true,
	    .vlan_all = true },
	  DRIVER_READY,
	  PHASE_FIRMWARE,
	  "DRIVER_OK" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 0x0f, 0xffff }, .given = true, .vlan_known = true },
	  DRIVER_READY,
	  PHASE_OS,
	  "DRIVER_OK" },
	{ "virtio-net-pci",
	  { DRIVEN, .have = 3, .reg = { 0x0f, 0 } },
	  DRIVER_READY,
	  PHASE_OS,
	  "DRIVER_OK; whether it gave receive buffers cannot be seen" },
	{ "virtio-net-pci",
	  { DRIVEN, .ring_known = true },
	  DRIVER_NONE,
	  PHASE_UNKNOWN,
	  "the card's registers cannot be reached" },
	{ "virtio-net-pci",
	  { .tree = true, .present = true, .mapped = true, .bus_master = true, .ring_known = true },
	  DRIVER_INITIALIZING,
	  PHASE_UNKNOWN,
	  "bus mastering is on, queue 0 has no ring" },
	{ "virtio-net-pci-transitional",
	  { DRIVEN, .ring_known = true, .ring = 0x1000, .given = true },
	  DRIVER_READY,
	  PHASE_UNKNOWN,
	  "ring of queue 0 set" },
	{ "vfio-pci",
	  { .tree = true, .present = true, .mapped = true },
	  DRIVER_NONE,
	  PHASE_UNKNOWN,
	  "bus mastering is off" },
	{ "vfio-pci",
	  { .tree = true, .present = true, .mapped = true, .bus_master = true },
	  DRIVER_READY,
	  PHASE_UNKNOWN,
	  "bus master is on" },
};

static void each_stage_of_a_driver_has_its_status_phase_and_evidence(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(judged); i++) {
		const struct judged *j = &judged[i];
		const struct watched_card *card = watched_card_find(j->device);
		struct driver_report r = { 0 };

		assert_non_null(card);
		card_judge(card, &j->seen, &r);
		if (r.state != j->state || r.phase != j->phase ||
		    strncmp(r.evidence, j->evidence, strlen(j->evidence)) != 0)
			fail_msg("row %u (%s): %s/%s '%s'", i, j->device,
				 driver_state_names[r.state], driver_phase_names[r.phase],
				 r.evidence);
	}
}

static void cards_that_cannot_be_watched_are_not_in_the_table(void **state)
{
	(void)state;
	assert_null(watched_card_find("usb-net"));
	assert_null(watched_card_find("virtio-net-device"));
	assert_null(watched_card_find(""));
}

/* --- a QEMU that the test plays ------------------------------------------------------------------------------------ */

#define RTL_BASE    0xfde40000u
#define VIRTIO_BASE 0xfe400000u
#define RING	    0x6896000u
#define AVAIL	    0x6897000u

struct qemu {
	int sock;
	struct qmp_client *client;
	struct nic_status w;
	uint64_t now;
	char buffer[65536];
	size_t length;
	/* the guest */
	bool rtl_master, virtio_master, virtio_gone;
	unsigned cr, imr, status, avail;
	uint64_t ring;
	/* what was asked since the test looked */
	unsigned trees, reads, rings, filters, others;
	uint64_t cost_ns; /* of a tree */
	bool silent;	  /* does not answer */
	bool no_memory;
	struct nic_report told[16];
	char nic[16][ID_MAX];
	bool attached[16];
	unsigned tolds;
};

static void say(struct qemu *q, const char *fmt, ...) PRINTF(2, 3);

static void say(struct qemu *q, const char *fmt, ...)
{
	char text[8192];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	assert_int_equal(send(q->sock, text, (size_t)n, 0), n);
}

static void reply_text(struct qemu *q, int64_t id, const char *text)
{
	json_object *o = json_object_new_object();

	json_object_object_add(o, "return", json_object_new_string(text));
	json_object_object_add(o, "id", json_object_new_int64(id));
	say(q, "%s\r\n", json_object_to_json_string(o));
	json_object_put(o);
}

#define CONTAINER                                                                                  \
	"  0000000000000000-ffffffffffffffff (prio 0, i/o): bus master container owner:{dev "      \
	"id=%s}\r\n"
#define MASTER                                                                                     \
	"    0000000000000000-ffffffffffffffff (prio 0, i/o): alias bus master @system "           \
	"0000000000000000-ffffffffffffffff owner:{dev id=%s}\r\n"

static void reply_tree(struct qemu *q, int64_t id)
{
	char text[4096];
	int n = snprintf(text, sizeof(text), "address-space: rtl8139\r\n" CONTAINER, "l");

	if (q->rtl_master)
		n += snprintf(text + n, sizeof(text) - (size_t)n, MASTER, "l");
	if (!q->virtio_gone)
		n += snprintf(text + n, sizeof(text) - (size_t)n, CONTAINER, "p");
	if (q->virtio_master)
		n += snprintf(text + n, sizeof(text) - (size_t)n, MASTER, "p");
	n += snprintf(text + n, sizeof(text) - (size_t)n,
		      "address-space: memory\r\n"
		      "    %016x-%016x (prio 1, i/o): alias rtl8139-mem @rtl8139 0-ff owner:{dev "
		      "id=l}\r\n",
		      RTL_BASE, RTL_BASE + 0xff);
	if (!q->virtio_gone)
		snprintf(text + n, sizeof(text) - (size_t)n,
			 "    %016x-%016x (prio 0, i/o): virtio-pci-common-virtio-net owner:{dev "
			 "id=p}\r\n",
			 VIRTIO_BASE, VIRTIO_BASE + 0xfff);
	q->trees++;
	q->now += q->cost_ns;
	reply_text(q, id, text);
}

static void reply_memory(struct qemu *q, int64_t id, unsigned long long address)
{
	char text[64];
	unsigned value = address == RTL_BASE + 0x37	 ? q->cr
			 : address == RTL_BASE + 0x3c	 ? q->imr
			 : address == RTL_BASE + 0x44	 ? 0xa40e
			 : address == VIRTIO_BASE + 0x14 ? q->status
			 : address == VIRTIO_BASE + 0x10 ? (q->status & 4 ? 0 : 0xffff)
			 : address == AVAIL + 2		 ? q->avail
							 : 0xdead;

	assert_true(value != 0xdead); /* nothing else is ever read */
	q->reads++;
	if (q->no_memory)
		snprintf(text, sizeof(text), " %016llx: Cannot access memory\r\n", address);
	else
		snprintf(text, sizeof(text), "%016llx: 0x%08x\r\n", address, value);
	reply_text(q, id, text);
}

static void answer_human(struct qemu *q, int64_t id, const char *line)
{
	unsigned long long address;
	char size;

	if (strcmp(line, "info mtree -o") == 0)
		reply_tree(q, id);
	else if (sscanf(line, "xp /1%cx 0x%llx", &size, &address) == 2)
		reply_memory(q, id, address);
	else
		fail_msg("asked for %s", line);
}

static void answer(struct qemu *q, json_object *command)
{
	const char *name = json_object_get_string(json_object_object_get(command, "execute"));
	json_object *arguments = json_object_object_get(command, "arguments");
	int64_t id = json_object_get_int64(json_object_object_get(command, "id"));

	if (q->silent)
		return;
	if (strcmp(name, "qmp_capabilities") == 0) {
		say(q, "{\"return\":{},\"id\":%lld}\r\n", (long long)id);
	} else if (strcmp(name, "human-monitor-command") == 0) {
		answer_human(
			q, id,
			json_object_get_string(json_object_object_get(arguments, "command-line")));
	} else if (strcmp(name, "x-query-virtio-queue-status") == 0) {
		assert_string_equal(
			json_object_get_string(json_object_object_get(arguments, "path")),
			"/machine/peripheral/p/virtio-backend");
		q->rings++;
		say(q, "{\"return\":{\"vring-desc\":%llu,\"vring-avail\":%llu},\"id\":%lld}\r\n",
		    (unsigned long long)q->ring, (unsigned long long)(q->ring ? AVAIL : 0),
		    (long long)id);
	} else if (strcmp(name, "query-rx-filter") == 0) {
		q->filters++;
		say(q, "{\"return\":[{\"name\":\"p\",\"vlan\":\"none\"}],\"id\":%lld}\r\n",
		    (long long)id);
	} else {
		q->others++;
	}
}

static void serve(struct qemu *q)
{
	ssize_t n;
	char *end;

	while ((n = recv(q->sock, q->buffer + q->length, sizeof(q->buffer) - q->length - 1,
			 MSG_DONTWAIT)) > 0)
		q->length += (size_t)n;
	q->buffer[q->length] = '\0';
	while ((end = strchr(q->buffer, '\n'))) {
		*end = '\0';
		json_object *o = json_tokener_parse(q->buffer);
		assert_non_null(o);
		answer(q, o);
		json_object_put(o);
		q->length -= (size_t)(end + 1 - q->buffer);
		memmove(q->buffer, end + 1, q->length + 1);
	}
}

static void take_reports(struct qemu *q)
{
	bool attached;

	assert_true(q->tolds < ARRAY_SIZE(q->told));
	while (nic_status_next(&q->w, &q->told[q->tolds], &attached)) {
		str_copy(q->nic[q->tolds], ID_MAX, q->told[q->tolds].nic);
		q->attached[q->tolds] = attached;
		q->tolds++;
		assert_true(q->tolds < ARRAY_SIZE(q->told));
	}
}

/* Everything that happens at one moment: answers, further questions, events. */
static void settle(struct qemu *q)
{
	for (unsigned i = 0; i < 20; i++) {
		struct qmp_item item;
		serve(q);
		qmp_client_read(q->client);
		while (qmp_client_next(q->client, &item)) {
			if (item.kind == QMP_ITEM_READY)
				nic_status_start(&q->w, true, q->now);
			else if (item.kind == QMP_ITEM_EVENT)
				nic_status_event(&q->w, item.name, item.data, q->now);
			else
				assert_true(nic_status_reply(&q->w, q->client, &item, q->now));
		}
	}
	take_reports(q);
}

/* Lets `ms` pass; what is told meanwhile stays in q->told. */
static void pass(struct qemu *q, unsigned ms)
{
	uint64_t end = q->now + ms * NS_PER_MS;

	q->tolds = q->trees = q->reads = q->rings = q->filters = 0;
	settle(q);
	while (nic_status_deadline(&q->w) <= end) {
		q->now = MAX(q->now, nic_status_deadline(&q->w));
		nic_status_run(&q->w, q->client, q->now);
		settle(q);
	}
	q->now = end;
}

static int setup(void **state)
{
	struct qemu *q = calloc(1, sizeof(*q));
	struct qemu_signals signals;
	struct error err;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	q->sock = pair[0];
	q->client = qmp_client_create(pair[1], &err);
	q->now = NS_PER_S;
	qemu_assume_signals(&signals, 7, 2);
	nic_status_init(&q->w, &signals);
	assert_int_equal(nic_status_add(&q->w, "legacy", "l", "rtl8139", ROLE_LEGACY), 0);
	assert_int_equal(
		nic_status_add(&q->w, "performant", "p", "virtio-net-pci", ROLE_PERFORMANT), 1);
	say(q, "{\"QMP\":{}}\r\n");
	*state = q;
	return 0;
}

static int teardown(void **state)
{
	struct qemu *q = *state;

	qmp_client_destroy(q->client);
	close(q->sock);
	free(q);
	return 0;
}

static void expect(const struct qemu *q, unsigned at, const char *nic, enum driver_state s)
{
	assert_true(at < q->tolds);
	assert_string_equal(q->nic[at], nic);
	assert_int_equal(q->told[at].now.state, s);
}

static void without_a_driver_only_the_tree_is_asked_for(void **state)
{
	struct qemu *q = *state;

	pass(q, 3000);
	assert_int_equal(q->tolds, 2);
	expect(q, 0, "legacy", DRIVER_NONE);
	expect(q, 1, "performant", DRIVER_NONE);
	assert_true(q->attached[0] && q->attached[1]);
	assert_true(q->trees > 1);
	assert_int_equal(q->reads + q->rings + q->filters, 0);
	pass(q, 10000);
	assert_int_equal(q->tolds, 0);
	assert_in_range(q->trees, 39, 41); /* four in a second: here they cost nothing */
}

static void load(struct qemu *q)
{
	q->rtl_master = q->virtio_master = true;
	q->cr = 1;
	q->status = 0x0f;
	q->ring = RING;
	pass(q, 300);
}

static void a_driver_that_is_loaded_is_initializing_and_is_ready_with_its_interface_up(void **state)
{
	struct qemu *q = *state;

	pass(q, 1000);
	load(q);
	assert_int_equal(q->tolds, 2);
	expect(q, 0, "legacy", DRIVER_INITIALIZING);
	expect(q, 1, "performant", DRIVER_INITIALIZING);
	q->cr = 0x0d;
	q->imr = 0x80ff;
	pass(q, 60); /* something moved just now: 50 ms */
	assert_int_equal(q->tolds, 1);
	expect(q, 0, "legacy", DRIVER_READY);
	assert_int_equal(q->told[0].now.phase, PHASE_OS);
	q->avail = 256;
	pass(q, 60);
	assert_int_equal(q->tolds, 1);
	expect(q, 0, "performant", DRIVER_READY);
	q->avail = 0; /* the index has wrapped */
	pass(q, 3000);
	assert_int_equal(q->tolds, 0);
}

static void of_a_pair_the_performant_card_gains_first_and_loses_last(void **state)
{
	struct qemu *q = *state;

	pass(q, 5000);
	load(q);
	q->cr = 0x0d;
	q->avail = 1;
	pass(q, 300);
	assert_int_equal(q->tolds, 2);
	expect(q, 0, "performant", DRIVER_READY);
	expect(q, 1, "legacy", DRIVER_READY);
	q->cr = 0;
	q->status = 1;
	pass(q, 300);
	assert_int_equal(q->tolds, 2);
	expect(q, 0, "legacy", DRIVER_INITIALIZING);
	expect(q, 1, "performant", DRIVER_NONE);
}

static void buffers_of_a_driver_that_went_do_not_count_for_the_next(void **state)
{
	struct qemu *q = *state;

	load(q);
	q->avail = 256;
	pass(q, 300);
	assert_int_equal(q->w.nic[1].now.state, DRIVER_READY);
	q->status = 0;
	pass(q, 300);
	assert_int_equal(q->w.nic[1].now.state, DRIVER_NONE);
	q->avail = 0;
	q->status = 0x0f;
	pass(q, 300);
	assert_int_equal(q->w.nic[1].now.state, DRIVER_INITIALIZING);
}

static void a_reset_is_told_at_once_with_its_cause_and_answers_from_before_it_are_dropped(
	void **state)
{
	struct qemu *q = *state;

	load(q);
	q->cr = 0x0d;
	q->avail = 1;
	pass(q, 5000);
	/* a look is under way: asked, and answered from before the reset */
	q->now = nic_status_deadline(&q->w);
	nic_status_run(&q->w, q->client, q->now);
	serve(q);
	q->rtl_master = q->virtio_master = false;
	q->tolds = 0;
	nic_status_event(&q->w, "RESET", NULL, q->now);
	take_reports(q);
	assert_int_equal(q->tolds, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(q->told[i].now.state, DRIVER_NONE);
		assert_true(q->told[i].bus_reset);
		assert_string_equal(q->told[i].now.evidence, "the guest was reset");
	}
	pass(q, 1000);
	for (unsigned i = 0; i < q->tolds; i++) {
		assert_int_equal(q->told[i].now.state, DRIVER_NONE);
		assert_false(q->told[i].bus_reset);
	}
}

static void a_stopped_guest_is_not_looked_at(void **state)
{
	struct qemu *q = *state;

	pass(q, 1000);
	nic_status_set_running(&q->w, false, q->now);
	assert_true(nic_status_deadline(&q->w) == NIC_STATUS_OFF);
	nic_status_set_running(&q->w, true, q->now);
	assert_true(nic_status_deadline(&q->w) == q->now);
}

static void a_qemu_that_does_not_answer_is_not_asked_more(void **state)
{
	struct qemu *q = *state;

	pass(q, 1000);
	q->silent = true;
	pass(q, 60000);
	assert_int_equal(q->w.asking, 1);
	assert_true(nic_status_deadline(&q->w) == NIC_STATUS_OFF);
}

static void looks_follow_each_other_more_slowly_where_they_cost_more(void **state)
{
	struct qemu *q = *state;

	static const struct {
		unsigned cost_us, least, most; /* trees in 10 s */
	} rows[] = { { 0, 38, 41 }, { 800, 18, 21 }, { 1600, 9, 11 }, { 50000, 4, 6 } };

	q->cost_ns = 50 * NS_PER_MS;
	load(q);
	q->cr = 0x0d;
	q->avail = 1;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		q->cost_ns = rows[i].cost_us * 1000ull;
		pass(q, 120000); /* what it cost before is forgotten by and by */
		q->tolds = 0;
		pass(q, 10000);
		if (q->trees < rows[i].least || q->trees > rows[i].most)
			fail_msg("%u us each: %u trees in 10 s", rows[i].cost_us, q->trees);
	}
}

static void a_change_of_the_filter_speeds_up_and_is_asked_about_once(void **state)
{
	struct qemu *q = *state;

	load(q);
	q->avail = 1;
	pass(q, 10000);
	say(q,
	    "{\"event\":\"NIC_RX_FILTER_CHANGED\",\"data\":{\"name\":\"p\",\"path\":\"/x\"}}\r\n");
	say(q, "{\"event\":\"NIC_RX_FILTER_CHANGED\",\"data\":{\"path\":\"/x\"}}\r\n");
	say(q, "{\"event\":\"NIC_RX_FILTER_CHANGED\",\"data\":{\"name\":7}}\r\n");
	pass(q, 1000);
	assert_int_equal(q->filters, 1);
	assert_in_range(q->trees, 15, 21);
}

static void a_card_that_was_unplugged_is_gone_and_comes_back(void **state)
{
	struct qemu *q = *state;

	load(q);
	q->virtio_gone = true;
	q->virtio_master = false;
	pass(q, 2000);
	assert_true(q->tolds >= 1);
	expect(q, q->tolds - 1, "performant", DRIVER_NONE);
	assert_false(q->attached[q->tolds - 1]);
	q->virtio_gone = false;
	pass(q, 2000);
	assert_true(q->attached[q->tolds - 1]);
}

/* It may be back before the next look, with another driver. */
static void a_card_that_qemu_says_is_deleted_is_told_at_once(void **state)
{
	struct qemu *q = *state;
	json_object *data = json_object_new_object();

	load(q);
	json_object_object_add(data, "device", json_object_new_string("other"));
	nic_status_event(&q->w, "DEVICE_DELETED", data, q->now);
	q->tolds = 0;
	take_reports(q);
	assert_int_equal(q->tolds, 0);
	json_object_object_add(data, "device", json_object_new_string("p"));
	nic_status_event(&q->w, "DEVICE_DELETED", data, q->now);
	json_object_put(data);
	take_reports(q);
	assert_int_equal(q->tolds, 1);
	expect(q, 0, "performant", DRIVER_NONE);
	assert_false(q->attached[0]);
	pass(q, 2000); /* it is there again, and so is a driver */
	assert_true(q->tolds >= 1);
	expect(q, q->tolds - 1, "performant", DRIVER_INITIALIZING);
	assert_true(q->attached[q->tolds - 1]);
}

/* While a look is under way, too: what was asked of it is nobody's then. */
static void a_card_that_was_taken_out_is_no_longer_watched(void **state)
{
	struct qemu *q = *state;

	load(q);
	for (unsigned i = 0; i < 3; i++)
		nic_status_run(&q->w, q->client, q->now + i * NS_PER_S);
	nic_status_remove(&q->w, "nobody", q->now);
	assert_int_equal(q->w.nics, 2);
	nic_status_remove(&q->w, "legacy", q->now);
	assert_int_equal(q->w.nics, 1);
	for (unsigned i = 0; i < q->w.asking; i++)
		assert_int_equal(q->w.asked[i].nic, 0);
	q->tolds = 0;
	q->virtio_gone = true;
	q->virtio_master = false;
	pass(q, 2000);
	assert_true(q->tolds >= 1);
	expect(q, q->tolds - 1, "performant", DRIVER_NONE);
	nic_status_remove(&q->w, "performant", q->now);
	assert_int_equal(q->w.nics, 0);
	assert_true(nic_status_deadline(&q->w) == NIC_STATUS_OFF);
}

static void registers_that_cannot_be_read_leave_initializing_and_say_so(void **state)
{
	struct qemu *q = *state;

	q->no_memory = true;
	load(q);
	pass(q, 1000);
	const struct driver_report *r = &q->w.nic[0].now;
	assert_int_equal(r->state, DRIVER_INITIALIZING);
	assert_non_null(strstr(r->evidence, "does not show the card's registers"));
	/* the ring is known, its index not: a driver that works, as far as can be seen */
	r = &q->w.nic[1].now;
	assert_int_equal(r->state, DRIVER_READY);
	assert_non_null(strstr(r->evidence, "cannot be seen"));
}

static void a_ring_that_must_not_be_asked_for_never_is(void **state)
{
	struct qemu *q = *state;

	q->w.nic[1].no_ring = true;
	load(q);
	assert_int_equal(q->rings, 0);
	assert_int_equal(q->w.nic[1].now.state, DRIVER_READY);
	pass(q, 5000);
	assert_int_equal(q->rings, 0);
}

static void names_that_do_not_fit_and_unknown_cards_are_refused(void **state)
{
	(void)state;
	static struct nic_status w;
	struct qemu_signals signals = { 0 };
	char owner[300];

	nic_status_init(&w, &signals);
	memset(owner, 'x', sizeof(owner) - 1);
	owner[sizeof(owner) - 1] = '\0';
	assert_int_equal(nic_status_add(&w, "a", "a", "usb-net", ROLE_SINGLE), -ENOTSUP);
	assert_int_equal(nic_status_add(&w, "a", owner, "e1000", ROLE_SINGLE), -ENAMETOOLONG);
	for (unsigned i = 0; i < WATCHED_MAX; i++)
		assert_int_equal(nic_status_add(&w, "a", "a", "e1000", ROLE_SINGLE), (int)i);
	assert_int_equal(nic_status_add(&w, "a", "a", "e1000", ROLE_SINGLE), -ENOSPC);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_recorded_tree_tells_bus_mastering_and_registers_of_each_card),
		cmocka_unit_test(a_recorded_tree_without_the_alias_is_a_card_without_bus_mastering),
		cmocka_unit_test(lines_of_a_tree_that_are_none_are_passed_over),
		cmocka_unit_test(memory_is_read_as_both_versions_print_it),
		cmocka_unit_test(memory_that_cannot_be_read_gives_no_value),
		cmocka_unit_test(info_network_names_cards_and_what_they_hang_on),
		cmocka_unit_test(each_stage_of_a_driver_has_its_status_phase_and_evidence),
		cmocka_unit_test(cards_that_cannot_be_watched_are_not_in_the_table),
		cmocka_unit_test_setup_teardown(without_a_driver_only_the_tree_is_asked_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_driver_that_is_loaded_is_initializing_and_is_ready_with_its_interface_up,
			setup, teardown),
		cmocka_unit_test_setup_teardown(
			of_a_pair_the_performant_card_gains_first_and_loses_last, setup, teardown),
		cmocka_unit_test_setup_teardown(
			buffers_of_a_driver_that_went_do_not_count_for_the_next, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_reset_is_told_at_once_with_its_cause_and_answers_from_before_it_are_dropped,
			setup, teardown),
		cmocka_unit_test_setup_teardown(a_stopped_guest_is_not_looked_at, setup, teardown),
		cmocka_unit_test_setup_teardown(a_qemu_that_does_not_answer_is_not_asked_more,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			looks_follow_each_other_more_slowly_where_they_cost_more, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_change_of_the_filter_speeds_up_and_is_asked_about_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_card_that_was_unplugged_is_gone_and_comes_back,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_card_that_was_taken_out_is_no_longer_watched,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_card_that_qemu_says_is_deleted_is_told_at_once,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			registers_that_cannot_be_read_leave_initializing_and_say_so, setup,
			teardown),
		cmocka_unit_test_setup_teardown(a_ring_that_must_not_be_asked_for_never_is, setup,
						teardown),
		cmocka_unit_test(names_that_do_not_fit_and_unknown_cards_are_refused),
	};

	recorded = argc > 1 ? argv[1] : "recorded";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
