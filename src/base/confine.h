/* confine.h - the steps in which a process gives up its privileges, for the files that say which and why (each program has one, with its
 * theory at the top). A library of its own: who links it wants libseccomp.
 */
#ifndef ANYNIC_BASE_CONFINE_H
#define ANYNIC_BASE_CONFINE_H

#include <seccomp.h>

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

/* Calls that are allowed whatever their arguments are. */
int confine_allow(scmp_filter_ctx ctx, const int *calls, size_t count);

/* mmap and mprotect, nothing executable. */
int confine_allow_memory(scmp_filter_ctx ctx);

#endif
