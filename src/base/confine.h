/* confine.h - the steps in which a process gives up its privileges, for the files that say which and why (each program has one, with its
 * theory at the top). A library of its own: who links it wants libseccomp.
 */
#ifndef ANYNIC_BASE_CONFINE_H
#define ANYNIC_BASE_CONFINE_H

#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CONFINE_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define CONFINE_SANITIZED 1
#endif

/* no_new_privs, root becomes nobody, no capability in any set, not dumpable, dies with its parent. In a user namespace without nobody's
 * id it stays root there: without capabilities. */
int confine_rights(struct error *err);

/* Landlock: no file at all. False, with errno: this kernel cannot, and seccomp has to do. */
bool confine_files(void);

/* The same in steps, for who keeps some: a set of rules (or -1, with errno), what may be done beneath a path (one that is not there is
 * passed over), and from then on nothing else; the set is closed. */
int confine_files_begin(void);
void confine_files_allow(int ruleset, const char *path, uint64_t access);
bool confine_files_end(int ruleset);

/* Calls that are allowed whatever their arguments are. */
int confine_allow(scmp_filter_ctx ctx, const int *calls, size_t count);

/* A call whose argument of this number has one of these values. */
int confine_allow_values(scmp_filter_ctx ctx, int call, unsigned argument, const uint64_t *values,
			 size_t count);

/* The filter holds from now on, unless making it failed with `rc`; it is freed either way. */
int confine_load(scmp_filter_ctx ctx, int rc, struct error *err);

/* mmap and mprotect, nothing executable. */
int confine_allow_memory(scmp_filter_ctx ctx);

#endif
