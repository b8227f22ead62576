/* rules.h - /etc/anynic/helper.conf: who may have what. Read anew for each request.
 *
 *     allow br0                         as in qemu-bridge-helper's ACL: everybody may have a port of the bridge
 *     allow bridge br* [WHO]            WHO is `user NAME` or `group NAME` (or a number); without it: everybody
 *     allow direct eth0 [MODE...] [WHO] without a mode: vepa, bridge and private; never passthrough unless it is named
 *     allow tap vm-* [WHO]              names that new interfaces may have
 *     quota N [WHO]                     things that one user has at a time; the last line that fits counts
 *     deny ...                          as allow. What any line denies is denied, wherever it stands; `deny all` denies everything
 *     include FILE                      in the folder of the first file, or beneath
 *
 * What no line allows is denied. A file with a mistake allows nothing.
 */
#ifndef ANYNIC_HELPER_RULES_H
#define ANYNIC_HELPER_RULES_H

#include "base/error.h"
#include "helper/peer.h"
#include "host/helper_protocol.h"

#define RULES_MAX     512
#define RULES_FILES   16
#define RULES_PATH    256
#define RULES_DEPTH   8
#define RULES_SIZE    65536 /* of one file */
#define QUOTA_DEFAULT 16
#define QUOTA_MOST    256

enum rule_who { WHO_ALL, WHO_USER, WHO_GROUP };

struct rule {
	bool deny;
	bool everything; /* whatever the ask */
	enum helper_ask ask;
	char pattern[16]; /* * and ? */
	unsigned modes;	  /* BIT of macvtap modes, for direct */
	enum rule_who who;
	uint32_t id; /* of the user or the group */
	unsigned file, line;
};

struct quota {
	unsigned most;
	enum rule_who who;
	uint32_t id;
};

struct rules {
	struct rule rule[RULES_MAX];
	unsigned count;
	struct quota quota[RULES_MAX];
	unsigned quotas;
	char file
		[RULES_FILES]
		[RULES_PATH]; /* that were read, in order; the first is the one that was asked for */
	unsigned files;
};

/* Where text and ids come from: the files of this host (rules_load), or a test's. */
struct rules_source {
	/* Opens FILE: `fd` is readable. It has been checked for its owner and mode. */
	int (*open)(const char *path, struct error *err);
	/* -ENOENT when there is no such user, or group. */
	int (*id)(const char *name, bool group, uint32_t *id);
};
extern const struct rules_source rules_host;

/* On failure err names file and line, and `rules` allows nothing. */
int rules_load(struct rules *rules, const char *path, const struct rules_source *source,
	       struct error *err);

/* The same for a text; `path` is its name. Includes come from the source. */
int rules_parse(struct rules *rules, const char *path, const char *text, size_t length,
		const struct rules_source *source, struct error *err);

/* 0, or -EPERM with what, why and the line to add. `request` has passed helper_request_check. */
int rules_judge(const struct rules *rules, const struct peer *peer,
		const struct helper_request *request, struct error *err);

unsigned rules_quota(const struct rules *rules, const struct peer *peer);

/* Text against a pattern of at most 15 characters with * and ?. */
bool pattern_fits(const char *pattern, const char *text);

#endif
