/* helper.h - where our other programs are: next to the running one in a build tree, else where they were installed. */
#ifndef ANYNIC_HOST_HELPER_H
#define ANYNIC_HOST_HELPER_H

#include "base/error.h"

/* Full path of `program` ("anynic-user", "anynic-datapath"). $ANYNIC_LIBEXEC, a folder, goes first and alone when set. */
int host_helper_find(const char *program, char *path, size_t size, struct error *err);

#endif
