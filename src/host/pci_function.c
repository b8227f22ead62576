#include "host/pci_function.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

#define SYS_PATH  300
#define FILE_TEXT 64

static void path_of(char path[SYS_PATH], const char *sys, const char *pci, const char *file)
{
	(void)snprintf(path, SYS_PATH, "%.120s/bus/pci/devices/%.15s%s%.60s", sys, pci,
		       file[0] ? "/" : "", file);
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

/* The first line, without its end; empty when there is none. */
static bool read_line(const char *path, char to[FILE_TEXT])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, FILE_TEXT - 1);

	fd_close(&fd);
	to[n > 0 ? n : 0] = '\0';
	to[strcspn(to, "\n")] = '\0';
	return n >= 0;
}

static unsigned long read_number(const char *sys, const char *pci, const char *file, int base)
{
	char path[SYS_PATH], text[FILE_TEXT];

	path_of(path, sys, pci, file);
	return read_line(path, text) ? strtoul(text, NULL, base) : 0;
}

/* The last word of where a link leads to. */
static bool read_link_name(const char *sys, const char *pci, const char *file, char *to,
			   size_t size)
{
	char path[SYS_PATH], target[SYS_PATH];

	path_of(path, sys, pci, file);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	to[0] = '\0';
	if (n <= 0)
		return false;
	target[n] = '\0';
	const char *slash = strrchr(target, '/');
	return str_copy(to, size, slash ? slash + 1 : target);
}

int pci_function_write(const char *sys, const char *pci, const char *file, const char *text)
{
	char path[SYS_PATH];

	path_of(path, sys, pci, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
	fd_close(&fd);
	return rc;
}

/* --- addresses ------------------------------------------------------------------------------------------------------- */

static bool read_hex(const char **at, unsigned digits, unsigned *number)
{
	unsigned n = 0;

	*number = 0;
	for (; isxdigit((unsigned char)**at) && n < digits; n++, (*at)++) {
		char digit[2] = { **at, '\0' };

		*number = *number << 4 | (unsigned)strtoul(digit, NULL, 16);
	}
	return n > 0 && !isxdigit((unsigned char)**at);
}

/* Domains of more than four digits are those of NVMe's VMD: no card is behind them that a guest could get. */
bool pci_parse(const char *text, char pci[PCI_NAME])
{
	unsigned domain = 0, bus, slot, function;
	const char *at = text;

	pci[0] = '\0';
	if (!read_hex(&at, 4, &bus) || *at++ != ':' || !read_hex(&at, 2, &slot))
		return false;
	if (*at == ':') {
		at++;
		domain = bus;
		bus = slot;
		if (!read_hex(&at, 2, &slot))
			return false;
	}
	if (*at++ != '.' || !read_hex(&at, 1, &function) || *at)
		return false;
	if (bus > 0xff || slot > 0x1f || function > 7)
		return false;
	(void)snprintf(pci, PCI_NAME, "%04x:%02x:%02x.%x", domain & 0xffff, bus, slot, function);
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Names in a folder, sorted. Returns how many there are. */
static unsigned list_folder(const char *path, char (*out)[PCI_NAME], unsigned max)
{
	DIR *dir = opendir(path);
	unsigned n = 0;

	if (!dir)
		return 0;
	for (struct dirent *d = readdir(dir); d; d = readdir(dir)) {
		if (d->d_name[0] == '.')
			continue;
		if (n < max)
			str_copy(out[n], PCI_NAME, d->d_name);
		n++;
	}
	closedir(dir);
	qsort(out, MIN(n, max), PCI_NAME, compare_names);
	return n;
}

/* --- one function --------------------------------------------------------------------------------------------------- */

static bool can_reset(const char *sys, const char *pci)
{
	char path[SYS_PATH], text[FILE_TEXT];

	/* newer kernels say how; older ones only have the file that does it */
	path_of(path, sys, pci, "reset_method");
	if (read_line(path, text))
		return text[0] != '\0';
	path_of(path, sys, pci, "reset");
	return access(path, F_OK) == 0;
}

int pci_function_read(const char *sys, const char *pci, struct pci_function *out, struct error *err)
{
	char path[SYS_PATH], text[FILE_TEXT], net[1][PCI_NAME] = { "" };

	*out = (struct pci_function){ .group = -1 };
	path_of(path, sys, pci, "");
	if (strchr(pci, '/') || access(path, F_OK) < 0)
		return error_set(err, -ENOENT,
				 "there is no PCI function %.20s on this host; next: `lspci -D` "
				 "lists them",
				 pci);
	str_copy(out->pci, sizeof(out->pci), pci);
	read_link_name(sys, pci, "driver", out->driver, sizeof(out->driver));
	read_link_name(sys, pci, "physfn", out->pf, sizeof(out->pf));
	if (read_link_name(sys, pci, "iommu_group", text, sizeof(text)))
		out->group = (int)strtol(text, NULL, 10);
	path_of(path, sys, pci, "driver_override");
	if (read_line(path, text) && strcmp(text, "(null)") != 0)
		str_copy(out->override, sizeof(out->override), text);
	path_of(path, sys, pci, "net");
	if (list_folder(path, net, 1))
		str_copy(out->netdev, sizeof(out->netdev), net[0]);
	out->class_code = (uint32_t)read_number(sys, pci, "class", 16);
	out->vendor = (uint16_t)read_number(sys, pci, "vendor", 16);
	out->device = (uint16_t)read_number(sys, pci, "device", 16);
	out->vfs = (unsigned)read_number(sys, pci, "sriov_numvfs", 10);
	out->vfs_max = (unsigned)read_number(sys, pci, "sriov_totalvfs", 10);
	out->resets = can_reset(sys, pci);
	return 0;
}

int pci_function_of_netdev(const char *sys, const char *netdev, char pci[PCI_NAME],
			   struct error *err)
{
	char path[SYS_PATH], target[SYS_PATH];

	pci[0] = '\0';
	(void)snprintf(path, sizeof(path), "%.120s/class/net/%.40s", sys, netdev);
	if (!netdev[0] || strchr(netdev, '/') || netdev[0] == '.' || access(path, F_OK) < 0)
		return error_set(err, -ENOENT,
				 "there is no network device %.40s on this host; next: `ip link` "
				 "lists them",
				 netdev);
	(void)snprintf(path, sizeof(path), "%.120s/class/net/%.40s/device", sys, netdev);
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	target[MAX(n, 0)] = '\0';
	const char *slash = strrchr(target, '/');
	if (n > 0 && pci_parse(slash ? slash + 1 : target, pci))
		return 0;
	return error_set(err, -ENODEV,
			 "%.40s is no PCI card of this host; next: `anynic pool list` shows cards "
			 "with virtual functions",
			 netdev);
}

int pci_function_find(const char *sys, const char *name, struct pci_function *out,
		      struct error *err)
{
	char pci[PCI_NAME];
	int rc = pci_parse(name, pci) ? 0 : pci_function_of_netdev(sys, name, pci, err);

	return rc < 0 ? rc : pci_function_read(sys, pci, out, err);
}

#define FUNCTIONS_MAX 4096

unsigned pci_function_list(const char *sys, pci_filter *wanted, struct pci_function *out,
			   unsigned max)
{
	char(*names)[PCI_NAME] = calloc(FUNCTIONS_MAX, PCI_NAME);
	char path[SYS_PATH];
	unsigned found = 0;

	if (!names)
		return 0;
	(void)snprintf(path, sizeof(path), "%.120s/bus/pci/devices", sys);
	unsigned n = list_folder(path, names, FUNCTIONS_MAX);
	for (unsigned i = 0; i < MIN(n, (unsigned)FUNCTIONS_MAX); i++) {
		struct pci_function f;

		if (pci_function_read(sys, names[i], &f, NULL) < 0 || !wanted(&f))
			continue;
		if (found < max)
			out[found] = f;
		found++;
	}
	free(names);
	return found;
}

unsigned pci_group_list(const char *sys, int group, const char *without, char (*out)[PCI_NAME],
			unsigned max)
{
	char path[SYS_PATH], all[64][PCI_NAME];
	unsigned found = 0;

	(void)snprintf(path, sizeof(path), "%.120s/kernel/iommu_groups/%d/devices", sys, group);
	unsigned n = list_folder(path, all, ARRAY_SIZE(all));
	for (unsigned i = 0; i < MIN(n, (unsigned)ARRAY_SIZE(all)); i++) {
		if (strcmp(all[i], without) == 0)
			continue;
		if (found < max)
			str_copy(out[found], PCI_NAME, all[i]);
		found++;
	}
	return found;
}

/* --- virtual functions ----------------------------------------------------------------------------------------------- */

unsigned sriov_list(const char *sys, const char *pf, char (*out)[PCI_NAME], unsigned max)
{
	unsigned n = 0;

	for (; n < SRIOV_VFS_MAX; n++) {
		char link[16], vf[PCI_NAME];

		(void)snprintf(link, sizeof(link), "virtfn%u", n);
		if (!read_link_name(sys, pf, link, vf, sizeof(vf)))
			break;
		if (n < max)
			str_copy(out[n], PCI_NAME, vf);
	}
	return n;
}

int sriov_number(const char *sys, const char *pf, const char *vf)
{
	char all[SRIOV_VFS_MAX][PCI_NAME];
	unsigned n = sriov_list(sys, pf, all, SRIOV_VFS_MAX);

	for (unsigned i = 0; i < n; i++)
		if (strcmp(all[i], vf) == 0)
			return (int)i;
	return -ENOENT;
}

int sriov_set_count(const char *sys, const char *pf, unsigned count, struct error *err)
{
	struct pci_function f;
	char text[16];
	int rc = pci_function_read(sys, pf, &f, err);

	if (rc < 0)
		return rc;
	if (!f.vfs_max)
		return error_set(err, -ENOTSUP, "%s cannot have virtual functions%s", pf,
				 f.pf[0] ? ": it is one itself"
					 : ": it has no SR-IOV, or its driver "
					   "does not offer it");
	if (count > f.vfs_max)
		return error_set(err, -ERANGE, "%s can have %u virtual functions at most", pf,
				 f.vfs_max);
	if (f.vfs == count)
		return 0;
	if (f.vfs && count)
		return error_set(
			err, -EBUSY,
			"%s has %u virtual functions already; next: `anynic pool create %s "
			"--vfs 0` takes them away, if nobody uses them",
			pf, f.vfs, f.netdev[0] ? f.netdev : pf);
	(void)snprintf(text, sizeof(text), "%u", count);
	rc = pci_function_write(sys, pf, "sriov_numvfs", text);
	if (rc == 0)
		return 0;
	return error_set(err, rc, "the kernel makes no %u virtual functions of %s: %s%s", count, pf,
			 strerror(-rc), rc == -EACCES || rc == -EPERM ? "; next: run as root" : "");
}
