#include "host/helper_protocol.h"

#include <errno.h>
#include <string.h>

const char *const helper_ask_names[] = {
	[HELPER_TAP] = "tap",
	[HELPER_BRIDGE] = "bridge",
	[HELPER_DIRECT] = "direct",
	[HELPER_REJOIN] = "rejoin",
};
NAMES_MATCH(helper_ask_names, HELPER_ASK_COUNT);

/* What each ask may and must carry. */
static const struct {
	bool link, ifname, mode, mac;
} carries[] = {
	[HELPER_TAP] = { .ifname = true },
	[HELPER_BRIDGE] = { .link = true, .ifname = true, .mac = true },
	[HELPER_DIRECT] = { .link = true, .ifname = true, .mode = true, .mac = true },
	[HELPER_REJOIN] = { 0 },
};
_Static_assert(ARRAY_SIZE(carries) == HELPER_ASK_COUNT, "one row for each ask");

/* Ends in NUL, and nothing lies hidden behind it. */
static bool is_text(const char *text, size_t size)
{
	size_t length = strnlen(text, size);

	for (size_t i = length; i < size; i++)
		if (text[i] != '\0')
			return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return length < size;
}

bool helper_name_fits(const char name[16])
{
	if (!is_text(name, 16) || !name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	return strpbrk(name, " /:%*?\\\"'#") == NULL;
}

static int check_name(const char *what, const char name[16], bool may, bool must, struct error *err)
{
	static const char none[16];

	if (!must && memcmp(name, none, sizeof(none)) == 0)
		return 0;
	if (may && helper_name_fits(name))
		return 0;
	return error_set(err, -EINVAL, "the request has no legal %s", what);
}

static bool is_mode(const char mode[16])
{
	return is_text(mode, 16) &&
	       (!mode[0] || strcmp(mode, "vepa") == 0 || strcmp(mode, "bridge") == 0 ||
		strcmp(mode, "private") == 0 || strcmp(mode, "passthrough") == 0);
}

static int check_numbers(const struct helper_request *r, struct error *err)
{
	if (r->queues < 1 || r->queues > HELPER_QUEUES)
		return error_set(err, -EINVAL, "the request has no legal number of queues");
	if (r->mtu && (r->mtu < HELPER_MTU_LEAST || r->mtu > HELPER_MTU_MAX))
		return error_set(err, -EINVAL, "the request has no legal MTU");
	if (r->zero[0] || r->zero[1])
		return error_set(err, -EINVAL, "the request has bytes that mean nothing");
	bool zero = mac_is_zero(r->mac);
	if (carries[r->ask].mac ? zero || mac_is_multicast(r->mac) : !zero)
		return error_set(err, -EINVAL, "the request has no legal MAC");
	return 0;
}

int helper_request_check(const struct helper_request *r, struct error *err)
{
	if (r->magic != HELPER_MAGIC || r->version != HELPER_VERSION)
		return error_set(err, -EPROTO,
				 "this anynic-helper is of another version than the anynic that "
				 "asks; next: install both anew, and end the old helper");
	if (r->ask >= HELPER_ASK_COUNT)
		return error_set(err, -EINVAL, "the request asks for nothing known");
	bool link = carries[r->ask].link;
	int rc = check_numbers(r, err);
	if (rc == 0)
		rc = check_name(r->ask == HELPER_DIRECT ? "device" : "bridge", r->link, link, link,
				err);
	if (rc == 0)
		rc = check_name("ifname", r->ifname, carries[r->ask].ifname, false, err);
	if (rc == 0 &&
	    !(carries[r->ask].mode ? is_mode(r->mode) : is_text(r->mode, 16) && !r->mode[0]))
		rc = error_set(err, -EINVAL, "the request has no legal mode");
	if (rc == 0 && (!is_text(r->guest, sizeof(r->guest)) || !r->guest[0] ||
			!is_text(r->port, sizeof(r->port)) || !r->port[0]))
		rc = error_set(err, -EINVAL,
			       "the request has no legal name of a guest and its port");
	return rc;
}
