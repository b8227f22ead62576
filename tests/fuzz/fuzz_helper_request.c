/* A packet to anynic-helper: what passes the check is what the rest of it believes. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "helper/rules.h"
#include "host/netlink.h"

static const char text[] = "allow br0\nallow direct eth*\nallow tap vm?\ndeny tap vm7 user 5\n";
static struct rules rules;

static void must(bool held)
{
	if (!held)
		abort();
}

static void check_text(const char *s, size_t size, bool name)
{
	must(memchr(s, '\0', size) != NULL);
	for (; *s; s++)
		must(isprint((unsigned char)*s) && !(name && strchr("/ %:*?", *s)));
}

static int no_file(const char *path, struct error *err)
{
	return error_set(err, -2, "%s", path);
}

static int no_id(const char *name, bool group, uint32_t *id)
{
	(void)name;
	(void)group;
	(void)id;
	return -2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rules_source source = { no_file, no_id };
	const struct peer peer = { .uid = (uid_t)(size % 7u), .gid = 1 };
	struct helper_request r = { 0 };
	struct error err = { 0 };

	if (!rules.count)
		must(rules_parse(&rules, "r", text, strlen(text), &source, NULL) == 0);
	memcpy(&r, data, MIN(size, sizeof(r)));
	if (helper_request_check(&r, &err) < 0) {
		must(err.text[0] != '\0');
		return 0;
	}
	must(r.queues >= 1 && r.queues <= HELPER_QUEUES && r.mtu <= HELPER_MTU_MAX);
	check_text(r.link, sizeof(r.link), true);
	check_text(r.ifname, sizeof(r.ifname), true);
	check_text(r.mode, sizeof(r.mode), true);
	check_text(r.guest, sizeof(r.guest), false);
	check_text(r.port, sizeof(r.port), false);
	if (r.ask == HELPER_REJOIN || rules_judge(&rules, &peer, &r, &err) < 0)
		return 0;
	must(r.ask != HELPER_BRIDGE || strcmp(r.link, "br0") == 0);
	must(r.ask != HELPER_DIRECT || strncmp(r.link, "eth", 3) == 0);
	must(strcmp(r.mode, "passthrough") != 0);
	must(!r.ifname[0] || (strncmp(r.ifname, "vm", 2) == 0 && strlen(r.ifname) == 3));
	return 0;
}
