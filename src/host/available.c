#include "host/available.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/helper.h"
#include "host/helper_protocol.h"
#include "host/passt.h"
#include "host/rights.h"

/* Whether it allows this user anything is its own to say. */
static bool helper_listens(void)
{
	const char *told = getenv("ANYNIC_HELPER");

	return access(told ? told : HELPER_SOCKET, W_OK) == 0;
}

static int need_admin(const char *what, struct error *err)
{
	if (host_may_make_links() || helper_listens())
		return 0;
	return error_set(err, -ENOTSUP, "making %s needs root (CAP_NET_ADMIN) or anynic-helper",
			 what);
}

int host_has_tap(struct error *err)
{
	if (access("/dev/net/tun", R_OK | W_OK) == 0)
		return 0;
	return error_set(err, -ENOTSUP, "/dev/net/tun: %s", strerror(errno));
}

int host_has_bridge(struct error *err)
{
	int rc = host_has_tap(err);

	return rc < 0 ? rc : need_admin("a tap on a bridge", err);
}

int host_has_macvtap(struct error *err)
{
	return need_admin("a macvtap", err);
}

int host_has_user(struct error *err)
{
	char path[4096];

	return host_helper_find("anynic-user", path, sizeof(path), err) < 0 ? -ENOTSUP : 0;
}

int host_has_passt(struct error *err)
{
	char path[4096];

	return host_passt_find(path, sizeof(path), err);
}
