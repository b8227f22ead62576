/* anynic-helper's helper.conf. What stands behind the first byte 0x1e is a file that it includes, whatever its name. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "helper/rules.h"

static const char *included;
static size_t included_length;
static struct rules rules;

static void must(bool held)
{
	if (!held)
		abort();
}

static int open_included(const char *path, struct error *err)
{
	int fd = memfd_create("included", MFD_CLOEXEC);

	/* only of the folder */
	must(strncmp(path, "/etc/anynic/", 12) == 0 && !strstr(path, "/../"));
	if (!included)
		return close(fd), error_set(err, -2, "%s: none", path);
	must(pwrite(fd, included, included_length, 0) == (ssize_t)included_length);
	return fd;
}

static int find_id(const char *name, bool group, uint32_t *id)
{
	*id = group ? 36 : 1000;
	return strlen(name) < 6 ? 0 : -2;
}

static const struct rules_source source = { open_included, find_id };

static bool allows(enum helper_ask ask, const char *link, const char *ifname, const char *mode)
{
	const struct peer peer = { .uid = 1000, .gid = 1000, .group = { 36 }, .groups = 1 };
	struct helper_request r = { .ask = ask };
	struct error err = { 0 };

	str_copy(r.link, sizeof(r.link), link);
	str_copy(r.ifname, sizeof(r.ifname), ifname);
	str_copy(r.mode, sizeof(r.mode), mode);
	must(rules_quota(&rules, &peer) <= QUOTA_MOST);
	int rc = rules_judge(&rules, &peer, &r, &err);
	must(rc == 0 || (rc == -1 && err.text[0]));
	return rc == 0;
}

static unsigned allowed(void)
{
	return allows(HELPER_BRIDGE, "br0", "", "") + allows(HELPER_BRIDGE, "br0", "vm0", "") +
	       allows(HELPER_DIRECT, "eth0", "", "passthrough") +
	       allows(HELPER_DIRECT, "eth0", "", "") + allows(HELPER_TAP, "", "", "");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char denial[] = "\ndeny all\n";
	static char text[RULES_SIZE];
	const uint8_t *cut = memchr(data, 0x1e, size);
	size_t length = MIN(cut ? (size_t)(cut - data) : size, sizeof(text) - sizeof(denial));
	struct error err = { 0 };

	included = cut ? (const char *)cut + 1 : NULL;
	included_length = cut ? MIN(size - (size_t)(cut + 1 - data), (size_t)RULES_SIZE) : 0;
	memcpy(text, data, length);
	if (rules_parse(&rules, "/etc/anynic/helper.conf", text, length, &source, &err) < 0) {
		must(strstr(err.text, "/etc/anynic/") != NULL);
		must(allowed() == 0);
		return 0;
	}
	must(rules.count <= RULES_MAX && rules.files <= RULES_FILES);
	(void)allowed();
	memcpy(text + length, denial, sizeof(denial) - 1);
	if (rules_parse(&rules, "/etc/anynic/helper.conf", text, length + sizeof(denial) - 1,
			&source, &err) == 0)
		must(allowed() == 0);
	return 0;
}
