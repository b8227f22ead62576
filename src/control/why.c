#include "control/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/open.h"

const char *const why_verdict_names[] = {
	[WHY_OK] = "ok",
	[WHY_NO_DRIVER] = "no-driver",
	[WHY_INITIALIZING] = "initializing",
	[WHY_WAITING] = "waiting",
	[WHY_HELD] = "held",
	[WHY_MANUAL] = "manual",
	[WHY_BACKEND_DOWN] = "backend-down",
	[WHY_DRIVER_FAILED] = "driver-failed",
};
NAMES_MATCH(why_verdict_names, WHY_VERDICT_COUNT);

static void say(struct why *why, const char *fmt, ...) PRINTF(2, 3);
static void advise(struct why *why, const char *fmt, ...) PRINTF(2, 3);

static void say(struct why *why, const char *fmt, ...)
{
	size_t at = strlen(why->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->text + at, sizeof(why->text) - at, fmt, args);
	va_end(args);
}

static void advise(struct why *why, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why->next_step, sizeof(why->next_step), fmt, args);
	va_end(args);
}

/* First NIC with this status, -1 when there is none. */
static int nic_with(const struct control_port *p, enum driver_state status)
{
	for (unsigned i = 0; i < p->spec.nics; i++)
		if (p->nic[i].status == status)
			return (int)i;
	return -1;
}

static const char *model(const struct control_port *p, int nic)
{
	return p->spec.nic[nic].model;
}

static bool nic_ready(const struct control_port *p, int nic)
{
	return nic >= 0 && p->nic[nic].status == DRIVER_READY;
}

/* What Linux calls the driver of a model, or of the family that it begins with. */
static const char *linux_driver(const char *model)
{
	static const struct {
		const char *model, *driver;
	} known[] = { { "rtl8139", "8139cp" },	     { "e1000e", "e1000e" }, { "e1000", "e1000" },
		      { "igbvf", "igbvf" },	     { "igb", "igb" },	     { "igc", "igc" },
		      { "virtio-net", "virtio_net" } };

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (strncmp(model, known[i].model, strlen(known[i].model)) == 0)
			return known[i].driver;
	return "its own";
}

static void advise_driver(const struct control_port *p, struct why *why)
{
	if (p->spec.nics > 1)
		advise(why,
		       "wait for the guest to boot, or load a driver in it (of Linux: %s for %s, "
		       "%s for %s)",
		       linux_driver(model(p, 0)), model(p, 0), linux_driver(model(p, 1)),
		       model(p, 1));
	else
		advise(why,
		       "wait for the guest to boot, or load a driver in it (of Linux: %s for %s)",
		       linux_driver(model(p, 0)), model(p, 0));
}

static enum why_verdict no_driver(const struct control_port *p, struct why *why)
{
	bool attached = false;

	for (unsigned i = 0; i < p->spec.nics; i++) {
		attached |= p->nic[i].attached;
		say(why, "%s%s: %s", i ? "; " : "no driver in the guest: ", model(p, (int)i),
		    p->nic[i].evidence);
	}
	if (!attached)
		advise(why, "start the guest: no virtual machine is connected to the cards yet");
	else if (p->control->awaited)
		advise(why, "wait for the guest, which is to come from another host (there: "
			    "`anynic migrate`); one that came stopped is continued with `cont`");
	else if (!p->control->running)
		advise(why, "the guest is stopped: continue it (`cont` in QEMU's monitor)");
	else
		advise_driver(p, why);
	return WHY_NO_DRIVER;
}

static enum why_verdict manual(const struct control_port *p, struct why *why)
{
	if (p->active >= 0)
		say(why, "an administrator put the link on %s (driver %s)",
		    p->spec.nic[p->active].id,
		    name_of(driver_state_names, DRIVER_STATE_COUNT, p->nic[p->active].status));
	else
		say(why, "an administrator took the link down");
	advise(why, "`anynic link %s %s auto` lets the port choose again", p->control->name,
	       p->spec.id);
	return WHY_MANUAL;
}

static enum why_verdict held(const struct control_port *p, struct why *why)
{
	say(why, "more than %u switches in %u s: the port keeps %s for a while", p->spec.hold_count,
	    p->spec.hold_seconds, p->spec.nic[p->active].id);
	advise(why,
	       "find out why the guest's driver comes and goes; `anynic link %s %s auto` ends the "
	       "hold",
	       p->control->name, p->spec.id);
	return WHY_HELD;
}

static enum why_verdict failed(const struct control_port *p, int nic, struct why *why)
{
	say(why, "the driver of %s has failed: %s", p->spec.nic[nic].id, p->nic[nic].evidence);
	advise(why,
	       "look at the guest's kernel log for the %s card, then unload and load its driver",
	       model(p, nic));
	return WHY_DRIVER_FAILED;
}

static enum why_verdict initializing(const struct control_port *p, int nic, struct why *why)
{
	say(why, "a driver for %s is loaded but cannot receive yet: %s", p->spec.nic[nic].id,
	    p->nic[nic].evidence);
	advise(why, "bring the interface up in the guest (`ip link set dev NAME up`, or its "
		    "network manager)");
	return WHY_INITIALIZING;
}

static enum why_verdict ok(const struct control_port *p, struct why *why)
{
	say(why, "%s is active, its driver is ready (%s); backend %s is up",
	    p->spec.nic[p->active].id, p->nic[p->active].evidence, p->spec.backend.type);
	if (!p->control->running) {
		say(why, "; but the guest is stopped");
		advise(why, "continue it (`cont` in QEMU's monitor)");
	}
	return WHY_OK;
}

static enum why_verdict waiting(const struct control_port *p, struct why *why)
{
	say(why, "the legacy driver is ready; the port waits %u ms for the performant one",
	    p->spec.legacy_delay_ms);
	advise(why, "wait");
	return WHY_WAITING;
}

/* --- teams: what works on the persistent card works, so most of this is why it is not faster ----------------------- */

static const char *card_of(const struct control_port *p, enum nic_role role)
{
	for (unsigned i = 0; i < p->spec.nics; i++)
		if (p->spec.nic[i].role == role)
			return p->spec.nic[i].id;
	return p->spec.id;
}

static void team_alone(const struct control_port *p, struct why *why)
{
	say(why,
	    "; the guest does not pair: its virtio driver did not take STANDBY, so %s stays "
	    "out of use",
	    card_of(p, ROLE_TRANSIENT));
	advise(why, "in Linux (4.18 or newer) have net_failover loaded before virtio_net; in "
		    "Windows install virtio-win 0.1.189 or newer with its protocol driver; for a "
		    "guest that cannot, use --nic auto or a single card");
}

static enum why_verdict team_transient(const struct control_port *p, int nic, struct why *why)
{
	const struct control_nic *n = &p->nic[nic];
	const char *id = p->spec.nic[nic].id;

	if (p->team.out) {
		say(why, "; %s was taken out of the guest and comes back when it is put back", id);
	} else if (!p->team.plugged && p->function.ours) {
		say(why, "; the guest pairs, but %s is not plugged%s%s", id,
		    p->function.why[0] ? ": " : "", p->function.why);
		advise(why, "%s",
		       p->function.why[0] ? "see `anynic pool list`; it is tried again until it "
					    "is there"
					  : "wait");
	} else if (!p->team.plugged) {
		say(why, "; the guest pairs, but %s is not plugged", id);
		advise(why, "see what QEMU wrote: it plugs the card when the guest's driver asks "
			    "for it");
	} else if (n->status == DRIVER_FAILED) {
		say(why, "; the driver of %s has failed: %s", id, n->evidence);
		advise(why,
		       "look at the guest's kernel log for the %s card, then unload and load "
		       "its driver",
		       model(p, nic));
		return WHY_DRIVER_FAILED;
	} else {
		say(why, "; %s is plugged, driver %s: %s", id,
		    name_of(driver_state_names, DRIVER_STATE_COUNT, n->status), n->evidence);
		if (n->status == DRIVER_NONE)
			advise(why, "load a driver for it in the guest (of Linux: %s for %s)",
			       linux_driver(model(p, nic)), model(p, nic));
	}
	return WHY_OK;
}

/* The guest reads a card whose link is down: a person who looks at counters wonders. */
static void team_reads(const struct control_port *p, struct why *why)
{
	if (p->team.receive == p->team.active || p->team.receive != TEAM_TRANSIENT)
		return;
	if (p->team.deaf)
		say(why,
		    "; the guest goes on reading %s, which hears nothing without a link: unload "
		    "its driver or unplug it",
		    card_of(p, ROLE_TRANSIENT));
	else
		say(why,
		    "; what comes in still goes to %s, which the guest reads as long as it "
		    "has a driver for it",
		    card_of(p, ROLE_TRANSIENT));
}

static enum why_verdict team(const struct control_port *p, struct why *why)
{
	int transient = p->spec.nic[1].role == ROLE_TRANSIENT ? 1 : 0;
	enum why_verdict verdict;

	if (p->policy.manual) {
		verdict = manual(p, why);
		team_reads(p, why);
		return verdict;
	}
	if (p->policy.held) {
		say(why, "%s was lost and waits to carry traffic again; the guest sends on %s",
		    card_of(p, ROLE_TRANSIENT), card_of(p, ROLE_PERSISTENT));
		team_reads(p, why);
		advise(why,
		       "wait; if it goes on, find out why the guest's driver comes and goes; "
		       "`anynic link %s %s auto` ends the wait",
		       p->control->name, p->spec.id);
		return WHY_HELD;
	}
	if (!nic_ready(p, p->active))
		return WHY_VERDICT_COUNT;
	verdict = ok(p, why);
	if (p->team.active == TEAM_TRANSIENT)
		say(why, "; %s stands by", card_of(p, ROLE_PERSISTENT));
	else if (p->team.paired)
		verdict = team_transient(p, transient, why);
	else
		team_alone(p, why);
	return verdict;
}

static enum why_verdict backend_down(const struct control_port *p, struct why *why)
{
	static const char next[] = "; next: ";
	const char *advice = strstr(p->backend_reason, next);
	int length =
		(int)(advice ? (size_t)(advice - p->backend_reason) : strlen(p->backend_reason));

	say(why, "backend %s is down: %.*s", p->spec.backend.type, length, p->backend_reason);
	if (advice) {
		advise(why, "%s", advice + strlen(next));
		return WHY_BACKEND_DOWN;
	}
	if (p->control->datapath_gone)
		advise(why, "stop the guest and start it again; what `anynic run` wrote says what "
			    "happened");
	else if (host_backend_returns(&p->spec.backend) && !p->spec.backend.path[0])
		advise(why, "wait: it is started again and again"); /* a process of ours */
	else if (strcmp(p->spec.backend.type, "stream") == 0 && p->spec.backend.nfds > 0)
		advise(why, "stop the guest and start it again"); /* fd= cannot be opened again */
	else
		advise(why, "mend the other side of the backend; the port goes on by itself");
	return WHY_BACKEND_DOWN;
}

static enum why_verdict judge(const struct control_port *p, struct why *why)
{
	for (unsigned i = 0; i < p->spec.nics; i++)
		if (p->nic[i].problem[0]) {
			say(why, "%s cannot work: %s", p->spec.nic[i].id, p->nic[i].problem);
			advise(why,
			       "start the guest again with the memory option that the text names");
			return WHY_DRIVER_FAILED;
		}
	if (control_port_out_of_reach(p)) {
		say(why, "QEMU closed its monitor: what drivers do with its own cards is not seen, "
			 "and their links stay as they are");
		if (p->control->attached)
			advise(why, "wait: the monitor is tried again while the guest lives; see "
				    "that no other client has it");
		else
			advise(why, "start the guest again");
		return WHY_DRIVER_FAILED;
	}
	if (control_port_waits_for_qemu(p)) {
		say(why, "QEMU was told to move the links of its cards and has not answered yet");
		advise(why,
		       "wait; if it stays so, see whether the QEMU process is stopped or hangs");
		return WHY_WAITING;
	}
	if (!p->backend_up)
		return backend_down(p, why);
	if (p->spec.policy == POLICY_TEAM) {
		enum why_verdict verdict = team(p, why);

		if (verdict != WHY_VERDICT_COUNT)
			return verdict;
	}
	if (p->policy.manual)
		return manual(p, why);
	/* without a link nothing is held: the next driver that is ready gets it */
	if (p->policy.held && nic_ready(p, p->active))
		return held(p, why);
	if (p->policy.waiting)
		return waiting(p, why);
	if (nic_ready(p, p->active))
		return ok(p, why);
	if (nic_with(p, DRIVER_FAILED) >= 0)
		return failed(p, nic_with(p, DRIVER_FAILED), why);
	if (nic_with(p, DRIVER_INITIALIZING) >= 0)
		return initializing(p, nic_with(p, DRIVER_INITIALIZING), why);
	if (nic_with(p, DRIVER_READY) >= 0) { /* between the driver's last write and the link */
		say(why, "%s is ready, its link comes up now",
		    p->spec.nic[nic_with(p, DRIVER_READY)].id);
		advise(why, "wait");
		return WHY_WAITING;
	}
	return no_driver(p, why);
}

void why_port(const struct control_port *p, struct why *why)
{
	*why = (struct why){ 0 };
	why->verdict = judge(p, why);
}
