/* irq.c - interrupts leave as eventfd signals. INTx is a level here and an edge there: the VMM raises its line on a
 * signal, drops it on the next access to the device, and sends UNMASK, on which we signal again if the level is still up.
 */
#include <errno.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "pci/pci.h"

static void signal_fd(struct pci_device *dev, int fd)
{
	uint64_t one = 1;

	/* EAGAIN: 2^64 - 2 signals wait already; the guest will come */
	if (write(fd, &one, sizeof(one)) == sizeof(one))
		dev->interrupts++;
}

unsigned pci_irq_count(const struct pci_device *dev, enum pci_irq_index index)
{
	switch (index) {
	case PCI_INTX:
		return dev->config[PCI_INTERRUPT_PIN] ? 1 : 0;
	case PCI_MSI:
		return dev->msi ? 1u << ((get_le16(dev->config + dev->msi + PCI_MSI_FLAGS) &
					  PCI_MSI_FLAGS_QMASK) >>
					 1)
				: 0;
	case PCI_MSIX:
		return dev->msix ? (get_le16(dev->config + dev->msix + PCI_MSIX_FLAGS) &
				    PCI_MSIX_FLAGS_QSIZE) +
					   1u
				 : 0;
	default:
		return 0;
	}
}

enum pci_irq_mode pci_irq_mode(const struct pci_device *dev)
{
	bool msix = dev->msix &&
		    (get_le16(dev->config + dev->msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_ENABLE);
	bool msi = dev->msi &&
		   (get_le16(dev->config + dev->msi + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE);

	/* a VMM that emulates the capabilities itself shows the mode by the eventfds that it gives */
	if (msix || dev->irq_fds[PCI_MSIX])
		return IRQ_MSIX;
	return msi || dev->irq_fds[PCI_MSI] ? IRQ_MSI : IRQ_INTX;
}

static bool intx_allowed(const struct pci_device *dev)
{
	uint16_t command = get_le16(dev->config + PCI_COMMAND);

	return !(command & PCI_COMMAND_INTX_DISABLE) && pci_irq_mode(dev) == IRQ_INTX;
}

static void intx_signal(struct pci_device *dev)
{
	if (dev->intx_level && dev->irq_fd[PCI_INTX][0] >= 0 && intx_allowed(dev))
		signal_fd(dev, dev->irq_fd[PCI_INTX][0]);
}

void pci_intx_set(struct pci_device *dev, bool level)
{
	if (dev->intx_level == level)
		return;
	dev->intx_level = level;
	uint16_t status = get_le16(dev->config + PCI_STATUS);
	status = (uint16_t)(level ? status | PCI_STATUS_INTERRUPT : status & ~PCI_STATUS_INTERRUPT);
	put_le16(dev->config + PCI_STATUS, status);
	intx_signal(dev);
}

void pci_intx_unmask(struct pci_device *dev)
{
	intx_signal(dev);
}

static void raise_vector(struct pci_device *dev, enum pci_irq_index index, unsigned vector)
{
	if (vector >= PCI_VECTORS_MAX)
		return;
	if (dev->irq_fd[index][vector] >= 0)
		signal_fd(dev, dev->irq_fd[index][vector]);
	else if (vector < pci_irq_count(dev, index))
		dev->pending[index] |= 1u << vector;
}

void pci_msi_raise(struct pci_device *dev, unsigned vector)
{
	if (pci_irq_mode(dev) == IRQ_MSI)
		raise_vector(dev, PCI_MSI, vector);
}

void pci_msix_raise(struct pci_device *dev, unsigned vector)
{
	if (pci_irq_mode(dev) == IRQ_MSIX)
		raise_vector(dev, PCI_MSIX, vector);
}

int pci_irq_set_fd(struct pci_device *dev, enum pci_irq_index index, unsigned vector, int fd)
{
	if ((unsigned)index >= PCI_IRQ_INDEXES || vector >= PCI_VECTORS_MAX ||
	    vector >= pci_irq_count(dev, index)) {
		fd_close(&fd);
		return -EINVAL;
	}
	int *place = &dev->irq_fd[index][vector];
	dev->irq_changes++;
	if (*place >= 0)
		dev->irq_fds[index]--;
	fd_close(place);
	*place = fd;
	if (fd < 0)
		return 0;
	dev->irq_fds[index]++;
	if (index == PCI_INTX) {
		intx_signal(dev);
	} else if (dev->pending[index] & (1u << vector)) {
		dev->pending[index] &= ~(1u << vector);
		signal_fd(dev, fd);
	}
	return 0;
}

void pci_irq_clear(struct pci_device *dev, enum pci_irq_index index)
{
	if ((unsigned)index >= PCI_IRQ_INDEXES)
		return;
	dev->irq_changes++;
	for (unsigned i = 0; i < PCI_VECTORS_MAX; i++)
		fd_close(&dev->irq_fd[index][i]);
	dev->irq_fds[index] = 0;
	dev->pending[index] = 0;
}
