#include "host/ovn.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/ovs.h"

#define TURN_MS 200 /* stop_fd is looked at so often */

void ovn_wait_begin(struct ovn_wait *w, unsigned ms, int stop_fd)
{
	uint64_t now = monotonic_ns();

	*w = (struct ovn_wait){ .begin_ns = now,
				.end_ns = now + ms * NS_PER_MS,
				.stop_fd = stop_fd };
}

static bool is_stopped(const struct ovn_wait *w, int ms)
{
	struct pollfd p = { .fd = w->stop_fd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

/* How closing takes it out of Open vSwitch is all that is needed to find it. */
static const struct undo_step *switch_port(const struct opened_backend *o)
{
	for (unsigned i = 0; i < o->steps; i++)
		if (o->step[i].kind == UNDO_OVS_PORT)
			return &o->step[i];
	return NULL;
}

/* Waits for a turn. OVN_LATE: ask again; `err` says why nothing was learned, if that is so. */
static enum ovn_verdict look(const struct ovs_port *port, bool *is_ovn, struct error *err)
{
	*err = (struct error){ 0 };
	int rc = *is_ovn ? 1 : ovs_bridge_is_ovn(port->bridge, err);

	if (rc == 0)
		return OVN_NO_PART;
	*is_ovn |= rc > 0;
	if (rc > 0)
		rc = ovs_port_wait_installed(port, TURN_MS, err);
	if (rc == 0)
		*err = (struct error){ 0 }; /* it was learned that they are not in place */
	return rc > 0 ? OVN_BOUND : rc == -ENODEV ? OVN_GONE : OVN_LATE;
}

static void tell(enum ovn_verdict verdict, const struct ovn_wait *w, const char *port,
		 const struct ovs_port *p, const char *why)
{
	uint64_t ms = (monotonic_ns() - w->begin_ns) / NS_PER_MS;

	if (verdict == OVN_BOUND)
		log_info("port %s: OVN's flows of %s (%s) are in place, after %u ms", port,
			 p->iface_id, p->ifname, (unsigned)ms);
	if (verdict == OVN_GONE)
		log_warning("port %s: %s while OVN's flows were waited for; next: start the "
			    "destination again",
			    port, why);
	if (verdict == OVN_LATE && why[0])
		log_warning(
			"port %s: after %u s it is not known whether OVN's flows of %s (%s on %s) "
			"are in place: %s; the guest may come all the same",
			port, (unsigned)(ms / 1000), p->iface_id, p->ifname, p->bridge, why);
	else if (verdict == OVN_LATE)
		log_warning("port %s: after %u s OVN's controller here has not said that the flows "
			    "of %s (%s on %s) are in place; the guest may come, and has no network "
			    "until they are; next: ovn-nbctl lsp-set-options %s "
			    "requested-chassis=FROM,TO activation-strategy=rarp; systemctl status "
			    "ovn-controller",
			    port, (unsigned)(ms / 1000), p->iface_id, p->ifname, p->bridge,
			    p->iface_id);
}

enum ovn_verdict ovn_wait_port(const struct ovn_wait *w, const char *port,
			       const struct backend_spec *spec, const struct opened_backend *opened)
{
	const struct undo_step *step = switch_port(opened);
	enum ovn_verdict verdict;
	bool is_ovn = false;
	char made[OVS_UUID];
	struct error err;

	if (!step)
		return OVN_NO_PART;
	struct ovs_port wanted = { .bridge = spec->br,
				   .ifname = step->name,
				   .guest = step->text,
				   .port_id = step->port,
				   .iface_id = spec->iface_id };
	if (!spec->iface_id[0]) /* what ovn-nbctl has to call it */
		wanted.iface_id = ovs_uuid(made, step->text, step->port);
	do {
		verdict = look(&wanted, &is_ovn, &err);
		/* a database that is started again comes back */
		if (verdict == OVN_LATE && is_stopped(w, err.code ? TURN_MS : 0))
			return OVN_STOPPED;
	} while (verdict == OVN_LATE && monotonic_ns() < w->end_ns);
	tell(verdict, w, port, &wanted, err.text);
	return verdict;
}
