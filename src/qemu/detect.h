/* detect.h - what a QEMU program is and can, found out by asking it (bounded in time, no guest is started). */
#ifndef ANYNIC_QEMU_DETECT_H
#define ANYNIC_QEMU_DETECT_H

#include "base/error.h"

#define QEMU_VFIO_USER_MAJOR 10
#define QEMU_VFIO_USER_MINOR 1

struct qemu_program {
	char path[256]; /* found on $PATH */
	unsigned major, minor, micro;
	bool vfio_user; /* has the device vfio-user-pci */
};

static inline bool qemu_is_older(const struct qemu_program *program, unsigned major, unsigned minor)
{
	return program->major < major || (program->major == major && program->minor < minor);
}

/* Looks `name` up as execvp would. -ENOENT, -EACCES with words for a person. */
int qemu_find(const char *name, char *path, size_t size, struct error *err);

/* Runs `QEMU --version` and `QEMU -device vfio-user-pci,help`. -ENOENT, -EACCES, -ETIMEDOUT, -ENOEXEC (it is no QEMU). */
int qemu_detect(struct qemu_program *program, const char *name, struct error *err);

/* For --qemu-version X.Y: as if such a QEMU were there. */
int qemu_assume_version(struct qemu_program *program, const char *version, struct error *err);

/* -ENOTSUP, and what to do, when hosted NICs cannot be had with this QEMU. */
int qemu_require_vfio_user(const struct qemu_program *program, struct error *err);

#endif
