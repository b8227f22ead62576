/* vf_settings.h - what a physical function is told about a virtual one before a guest gets it, and told back after. */
#ifndef ANYNIC_HOST_VF_SETTINGS_H
#define ANYNIC_HOST_VF_SETTINGS_H

#include "config/spec.h"
#include "host/netlink.h"
#include "host/pci_function.h"

/* The function as its physical one has it. */
struct vf_place {
	char pf[16];	 /* network device of the physical function */
	unsigned device; /* its index */
	bool up;
	unsigned number;
};

/* -ENODEV: the physical function has no network device here. */
int vf_place_find(struct netlink *nl, const char *sys, const struct pci_function *f,
		  struct vf_place *out, struct error *err);

/* What a card of a guest needs: -1 in what stays as it is. No VLAN said means none, as with libvirt. */
void vf_settings_for(const struct nic_spec *nic, enum link_wish link, struct vf_settings *out);

/* Sets what differs from `before`. A driver that does not know a setting (-EOPNOTSUPP) is named in `skipped`; only the MAC and a VLAN must be
 * had, since without them the guest would be somebody else. On failure what was set is set back. */
int vf_settings_set(struct netlink *nl, const struct vf_place *at, const struct vf_settings *wanted,
		    const struct vf_settings *before, char *skipped, size_t size,
		    struct error *err);

/* As `text` of a journal's line, and back. */
void vf_settings_format(const struct vf_settings *s, char *text, size_t size);
bool vf_settings_parse(const char *text, struct vf_settings *s);

#endif
