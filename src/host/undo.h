/* undo.h - a journal of what a killed anynic would leave behind on this host, and the way to take it back.
 *
 * A line is written before the thing is made, struck when it was taken back. The file lies beside the guest's control socket. Whoever
 * holds the guest's lock runs what it still says: the process that tidies up after control, or the next start of an anynic. A line
 * names the network namespace that it is about and is carried out there only. The file must be this user's, and nobody else's to write.
 *
 * Nothing is taken back that is not ours any more: a link must carry the alias that we gave it, a device the MAC that we set,
 * a virtual function that one or the one that it had.
 */
#ifndef ANYNIC_HOST_UNDO_H
#define ANYNIC_HOST_UNDO_H

#include "base/error.h"
#include "base/mac.h"

#define UNDO_TEXT 256
#define UNDO_PATH 600

enum undo_kind {
	UNDO_LINK, /* delete the link `name`: `text` is its alias, `mac` its MAC, `below` what it sits on */
	UNDO_TAP, /* delete the tap `name` with the alias `text` if its index is still `below`: who made it has given it away, and a
		    * name comes again with the next start */
	UNDO_DEVICE, /* give back the device `name` (index `below`): MAC `old_mac` where it has `mac`; down if `was_down`
		      * and nobody uses it but our link with the alias `text` */
	UNDO_OVS_PORT, /* take the port `name` from its OVS bridge: `text` is the guest, `port` the port's id */
	UNDO_SOCKET, /* remove the socket `text` if nobody listens */
	UNDO_POOL, /* the PCI function `name` is nobody's again: it was `text`'s, a guest, for `port` */
	UNDO_DRIVER, /* give the PCI function `name` back to its driver: see vf_undo.h for `text` */
	UNDO_SCRIPT, /* run `text`, a <downscript> of XML, with the interface `name` */
	UNDO_LIMITS, /* the tap `name` (index `below`), a user's own, has no limits of ours any more on the ways of `text` */
	UNDO_VF, /* tell the physical function of `name` what it was told before: `old_mac`, and the words of `text` */
	UNDO_KIND_COUNT
};
extern const char *const undo_kind_names[UNDO_KIND_COUNT];

#define UNDO_SENDS    " sends"
#define UNDO_RECEIVES " receives"

struct undo_step {
	enum undo_kind kind;
	char name[16];
	unsigned below;
	uint8_t mac[MAC_LEN], old_mac[MAC_LEN];
	bool was_down;
	char port[40];
	char text[UNDO_TEXT];
};

struct undo {
	int fd; /* -1 = no line was written */
	char path[UNDO_PATH];
};

/* The file is made with its first line (mode 0600), or appended to; undo_open makes it now. The caller holds the lock that goes with it. */
void undo_init(struct undo *u, const char *path);
int undo_open(struct undo *u, const char *path, struct error *err);
void undo_close(
	struct undo *u); /* removes the file when nothing is left to do; accepts a zeroed one */

#define UNDO_NO_MARK (-1)

/* Returns the mark of the line, to strike it with; UNDO_NO_MARK when `u` is NULL. Less: an error. */
long undo_note(struct undo *u, const struct undo_step *step, struct error *err);
void undo_strike(struct undo *u, long mark);

/* Takes one thing back. 1, or 0 when there is nothing of ours (any more), or negative errno. */
int undo_step_run(const struct undo_step *step, struct error *err);

/* Takes back all that the file says, last first, and removes it when nothing is left. Returns how many lines are left: they failed, or
 * belong to another namespace. What was done and what failed is logged. */
unsigned undo_run(const char *path);

#endif
