#include "host/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "host/netlink_talk.h"

#define ANSWER_ROOM  131072 /* a card with 256 virtual functions says much at once */
#define NEWS_AT_ONCE 64u
#define NEWS_BUFFER  (1 << 20)

/* --- what the kernel says of a link ------------------------------------------------------------------------------ */

static void copy_text(char *to, size_t size, const struct nlattr *a)
{
	size_t length = strnlen(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));

	length = MIN(length, size - 1);
	memcpy(to, mnl_attr_get_payload(a), length);
	to[length] = '\0';
}

static uint32_t number_of(const struct nlattr *a)
{
	return mnl_attr_get_payload_len(a) >= sizeof(uint32_t) ? mnl_attr_get_u32(a) : 0;
}

static void read_tun(const struct nlattr *a, struct link *l)
{
	size_t length = mnl_attr_get_payload_len(a);

	switch (mnl_attr_get_type(a)) {
	case IFLA_TUN_TYPE:
		l->tun_type = length >= 1 ? mnl_attr_get_u8(a) : 0;
		break;
	case IFLA_TUN_MULTI_QUEUE:
		l->tun_multi = length >= 1 && mnl_attr_get_u8(a);
		break;
	case IFLA_TUN_OWNER:
		l->tun_owned = length >= sizeof(uint32_t);
		l->tun_owner = number_of(a);
		break;
	default:
		break;
	}
}

static int read_kind_data(const struct nlattr *a, void *context)
{
	struct link *l = context;

	if (mnl_attr_get_type(a) == IFLA_MACVLAN_MODE && strncmp(l->kind, "macv", 4) == 0)
		l->mode = number_of(a);
	if (mnl_attr_get_type(a) == IFLA_BR_VLAN_FILTERING && strcmp(l->kind, "bridge") == 0)
		l->filters_vlans = mnl_attr_get_payload_len(a) >= 1 && mnl_attr_get_u8(a);
	if (strcmp(l->kind, "tun") == 0)
		read_tun(a, l);
	return MNL_CB_OK;
}

/* The kernel names the kind before it tells the kind's own data. */
static int read_kind(const struct nlattr *a, void *context)
{
	struct link *l = context;

	switch (mnl_attr_get_type(a)) {
	case IFLA_INFO_KIND:
		copy_text(l->kind, sizeof(l->kind), a);
		break;
	case IFLA_INFO_SLAVE_KIND:
		copy_text(l->port_kind, sizeof(l->port_kind), a);
		break;
	case IFLA_INFO_DATA:
		mnl_attr_parse_nested(a, read_kind_data, l);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

struct reading {
	struct link *link;
	bool parent_elsewhere;
};

static int read_attribute(const struct nlattr *a, void *context)
{
	struct reading *r = context;
	struct link *l = r->link;

	switch (mnl_attr_get_type(a)) {
	case IFLA_IFNAME:
		copy_text(l->name, sizeof(l->name), a);
		break;
	case IFLA_IFALIAS:
		copy_text(l->alias, sizeof(l->alias), a);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(a) == MAC_LEN)
			memcpy(l->mac, mnl_attr_get_payload(a), MAC_LEN);
		break;
	case IFLA_MTU:
		l->mtu = number_of(a);
		break;
	case IFLA_CARRIER:
		l->plugged = mnl_attr_get_payload_len(a) >= 1 && mnl_attr_get_u8(a);
		break;
	case IFLA_MASTER:
		l->master = number_of(a);
		break;
	case IFLA_LINK:
		l->parent = number_of(a);
		break;
	case IFLA_LINK_NETNSID:
		r->parent_elsewhere = true;
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(a, read_kind, l);
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static bool read_link(const struct nlmsghdr *h, struct link *l)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
	struct reading reading = { .link = l };

	*l = (struct link){ 0 };
	if (mnl_nlmsg_get_payload_len(h) < sizeof(*info))
		return false;
	l->index = (unsigned)info->ifi_index;
	l->type = info->ifi_type;
	l->up = info->ifi_flags & IFF_UP;
	l->carrier = info->ifi_flags & IFF_LOWER_UP;
	mnl_attr_parse(h, sizeof(*info), read_attribute, &reading);
	if (reading.parent_elsewhere) /* a number of another namespace means nothing here */
		l->parent = 0;
	return true;
}

/* --- asking ------------------------------------------------------------------------------------------------------ */

int netlink_open(struct netlink *nl, struct error *err)
{
	int on = 1;

	*nl = (struct netlink){ .sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC) };
	if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0) {
		int code = -errno;

		netlink_close(nl);
		return error_set(err, code, "the kernel cannot be asked about its links: %s",
				 strerror(-code));
	}
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
	(void)mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	return 0;
}

void netlink_close(struct netlink *nl)
{
	if (nl->sock)
		mnl_socket_close(nl->sock);
	nl->sock = NULL;
}

/* What comes back, one message after the other. */
struct answer {
	link_filter *wanted;
	const void *context;
	struct link *out;
	unsigned max, count;
	unsigned vf; /* with `settings`: the virtual function that they are of */
	struct vf_settings *settings;
	bool has_vf;
};

/* --- virtual functions --- */

const char *const vf_setting_names[] = { [VF_MAC] = "mac",
					 [VF_VLAN] = "vlan",
					 [VF_SPOOFCHK] = "spoofchk",
					 [VF_TRUST] = "trust",
					 [VF_LINK_STATE] = "link state" };
NAMES_MATCH(vf_setting_names, VF_SETTING_COUNT);

struct vf_reading {
	struct vf_settings settings;
	uint32_t vf;
	bool known; /* which one it is */
};

/* Each of the kernel's structs begins with the function's number. False: too short to be one. */
static bool vf_payload(const struct nlattr *a, void *to, size_t size, struct vf_reading *r)
{
	if (mnl_attr_get_payload_len(a) < size)
		return false;
	memcpy(to, mnl_attr_get_payload(a), size);
	memcpy(&r->vf, to, sizeof(r->vf));
	r->known = true;
	return true;
}

/* What a driver does not know it says as all ones. */
static int on_or_off(uint32_t setting)
{
	return setting > 1 ? -1 : (int)setting;
}

static int read_vf_attribute(const struct nlattr *a, void *context)
{
	struct vf_reading *r = context;
	struct ifla_vf_link_state link_state;
	struct ifla_vf_spoofchk spoofchk;
	struct ifla_vf_trust trust;
	struct ifla_vf_vlan vlan;
	struct ifla_vf_mac mac;

	switch (mnl_attr_get_type(a)) {
	case IFLA_VF_MAC:
		if (vf_payload(a, &mac, sizeof(mac), r))
			memcpy(r->settings.mac, mac.mac, MAC_LEN);
		break;
	case IFLA_VF_VLAN:
		if (vf_payload(a, &vlan, sizeof(vlan), r)) {
			r->settings.vlan = (int)(vlan.vlan & 0xfff);
			r->settings.qos = (int)(vlan.qos & 7);
		}
		break;
	case IFLA_VF_SPOOFCHK:
		if (vf_payload(a, &spoofchk, sizeof(spoofchk), r))
			r->settings.spoofchk = on_or_off(spoofchk.setting);
		break;
	case IFLA_VF_TRUST:
		if (vf_payload(a, &trust, sizeof(trust), r))
			r->settings.trust = on_or_off(trust.setting);
		break;
	case IFLA_VF_LINK_STATE:
		if (vf_payload(a, &link_state, sizeof(link_state), r) &&
		    link_state.link_state <= IFLA_VF_LINK_STATE_DISABLE)
			r->settings.link_state = (int)link_state.link_state;
		break;
	default:
		break;
	}
	return MNL_CB_OK;
}

static const struct vf_settings nothing_known = {
	.vlan = -1, .qos = -1, .spoofchk = -1, .trust = -1, .link_state = -1
};

static int read_vf(const struct nlattr *a, void *context)
{
	struct vf_reading r = { .settings = nothing_known };
	struct answer *answer = context;

	if (mnl_attr_get_type(a) != IFLA_VF_INFO)
		return MNL_CB_OK;
	mnl_attr_parse_nested(a, read_vf_attribute, &r);
	if (r.known && r.vf == answer->vf) {
		*answer->settings = r.settings;
		answer->has_vf = true;
	}
	return MNL_CB_OK;
}

static int read_vf_list(const struct nlattr *a, void *context)
{
	if (mnl_attr_get_type(a) == IFLA_VFINFO_LIST)
		mnl_attr_parse_nested(a, read_vf, context);
	return MNL_CB_OK;
}

static void take_answer(struct answer *answer, const struct nlmsghdr *h)
{
	struct link l;

	if (h->nlmsg_type != RTM_NEWLINK || !read_link(h, &l))
		return;
	if (answer->settings)
		mnl_attr_parse(h, sizeof(struct ifinfomsg), read_vf_list, answer);
	if (answer->wanted && !answer->wanted(&l, answer->context))
		return;
	if (answer->count < answer->max)
		answer->out[answer->count] = l;
	answer->count++;
}

static int read_words(const struct nlattr *a, void *context)
{
	struct netlink *nl = context;

	if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG)
		copy_text(nl->said, sizeof(nl->said), a);
	return MNL_CB_OK;
}

/* The kernel's words stand behind a copy of the request, or of its header alone. */
static int read_error(struct netlink *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

	if (mnl_nlmsg_get_payload_len(h) < sizeof(*e))
		return -EPROTO;
	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS) || !e->error)
		return e->error;
	size_t offset = sizeof(*e);
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		offset += mnl_nlmsg_get_payload_len(&e->msg);
	if (offset < mnl_nlmsg_get_payload_len(h))
		mnl_attr_parse(h, (unsigned)offset, read_words, nl);
	return e->error;
}

/* The library compares a length as a signed number. */
static bool is_whole(const struct nlmsghdr *h, int left)
{
	return mnl_nlmsg_ok(h, left) && h->nlmsg_len <= (unsigned)left;
}

/* What came in one piece. 1 = the answer is complete, 0 = more is to come, or the error that it carries. */
static int take_piece(struct netlink *nl, const void *data, int left, struct answer *answer)
{
	for (const struct nlmsghdr *h = data; is_whole(h, left); h = mnl_nlmsg_next(h, &left)) {
		if (h->nlmsg_seq != nl->seq)
			continue;
		if (h->nlmsg_type == NLMSG_ERROR) {
			int rc = read_error(nl, h);
			return rc < 0 ? rc : 1;
		}
		if (h->nlmsg_type == NLMSG_DONE)
			return 1;
		if (answer)
			take_answer(answer, h);
	}
	return 0;
}

static int ask(struct netlink *nl, struct nlmsghdr *request, struct answer *answer)
{
	char room[ANSWER_ROOM];

	nl->said[0] = '\0';
	request->nlmsg_seq = ++nl->seq;
	if (mnl_socket_sendto(nl->sock, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t got = mnl_socket_recvfrom(nl->sock, room, sizeof(room));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EPIPE;
		int rc = take_piece(nl, room, (int)got, answer);
		if (rc != 0)
			return MIN(rc, 0);
	}
}

int netlink_ask(struct netlink *nl, struct nlmsghdr *request)
{
	return ask(nl, request, NULL);
}

static struct nlmsghdr *begin(char room[REQUEST_ROOM], uint16_t type, unsigned flags,
			      unsigned index)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(h, sizeof(*info));

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)index;
	return h;
}

static int look_up(struct netlink *nl, struct nlmsghdr *h, struct link *out)
{
	struct answer answer = { .out = out, .max = 1 };

	*out = (struct link){ 0 };
	int rc = ask(nl, h, &answer);
	if (rc == 0 && answer.count == 0)
		return -ENODEV;
	return rc;
}

int netlink_find(struct netlink *nl, const char *name, struct link *out)
{
	char room[REQUEST_ROOM];

	*out = (struct link){ 0 };
	if (!name[0] || strlen(name) >= IFNAMSIZ)
		return -ENODEV;
	struct nlmsghdr *h = begin(room, RTM_GETLINK, NLM_F_ACK, 0);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	int rc = look_up(nl, h, out);
	return rc == -EINVAL ? -ENODEV : rc;
}

int netlink_get(struct netlink *nl, unsigned index, struct link *out)
{
	char room[REQUEST_ROOM];

	*out = (struct link){ 0 };
	if (!index || index > INT32_MAX)
		return -ENODEV;
	return look_up(nl, begin(room, RTM_GETLINK, NLM_F_ACK, index), out);
}

int netlink_list(struct netlink *nl, link_filter *wanted, const void *context, struct link *out,
		 unsigned max)
{
	struct answer answer = { .wanted = wanted, .context = context, .out = out, .max = max };
	char room[REQUEST_ROOM];

	int rc = ask(nl, begin(room, RTM_GETLINK, NLM_F_DUMP, 0), &answer);
	return rc < 0 ? rc : (int)answer.count;
}

/* --- making and changing ----------------------------------------------------------------------------------------- */

int netlink_make_macvtap(struct netlink *nl, const char *name, unsigned parent, unsigned mode,
			 const uint8_t *mac)
{
	char room[REQUEST_ROOM];
	struct nlmsghdr *h = begin(room, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0);

	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_LINK, parent);
	if (mac)
		mnl_attr_put(h, IFLA_ADDRESS, MAC_LEN, mac);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "macvtap");
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u32(h, IFLA_MACVLAN_MODE, mode);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return ask(nl, h, NULL);
}

int netlink_get_vf(struct netlink *nl, unsigned device, unsigned vf, struct vf_settings *out)
{
	struct answer answer = { .vf = vf, .settings = out };
	char room[REQUEST_ROOM];

	*out = nothing_known;
	if (!device || device > INT32_MAX)
		return -ENODEV;
	struct nlmsghdr *h = begin(room, RTM_GETLINK, NLM_F_ACK, device);
	mnl_attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_VF | RTEXT_FILTER_SKIP_STATS);
	int rc = ask(nl, h, &answer);
	if (rc == 0 && !answer.count)
		return -ENODEV;
	return rc == 0 && !answer.has_vf ? -ENOENT : rc;
}

static void put_vf_setting(struct nlmsghdr *h, unsigned vf, enum vf_setting which,
			   const struct vf_settings *to)
{
	struct ifla_vf_link_state link_state = { vf, (uint32_t)to->link_state };
	struct ifla_vf_spoofchk spoofchk = { vf, (uint32_t)to->spoofchk };
	struct ifla_vf_trust trust = { vf, (uint32_t)to->trust };
	struct ifla_vf_vlan vlan = { vf, (uint32_t)to->vlan, (uint32_t)MAX(to->qos, 0) };
	struct ifla_vf_mac mac = { .vf = vf };

	memcpy(mac.mac, to->mac, MAC_LEN);
	switch (which) {
	case VF_MAC:
		mnl_attr_put(h, IFLA_VF_MAC, sizeof(mac), &mac);
		break;
	case VF_VLAN:
		mnl_attr_put(h, IFLA_VF_VLAN, sizeof(vlan), &vlan);
		break;
	case VF_SPOOFCHK:
		mnl_attr_put(h, IFLA_VF_SPOOFCHK, sizeof(spoofchk), &spoofchk);
		break;
	case VF_TRUST:
		mnl_attr_put(h, IFLA_VF_TRUST, sizeof(trust), &trust);
		break;
	case VF_LINK_STATE:
		mnl_attr_put(h, IFLA_VF_LINK_STATE, sizeof(link_state), &link_state);
		break;
	case VF_SETTING_COUNT:
		break;
	}
}

int netlink_set_vf(struct netlink *nl, unsigned device, unsigned vf, enum vf_setting which,
		   const struct vf_settings *to)
{
	char room[REQUEST_ROOM];
	struct nlmsghdr *h = begin(room, RTM_SETLINK, NLM_F_ACK, device);

	if (!device || device > INT32_MAX)
		return -ENODEV;
	struct nlattr *list = mnl_attr_nest_start(h, IFLA_VFINFO_LIST);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_VF_INFO);
	put_vf_setting(h, vf, which, to);
	mnl_attr_nest_end(h, info);
	mnl_attr_nest_end(h, list);
	return ask(nl, h, NULL);
}

int netlink_read_answer(struct netlink *nl, const void *data, size_t size, struct link *link,
			unsigned vf, struct vf_settings *settings)
{
	struct answer answer = { .out = link, .max = link ? 1 : 0, .vf = vf, .settings = settings };

	return take_piece(nl, data, (int)MIN(size, (size_t)ANSWER_ROOM), &answer);
}

static void put_quiet(struct nlmsghdr *h)
{
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *inet6 = mnl_attr_nest_start(h, AF_INET6);

	mnl_attr_put_u8(h, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	mnl_attr_nest_end(h, inet6);
	mnl_attr_nest_end(h, spec);
}

int netlink_change(struct netlink *nl, unsigned index, const struct link_change *c)
{
	char room[REQUEST_ROOM];
	struct nlmsghdr *h = begin(room, RTM_SETLINK, NLM_F_ACK, index);
	struct ifinfomsg *info = mnl_nlmsg_get_payload(h);

	if (c->up || c->down)
		info->ifi_change = IFF_UP;
	if (c->all_multicast)
		info->ifi_change |= IFF_ALLMULTI;
	info->ifi_flags = (c->up ? IFF_UP : 0u) | (c->all_multicast ? IFF_ALLMULTI : 0u);
	if (c->mac)
		mnl_attr_put(h, IFLA_ADDRESS, MAC_LEN, c->mac);
	if (c->alias)
		mnl_attr_put_strz(h, IFLA_IFALIAS, c->alias);
	if (c->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, c->mtu);
	if (c->master)
		mnl_attr_put_u32(h, IFLA_MASTER, c->master);
	if (c->quiet)
		put_quiet(h);
	return ask(nl, h, NULL);
}

int netlink_delete(struct netlink *nl, unsigned index)
{
	char room[REQUEST_ROOM];

	if (!index) /* the kernel would take it for every link of group 0 */
		return -ENODEV;
	return ask(nl, begin(room, RTM_DELLINK, NLM_F_ACK, index), NULL);
}

void host_link_alias(char *to, size_t size, const char *guest, const char *port)
{
	(void)snprintf(to, size, "anynic %s/%s", guest, port);
}

/* --- news ------------------------------------------------------------------------------------------------------- */

int link_news_open(struct link_news *news, struct error *err)
{
	int group = RTNLGRP_LINK, size = NEWS_BUFFER;

	*news = (struct link_news){ .sock = mnl_socket_open2(NETLINK_ROUTE,
							     SOCK_CLOEXEC | SOCK_NONBLOCK) };
	if (!news->sock || mnl_socket_bind(news->sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(news->sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0) {
		int code = -errno;

		link_news_close(news);
		return error_set(err, code, "changes of network links cannot be watched: %s",
				 strerror(-code));
	}
	(void)setsockopt(link_news_fd(news), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

void link_news_close(struct link_news *news)
{
	if (news->sock)
		mnl_socket_close(news->sock);
	news->sock = NULL;
}

int link_news_fd(const struct link_news *news)
{
	return news->sock ? mnl_socket_get_fd(news->sock) : -1;
}

static void tell_news(char *room, int left, link_seen *seen, void *context)
{
	struct link l;

	for (struct nlmsghdr *h = (void *)room; is_whole(h, left); h = mnl_nlmsg_next(h, &left)) {
		bool gone = h->nlmsg_type == RTM_DELLINK;
		const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);

		/* a bridge tells of its ports too, as links of its own family: one that leaves it is not deleted */
		if ((!gone && h->nlmsg_type != RTM_NEWLINK) || !read_link(h, &l))
			continue;
		seen(&l, gone && info->ifi_family == AF_UNSPEC, context);
	}
}

int link_news_read(struct link_news *news, link_seen *seen, void *context)
{
	char room[ANSWER_ROOM];

	for (unsigned n = 0; n < NEWS_AT_ONCE; n++) {
		ssize_t got = mnl_socket_recvfrom(news->sock, room, sizeof(room));

		if (got < 0 && errno == ENOBUFS)
			return -ENOBUFS;
		if (got <= 0)
			return 0;
		tell_news(room, (int)got, seen, context);
	}
	return 0;
}
