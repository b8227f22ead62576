/* fake_sysfs.h - a tree of files and links that looks like /sys to who reads it: cards, virtual functions, IOMMU groups. */
#ifndef ANYNIC_TESTS_FAKE_SYSFS_H
#define ANYNIC_TESTS_FAKE_SYSFS_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"

static char fake_sys[64];

static inline void fake_command(const char *fmt, ...) PRINTF(1, 2);

static inline void fake_command(const char *fmt, ...)
{
	char command[600];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(command, sizeof(command), fmt, args);
	va_end(args);
	if (system(command) != 0)
		perror(command);
}

/* A folder of the tree, with those above it. */
static inline void fake_dir(const char *fmt, ...) PRINTF(1, 2);

static inline void fake_dir(const char *fmt, ...)
{
	char path[300];
	va_list args;

	int at = snprintf(path, sizeof(path), "%s/", fake_sys);
	va_start(args, fmt);
	(void)vsnprintf(path + at, sizeof(path) - (size_t)at, fmt, args);
	va_end(args);
	for (char *slash = path + at; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		(void)mkdir(path, 0755);
	}
	(void)mkdir(path, 0755);
}

static inline void fake_file(const char *pci, const char *file, const char *text)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", fake_sys, pci, file);
	FILE *f = fopen(path, "we");
	if (f) {
		fputs(text, f);
		fclose(f);
	}
}

static inline void fake_link(const char *pci, const char *name, const char *target)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", fake_sys, pci, name);
	unlink(path);
	if (target && symlink(target, path) < 0)
		perror(path);
}

static inline void fake_driver(const char *pci, const char *driver)
{
	char target[100];

	(void)snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	fake_link(pci, "driver", driver ? target : NULL);
}

/* A network card: class, group, driver and network device ("" = none). */
static inline void fake_card(const char *pci, int group, const char *driver, const char *netdev)
{
	char target[100];

	fake_dir("bus/pci/devices/%s", pci);
	fake_dir("bus/pci/drivers/%s", driver);
	fake_dir("class/net");
	fake_file(pci, "class", "0x020000\n");
	fake_file(pci, "vendor", "0x8086\n");
	fake_file(pci, "device", "0x10c9\n");
	fake_file(pci, "driver_override", "(null)\n");
	fake_file(pci, "reset_method", "flr\n");
	if (driver[0])
		fake_driver(pci, driver);
	if (netdev[0]) {
		char link[200];

		fake_dir("bus/pci/devices/%s/net/%s", pci, netdev);
		fake_dir("class/net/%s", netdev);
		(void)snprintf(target, sizeof(target), "../../../bus/pci/devices/%s", pci);
		(void)snprintf(link, sizeof(link), "%s/class/net/%s/device", fake_sys, netdev);
		unlink(link);
		if (symlink(target, link) < 0)
			perror(link);
	}
	if (group < 0)
		return;
	(void)snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%d", group);
	fake_link(pci, "iommu_group", target);
	fake_dir("kernel/iommu_groups/%d/devices/%s", group, pci);
}

/* The virtual function number `n` of `pf`. */
static inline void fake_vf(const char *pf, unsigned n, const char *pci, int group,
			   const char *driver, const char *netdev)
{
	char link[20], target[40], count[16];

	fake_card(pci, group, driver, netdev);
	(void)snprintf(link, sizeof(link), "virtfn%u", n);
	(void)snprintf(target, sizeof(target), "../%s", pci);
	fake_link(pf, link, target);
	(void)snprintf(target, sizeof(target), "../%s", pf);
	fake_link(pci, "physfn", target);
	(void)snprintf(count, sizeof(count), "%u\n", n + 1);
	fake_file(pf, "sriov_numvfs", count);
}

static inline void fake_start(void)
{
	(void)snprintf(fake_sys, sizeof(fake_sys), "/tmp/anynic-test-sys-XXXXXX");
	if (!mkdtemp(fake_sys))
		perror(fake_sys);
}

static inline void fake_finish(void)
{
	fake_command("rm -rf %s", fake_sys);
}

#endif
