/* The numbers are those of the tc commands that libvirt runs (virnetdevbandwidth.c): rates in kilobytes of 1000 bytes, bursts in those of
 * 1024. Its filter of marked packets is left out: it leads to a class that there is not, and so to the default, where all goes. */
#include "host/bandwidth.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/netlink_talk.h"

#define ROOT_HANDLE  0x10000u /* 1: */
#define CLASS_HANDLE 0x10001u /* 1:1 */
#define SHARE_HANDLE 0x20000u /* 2: */
#define INGRESS	     0xffff0000u
#define CLASS_MINOR  1u
#define FLOW	     1u /* ":1", which nothing on an ingress has use for */

#define FRAME_USUAL	1500u
#define FRAME_OF_CLASS	1600u /* tc's, for the burst of a class without one */
#define FRAME_OF_POLICE 65536u
#define CELL_OF_CLASS                                                                              \
	3 /* so many bits of a frame's size are not looked at: 256 cells up to the frame's */
#define CELL_OF_POLICE 9
#define CELLS	       256u
#define PERTURB_S      10

#define TICK_NS 64u /* PSCHED_SHIFT of the kernel is 6 */

bool bandwidth_is_set(const struct port_limits *limits)
{
	return limits->in.average || limits->out.average;
}

/* --- numbers ----------------------------------------------------------------------------------------------------- */

static uint64_t bytes_per_s(uint32_t kilobytes)
{
	return kilobytes * 1000ull;
}

static uint32_t at_most_32(uint64_t number)
{
	return (uint32_t)MIN(number, (uint64_t)UINT32_MAX);
}

static uint32_t burst_bytes(uint32_t kibibytes)
{
	return at_most_32(kibibytes * 1024ull);
}

/* How long `size` bytes take, in the kernel's ticks, rounded up. `rate` is not 0. */
static uint32_t ticks(uint64_t rate, uint32_t size)
{
	return at_most_32((size * (NS_PER_S / TICK_NS) + rate - 1) / rate);
}

/* Where a rate does not fit, it stands in an attribute of its own. */
static struct tc_ratespec rate_of(uint64_t rate, uint8_t cell)
{
	return (struct tc_ratespec){ .cell_log = cell,
				     .linklayer = TC_LINKLAYER_ETHERNET,
				     .cell_align = -1,
				     .rate = at_most_32(rate) };
}

static void put_large_rate(struct nlmsghdr *h, uint16_t type, uint64_t rate)
{
	if (rate > UINT32_MAX)
		mnl_attr_put_u64(h, type, rate);
}

/* libvirt's: so many bytes are sent before another class has its turn. */
static uint32_t quantum_of(const struct bandwidth_limit *l)
{
	return MAX(1u, (uint32_t)(l->average * 1024ull / 8 / FRAME_USUAL));
}

/* --- messages ---------------------------------------------------------------------------------------------------- */

static struct nlmsghdr *begin(char room[BANDWIDTH_ROOM], uint16_t type, unsigned index,
			      uint32_t handle, uint32_t parent)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct tcmsg *t = mnl_nlmsg_put_extra_header(h, sizeof(*t));
	bool makes = type == RTM_NEWQDISC || type == RTM_NEWTCLASS || type == RTM_NEWTFILTER;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (makes)
		h->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	t->tcm_family = AF_UNSPEC;
	t->tcm_ifindex = (int)index;
	t->tcm_handle = handle;
	t->tcm_parent = parent;
	return h;
}

static void put_shape(struct nlmsghdr *h)
{
	const struct tc_htb_glob htb = { .version = TC_HTB_PROTOVER,
					 .rate2quantum = 10,
					 .defcls = CLASS_MINOR };
	struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);

	mnl_attr_put(h, TCA_HTB_INIT, sizeof(htb), &htb);
	mnl_attr_nest_end(h, options);
}

static void put_class(struct nlmsghdr *h, const struct bandwidth_limit *l)
{
	uint64_t rate = bytes_per_s(l->average);
	uint64_t ceil = l->peak ? bytes_per_s(l->peak) : rate;
	uint32_t burst =
		l->burst ? burst_bytes(l->burst) : at_most_32(rate / NS_PER_S + FRAME_OF_CLASS);
	const struct tc_htb_opt class = {
		.rate = rate_of(rate, CELL_OF_CLASS),
		.ceil = rate_of(ceil, CELL_OF_CLASS),
		.buffer = ticks(rate, burst),
		.cbuffer = ticks(ceil, at_most_32(ceil / NS_PER_S + FRAME_OF_CLASS)),
		.quantum = quantum_of(l),
	};
	struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);

	put_large_rate(h, TCA_HTB_RATE64, rate);
	put_large_rate(h, TCA_HTB_CEIL64, ceil);
	mnl_attr_put(h, TCA_HTB_PARMS, sizeof(class), &class);
	mnl_attr_nest_end(h, options);
}

static void put_share(struct nlmsghdr *h)
{
	const struct tc_sfq_qopt sfq = { .perturb_period = PERTURB_S };

	mnl_attr_put(h, TCA_OPTIONS, sizeof(sfq), &sfq);
}

/* Kernels since 3.8 do not look into the table, but want it. */
static void put_table(struct nlmsghdr *h, uint64_t rate)
{
	uint32_t table[CELLS];

	for (uint32_t i = 0; i < CELLS; i++)
		table[i] = ticks(rate, (i + 1) << CELL_OF_POLICE);
	mnl_attr_put(h, TCA_POLICE_RATE, sizeof(table), table);
}

static void put_action(struct nlmsghdr *h, const struct bandwidth_limit *l)
{
	uint64_t rate = bytes_per_s(l->average);
	const struct tc_police police = {
		.action = TC_POLICE_SHOT,
		.burst = ticks(rate, burst_bytes(l->burst ? l->burst : l->average)),
		.mtu = FRAME_OF_POLICE,
		.rate = rate_of(rate, CELL_OF_POLICE),
	};
	struct nlattr *action = mnl_attr_nest_start(h, TCA_U32_POLICE);

	mnl_attr_put(h, TCA_POLICE_TBF, sizeof(police), &police);
	put_table(h, rate);
	put_large_rate(h, TCA_POLICE_RATE64, rate);
	mnl_attr_nest_end(h, action);
}

/* Every frame: a key that compares no bit. */
static void put_police(struct nlmsghdr *h, const struct bandwidth_limit *l)
{
	const struct tc_u32_sel sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 };
	uint8_t all[sizeof(sel) + sizeof(struct tc_u32_key)] = { 0 };
	struct tcmsg *t = mnl_nlmsg_get_payload(h);

	memcpy(all, &sel, sizeof(sel));
	t->tcm_info = TC_H_MAKE(0, htons(ETH_P_ALL));
	struct nlattr *options = mnl_attr_nest_start(h, TCA_OPTIONS);
	mnl_attr_put_u32(h, TCA_U32_CLASSID, FLOW);
	put_action(h, l);
	mnl_attr_put(h, TCA_U32_SEL, sizeof(all), all);
	mnl_attr_nest_end(h, options);
}

struct nlmsghdr *bandwidth_message(char room[BANDWIDTH_ROOM], enum bandwidth_step step,
				   unsigned index, const struct bandwidth_limit *limit)
{
	static const struct {
		uint16_t type;
		uint32_t handle, parent;
		const char *kind;
	} rows[] = {
		[BANDWIDTH_DROP_ROOT] = { RTM_DELQDISC, 0, TC_H_ROOT, NULL },
		[BANDWIDTH_DROP_HTB] = { RTM_DELQDISC, ROOT_HANDLE, TC_H_ROOT, "htb" },
		[BANDWIDTH_DROP_INGRESS] = { RTM_DELQDISC, INGRESS, TC_H_INGRESS, "ingress" },
		[BANDWIDTH_SHAPE] = { RTM_NEWQDISC, ROOT_HANDLE, TC_H_ROOT, "htb" },
		[BANDWIDTH_CLASS] = { RTM_NEWTCLASS, CLASS_HANDLE, ROOT_HANDLE, "htb" },
		[BANDWIDTH_SHARE] = { RTM_NEWQDISC, SHARE_HANDLE, CLASS_HANDLE, "sfq" },
		[BANDWIDTH_INGRESS] = { RTM_NEWQDISC, INGRESS, TC_H_INGRESS, "ingress" },
		[BANDWIDTH_POLICE] = { RTM_NEWTFILTER, 0, INGRESS, "u32" },
	};
	NAMES_MATCH(rows, BANDWIDTH_STEP_COUNT);
	struct nlmsghdr *h =
		begin(room, rows[step].type, index, rows[step].handle, rows[step].parent);

	if (rows[step].kind)
		mnl_attr_put_strz(h, TCA_KIND, rows[step].kind);
	if (step == BANDWIDTH_SHAPE)
		put_shape(h);
	else if (step == BANDWIDTH_CLASS)
		put_class(h, limit);
	else if (step == BANDWIDTH_SHARE)
		put_share(h);
	else if (step == BANDWIDTH_POLICE)
		put_police(h, limit);
	return h;
}

/* --- doing it ---------------------------------------------------------------------------------------------------- */

static int do_step(struct netlink *nl, enum bandwidth_step step, unsigned index,
		   const struct bandwidth_limit *limit)
{
	char room[BANDWIDTH_ROOM];

	return netlink_ask(nl, bandwidth_message(room, step, index, limit));
}

static int step_error(const struct netlink *nl, enum bandwidth_step step, int code,
		      struct error *err)
{
	static const char *const modules[BANDWIDTH_STEP_COUNT] = {
		[BANDWIDTH_SHAPE] = "sch_htb",
		[BANDWIDTH_CLASS] = "sch_htb",
		[BANDWIDTH_INGRESS] = "sch_ingress",
		[BANDWIDTH_POLICE] = "cls_u32 or act_police",
	};

	if (code == -EPERM || code == -EACCES)
		return error_set(err, code, BANDWIDTH_NEEDS_ROOT);
	return error_set(err, code == -ENOENT ? -ENOTSUP : code,
			 "its limits (<bandwidth>) cannot be set: %s%s%s%s%s%s", strerror(-code),
			 nl->said[0] ? ": " : "", nl->said,
			 code == -ENOENT ? "; next: a kernel with " : "",
			 code == -ENOENT ? modules[step] : "",
			 code == -ENOENT ? " (modprobe), or remove <bandwidth>" : "");
}

/* A clsact, which is of another kind and in the same place, is left to whoever put it there. */
static int taken_error(unsigned index, struct error *err)
{
	char name[IF_NAMESIZE] = "";

	return error_set(err, -EEXIST,
			 "its limits (<outbound>) cannot be set: %s has a clsact of somebody's; "
			 "next: tc qdisc del dev %s clsact, or remove <outbound>",
			 if_indextoname(index, name) ? name : "it", name);
}

/* Without SFQ the limit is the same; one stream may have most of it. */
static int shape(struct netlink *nl, unsigned index, const struct bandwidth_limit *limit,
		 struct error *err)
{
	static const enum bandwidth_step steps[] = { BANDWIDTH_SHAPE, BANDWIDTH_CLASS };

	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		int rc = do_step(nl, steps[i], index, limit);

		if (rc < 0)
			return step_error(nl, steps[i], rc, err);
	}
	int rc = do_step(nl, BANDWIDTH_SHARE, index, limit);
	if (rc < 0)
		log_info("streams within a limit share it as they can: this kernel has no sch_sfq "
			 "(%s)",
			 strerror(-rc));
	return 0;
}

static int police(struct netlink *nl, unsigned index, const struct bandwidth_limit *limit,
		  struct error *err)
{
	static const enum bandwidth_step steps[] = { BANDWIDTH_INGRESS, BANDWIDTH_POLICE };

	for (unsigned i = 0; i < ARRAY_SIZE(steps); i++) {
		int rc = do_step(nl, steps[i], index, limit);

		if (rc == -EEXIST && steps[i] == BANDWIDTH_INGRESS)
			return taken_error(index, err);
		if (rc < 0)
			return step_error(nl, steps[i], rc, err);
	}
	return 0;
}

int bandwidth_set(struct netlink *nl, unsigned index, const struct port_limits *limits,
		  enum bandwidth_view view, struct error *err)
{
	const struct bandwidth_limit *sends = &limits->in, *receives = &limits->out;
	int rc = 0;

	if (!bandwidth_is_set(limits))
		return 0;
	if (view == BANDWIDTH_OF_MACVTAP) {
		sends = &limits->out;
		receives = &limits->in;
	}
	/* of a new interface there is nothing to drop, and of one without rights the next step says it */
	if (sends->average) {
		(void)do_step(nl, BANDWIDTH_DROP_ROOT, index, NULL);
		rc = shape(nl, index, sends, err);
	}
	if (rc == 0 && receives->average) {
		(void)do_step(nl, BANDWIDTH_DROP_INGRESS, index, NULL);
		rc = police(nl, index, receives, err);
	}
	return rc;
}

bool bandwidth_clear(struct netlink *nl, unsigned index, bool sends, bool receives)
{
	bool shaped = sends && do_step(nl, BANDWIDTH_DROP_HTB, index, NULL) == 0;
	bool policed = receives && do_step(nl, BANDWIDTH_DROP_INGRESS, index, NULL) == 0;

	return shaped || policed;
}
