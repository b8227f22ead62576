/* vfio.h - takes a PCI function from its driver, gives it to vfio-pci and takes it back: what libvirt calls managed.
 *
 * `sys` and `dev` as in vf_pool.h.
 */
#ifndef ANYNIC_HOST_VFIO_H
#define ANYNIC_HOST_VFIO_H

#include "host/pci_function.h"

#define VFIO_DRIVER "vfio-pci"

/* A driver whose functions QEMU takes: vfio-pci, and its variants (mlx5_vfio_pci). */
bool vfio_is_driver(const char *driver);

/* Whether a guest could have it: an IOMMU is there, and in its group is nothing that the guest would reach besides. -ENOTSUP, -EBUSY and
 * a reason with the next step. */
int vfio_check_group(const char *sys, const struct pci_function *f, struct error *err);

/* Somebody has it open. */
bool vfio_is_open(const char *dev, int group);

/* Whether this user may open it: 0, 1 = somebody has it open, or an error with the next step. */
int vfio_check_access(const char *dev, const struct pci_function *f, struct error *err);

/* Binds it to `driver` ("" = vfio-pci), whose module is loaded if need be. On failure it is as it was. */
int vfio_bind(const char *sys, const struct pci_function *f, const char *driver, struct error *err);

/* Gives it back: to `driver` ("" = to none), with driver_override as it was. Waits until nobody has it open. 1, or 0 when it is not bound to
 * a driver of VFIO any more. */
int vfio_unbind(const char *sys, const char *dev, const char *pci, const char *driver,
		const char *override, struct error *err);

#endif
