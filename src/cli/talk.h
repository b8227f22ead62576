/* talk.h - what the verbs that talk to a live guest share. */
#ifndef ANYNIC_CLI_TALK_H
#define ANYNIC_CLI_TALK_H

#include "control/client.h"
#include "control/place.h"

#define GUESTS_MAX 64

/* "anynic: TEXT" on stderr. Returns the exit code for err->code. */
int fail(const struct error *err);

/* "anynic VERB: TEXT" and the usage line. Returns EXIT_USAGE. */
int fail_usage(const char *verb, const char *fmt, ...) PRINTF(2, 3);

/* The one guest that is live, when the user named none. -ENOENT: none; -EINVAL: several (usage: name one). */
int only_guest(char name[PLACE_NAME], struct error *err);

/* Connects to `guest`, or to the only one when it is NULL. *code is the exit code when it fails (and was told). */
struct client *open_guest(const char *guest, int *code);

/* Says `command`, quit or detach, and waits until the guest's anynic is gone. Returns the exit code; failures were told. */
int end_guest(struct client *c, const char *command, uint64_t seconds);

bool guest_is_live(const char *name);

/* Members of a QMP object: "" or NULL when they are not there. */
const char *text_of(json_object *object, const char *name);
json_object *member_of(json_object *object, const char *name);

#endif
