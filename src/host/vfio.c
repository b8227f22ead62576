/* A function that driver_override names a driver for is bound to that one alone, so that no other driver takes it between two steps. */
#include "host/vfio.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

#define GROUP_MAX    32
#define RELEASE_NS   (15 * NS_PER_S) /* QEMU ends within a grace of 10 s */
#define NODE_WAIT_NS (5 * NS_PER_S)  /* a busy udev */
#define RETRY_US     20000
#define CLASS_BRIDGE 0x06

extern char **environ;

bool vfio_is_driver(const char *driver)
{
	size_t length = strlen(driver);

	return strcmp(driver, VFIO_DRIVER) == 0 || strncmp(driver, "vfio-pci-", 9) == 0 ||
	       (length > 9 && strcmp(driver + length - 9, "_vfio_pci") == 0);
}

/* --- the group ---------------------------------------------------------------------------------------------------- */

/* Bridges pass the group's traffic on, and nobody but the kernel has them. */
static bool is_harmless(const struct pci_function *f)
{
	return !f->driver[0] || vfio_is_driver(f->driver) || strcmp(f->driver, "pci-stub") == 0 ||
	       f->class_code >> 16 == CLASS_BRIDGE;
}

static int refuse_group(const struct pci_function *f, const struct pci_function *other,
			unsigned others, struct error *err)
{
	return error_set(
		err, -EBUSY,
		"%s shares its IOMMU group %d with %s (driver %s%s%s)%s, which a guest would "
		"reach as well; next: bind that one to vfio-pci too (`driverctl "
		"set-override %s vfio-pci`), another slot, or a virtual function: those have "
		"groups of their own",
		f->pci, f->group, other->pci, other->driver, other->netdev[0] ? ", " : "",
		other->netdev, others > 1 ? " and others" : "", other->pci);
}

int vfio_check_group(const char *sys, const struct pci_function *f, struct error *err)
{
	struct pci_function other, first = { 0 };
	char names[GROUP_MAX][PCI_NAME];
	unsigned others = 0;

	if (f->group < 0)
		return error_set(
			err, -ENOTSUP,
			"%s is in no IOMMU group: this host has no IOMMU, or it is off; next: "
			"switch VT-d or AMD-Vi on in the firmware, and boot with "
			"intel_iommu=on on Intel",
			f->pci);
	unsigned n = pci_group_list(sys, f->group, f->pci, names, GROUP_MAX);
	for (unsigned i = 0; i < MIN(n, (unsigned)GROUP_MAX); i++) {
		if (pci_function_read(sys, names[i], &other, NULL) < 0 || is_harmless(&other))
			continue;
		if (others++ == 0)
			first = other;
	}
	return others ? refuse_group(f, &first, others, err) : 0;
}

/* --- the node ------------------------------------------------------------------------------------------------------- */

/* 0, 1 = busy, or negative errno. */
static int try_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	int rc = fd >= 0 ? 0 : errno == EBUSY ? 1 : -errno;

	fd_close(&fd);
	return rc;
}

bool vfio_is_open(const char *dev, int group)
{
	char path[120];

	(void)snprintf(path, sizeof(path), "%.80s/vfio/%d", dev, group);
	return group >= 0 && try_open(path) == 1;
}

static int refuse_node(const char *path, int rc, struct error *err)
{
	if (rc == -ENOENT)
		return error_set(err, -ENOTSUP,
				 "%s is not there; next: modprobe vfio-pci, and look whether udev "
				 "runs",
				 path);
	if (rc == -EACCES || rc == -EPERM)
		return error_set(err, rc,
				 "this user may not open %s; next: run as root, or give it to the "
				 "user (chown, or a udev rule for SUBSYSTEM==\"vfio\")",
				 path);
	return error_set(err, rc, "%s cannot be opened: %s", path, strerror(-rc));
}

int vfio_check_access(const char *dev, const struct pci_function *f, struct error *err)
{
	uint64_t end = monotonic_ns() + NODE_WAIT_NS;
	char path[120];
	int rc;

	(void)snprintf(path, sizeof(path), "%.80s/vfio/vfio", dev);
	rc = try_open(path);
	if (rc < 0)
		return refuse_node(path, rc, err);
	(void)snprintf(path, sizeof(path), "%.80s/vfio/%d", dev, f->group);
	while ((rc = try_open(path)) == -ENOENT && monotonic_ns() < end)
		usleep(RETRY_US);
	return rc < 0 ? refuse_node(path, rc, err) : rc;
}

/* --- drivers -------------------------------------------------------------------------------------------------------- */

static bool has_driver(const char *sys, const char *driver)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%.100s/bus/pci/drivers/%.60s", sys, driver);
	return access(path, F_OK) == 0;
}

/* As root; for anybody else it fails, and the driver is missing as before. */
static void load_driver(const char *driver)
{
	char *const words[] = { "modprobe", "-q", (char *)driver, NULL };
	pid_t pid;

	if (posix_spawnp(&pid, words[0], NULL, NULL, words, environ) == 0)
		(void)waitpid(pid, NULL, 0);
}

static int write_bus(const char *sys, const char *file, const char *text)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%.100s/bus/pci/%.60s", sys, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
	fd_close(&fd);
	return rc;
}

static int unbind_now(const char *sys, const char *pci)
{
	struct pci_function f;

	if (pci_function_read(sys, pci, &f, NULL) < 0 || !f.driver[0])
		return 0;
	return pci_function_write(sys, pci, "driver/unbind", pci);
}

/* The override, then away from the driver that it has, then to the one that is named. "" as override: any that fits. */
static int move(const char *sys, const char *pci, const char *override, bool probe)
{
	int rc = pci_function_write(sys, pci, "driver_override", override[0] ? override : "\n");

	if (rc == 0)
		rc = unbind_now(sys, pci);
	if (rc == 0 && probe)
		rc = write_bus(sys, "drivers_probe", pci);
	return rc;
}

static int refuse_bind(const char *sys, const struct pci_function *f, const char *driver, int rc,
		       struct error *err)
{
	struct pci_function now;

	error_set(err, rc, "%s cannot be given to %s: %s%s", f->pci, driver, strerror(-rc),
		  rc == -EACCES || rc == -EPERM
			  ? "; next: run as root, or bind it beforehand (`driverctl set-override`)"
			  : "");
	if (pci_function_read(sys, f->pci, &now, NULL) == 0 &&
	    (strcmp(now.driver, f->driver) != 0 || strcmp(now.override, f->override) != 0))
		(void)move(sys, f->pci, f->override, f->driver[0] != '\0');
	return rc;
}

int vfio_bind(const char *sys, const struct pci_function *f, const char *driver, struct error *err)
{
	const char *to = driver[0] ? driver : VFIO_DRIVER;
	struct pci_function now;

	if (strcmp(f->driver, to) == 0)
		return 0;
	if (!has_driver(sys, to))
		load_driver(to);
	if (!has_driver(sys, to))
		return error_set(err, -ENOTSUP, "this kernel has no driver %s; next: modprobe %s",
				 to, to);
	int rc = move(sys, f->pci, to, true);
	if (rc == 0 &&
	    (pci_function_read(sys, f->pci, &now, NULL) < 0 || strcmp(now.driver, to) != 0))
		rc = -EIO; /* the kernel says why in its log only */
	return rc < 0 ? refuse_bind(sys, f, to, rc, err) : 0;
}

/* The kernel would wait for it, and for ever. */
static int wait_closed(const char *dev, const struct pci_function *f, struct error *err)
{
	uint64_t end = monotonic_ns() + RELEASE_NS;

	while (vfio_is_open(dev, f->group)) {
		if (monotonic_ns() >= end)
			return error_set(
				err, -EBUSY,
				"%s cannot be given back yet: a program has it open; next: "
				"end that one (`fuser -v %s/vfio/%d`), then start any guest of "
				"anynic",
				f->pci, dev, f->group);
		usleep(RETRY_US);
	}
	return 0;
}

int vfio_unbind(const char *sys, const char *dev, const char *pci, const char *driver,
		const char *override, struct error *err)
{
	struct pci_function f;

	if (pci_function_read(sys, pci, &f, NULL) < 0) /* its device took it away */
		return 0;
	if (!vfio_is_driver(f.driver)) {
		/* whoever was killed between two steps left the override */
		if (!vfio_is_driver(f.override) || strcmp(f.override, override) == 0)
			return 0;
		int left = move(sys, pci, override, driver[0] != '\0');
		return left < 0 ? error_set(err, left,
					    "%s: driver_override cannot be given back: %s", pci,
					    strerror(-left))
				: 1;
	}
	int rc = wait_closed(dev, &f, err);
	if (rc < 0)
		return rc;
	rc = move(sys, pci, override, driver[0] != '\0');
	if (rc < 0)
		return error_set(err, rc, "%s cannot be given back to %s: %s", pci,
				 driver[0] ? driver : "no driver", strerror(-rc));
	if (driver[0] && pci_function_read(sys, pci, &f, NULL) == 0 &&
	    strcmp(f.driver, driver) != 0)
		log_warning("%s was given back, and %s did not take it; next: echo %s > "
			    "/sys/bus/pci/drivers/%s/bind",
			    pci, driver, pci, driver);
	return 1;
}
