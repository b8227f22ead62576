/* A kernel that answers anything: links, virtual functions, errors with words. The first byte is the function that was asked for. */
#include <stdlib.h>
#include <string.h>

#include "host/netlink.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t room)
{
	if (strnlen(text, room) == room)
		__builtin_trap(); /* no end */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct netlink nl = { .seq = 1 };
	struct vf_settings settings = {
		.vlan = -1, .qos = -1, .spoofchk = -1, .trust = -1, .link_state = -1
	};
	struct link link = { 0 };

	if (size == 0)
		return 0;
	/* aligned, as a buffer of the kernel's is, and no byte more than there are */
	void *copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data + 1, size - 1);
	if (netlink_read_answer(&nl, copy, size - 1, &link, data[0], &settings) > 1)
		__builtin_trap();
	free(copy);
	check_text(nl.said, sizeof(nl.said));
	check_text(link.name, sizeof(link.name));
	check_text(link.kind, sizeof(link.kind));
	check_text(link.port_kind, sizeof(link.port_kind));
	check_text(link.alias, sizeof(link.alias));
	if (settings.vlan < -1 || settings.vlan > 4095 || settings.qos < -1 || settings.qos > 7 ||
	    settings.spoofchk < -1 || settings.spoofchk > 1 || settings.trust < -1 ||
	    settings.trust > 1 || settings.link_state < -1 || settings.link_state > 2)
		__builtin_trap();
	return 0;
}
