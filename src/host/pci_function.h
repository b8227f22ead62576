/* pci_function.h - PCI functions of this host, as sysfs shows them: what drives one, which network device it is, what stands beside it.
 *
 * `sys` is where sysfs is: SYSFS, or a tree of a test's. Nothing is kept: each call looks anew.
 */
#ifndef ANYNIC_HOST_PCI_FUNCTION_H
#define ANYNIC_HOST_PCI_FUNCTION_H

#include "base/error.h"

#define SYSFS	      "/sys"
#define PCI_NAME      16  /* "0000:03:10.2" and its NUL */
#define SRIOV_VFS_MAX 256 /* of one physical function */

struct pci_function {
	char pci[PCI_NAME];
	char driver[32];   /* bound now; empty = none */
	char override[32]; /* the only driver that may be bound; empty = any that fits */
	char netdev[16];   /* its network device in our namespace; empty = none to be seen */
	char pf[PCI_NAME]; /* the physical function that it is a virtual one of; empty = it is none */
	int group;	   /* of the IOMMU; -1 = none */
	uint32_t class_code; /* 0x020000 = Ethernet */
	uint16_t vendor, device;
	unsigned vfs, vfs_max; /* its virtual functions: there are, there can be */
	bool resets;	       /* the kernel knows a way to reset it alone */
};

#define CLASS_IS_NETWORK(code) ((code) >> 16 == 0x02)

/* "3:10.2", "03:10.2" or "0000:03:10.2", as the kernel writes it. False: it is no PCI address. */
bool pci_parse(const char *text, char pci[PCI_NAME]);

/* -ENOENT: there is no such function. */
int pci_function_read(const char *sys, const char *pci, struct pci_function *out,
		      struct error *err);

/* The function behind a network device of our namespace. -ENOENT: no such device; -ENODEV: it is no PCI card. */
int pci_function_of_netdev(const char *sys, const char *netdev, char pci[PCI_NAME],
			   struct error *err);

/* A network device's name or a PCI address. */
int pci_function_find(const char *sys, const char *name, struct pci_function *out,
		      struct error *err);

/* All functions of the host that have `wanted`; at most `max` are stored. Returns how many there are. In order. */
typedef bool pci_filter(const struct pci_function *f);
unsigned pci_function_list(const char *sys, pci_filter *wanted, struct pci_function *out,
			   unsigned max);

/* Those of the same IOMMU group, without the function itself. Returns how many there are. */
unsigned pci_group_list(const char *sys, int group, const char *without, char (*out)[PCI_NAME],
			unsigned max);

/* Writes a file of the function. 0 or negative errno. */
int pci_function_write(const char *sys, const char *pci, const char *file, const char *text);

/* --- virtual functions -------------------------------------------------------------------------------------------- */

/* The virtual functions of `pf` in the order of their numbers. Returns how many there are. */
unsigned sriov_list(const char *sys, const char *pf, char (*out)[PCI_NAME], unsigned max);

/* Which number `vf` has, as netlink counts them; -ENOENT when it is none of `pf`. */
int sriov_number(const char *sys, const char *pf, const char *vf);

/* Makes `count` virtual functions; 0 takes them away. -ENOTSUP: it can have none; -ERANGE: not so many; -EBUSY: there are others already
 * (the kernel changes a number only by way of 0). */
int sriov_set_count(const char *sys, const char *pf, unsigned count, struct error *err);

#endif
