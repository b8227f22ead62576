/* vf_undo.h - the journal's lines of a function that was handed on: how they are written, and how they are taken back. */
#ifndef ANYNIC_HOST_VF_UNDO_H
#define ANYNIC_HOST_VF_UNDO_H

#include "host/netlink.h"
#include "host/undo.h"
#include "host/vf_pool.h"

/* Before the thing is done. */
void vf_undo_pool(struct undo_step *step, const char *pci, const char *guest, const char *port);
void vf_undo_driver(struct undo_step *step, const struct pci_function *before);
void vf_undo_settings(struct undo_step *step, const char *pci, const struct vf_settings *wanted,
		      const struct vf_settings *before);

/* Of a line that a killed anynic left: somebody else has the function meanwhile, and told it a MAC of his own. */
bool vf_settings_are_anothers(const struct undo_step *step, const struct vf_settings *now);
bool vf_is_anothers(const struct vf_host *host, const struct undo_step *step);

/* 1, 0 when there is nothing to do (any more), or an error. */
int vf_driver_give_back(const struct vf_host *host, const struct undo_step *step,
			struct error *err);
int vf_settings_give_back(const struct vf_host *host, const struct undo_step *step,
			  struct error *err);

#endif
