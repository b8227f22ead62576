/* helper_client.h - the user's end of anynic-helper: taps, bridge ports and macvtaps for an anynic that may not make them itself.
 *
 * Where it is asked: $ANYNIC_HELPER, the path of a socket (empty: nowhere); without it the socket of the service, then through
 * `sudo -n` and through pkexec, where they are installed.
 */
#ifndef ANYNIC_HOST_HELPER_CLIENT_H
#define ANYNIC_HOST_HELPER_CLIENT_H

#include "host/open.h"

typedef int host_opener(const struct backend_request *request, struct opened_backend *out,
			struct error *err);

/* Opens by `own`, or, where we lack the right, by the helper. */
int host_helper_open(host_opener *own, const struct backend_request *request,
		     struct opened_backend *out, struct error *err);

/* Whether it could be opened so, as far as that can be told without asking anybody. */
int host_helper_look(const struct backend_request *request, struct error *err);

/* The bridge of o's tap had gone and is there again: the helper puts it back. `helper` is opened_backend.helper. */
int host_helper_rejoin(int helper, struct error *err);

#endif
