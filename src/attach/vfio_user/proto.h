/* proto.h - vfio-user on the wire: numbers and structs, in the byte order of the host, packed as they are here.
 *
 * Source: docs/interop/vfio-user.rst of QEMU; the kernel's linux/vfio.h for flags and indexes. Sizes are asserted: a struct
 * here is what travels after (or as) the header.
 */
#ifndef ANYNIC_ATTACH_VFIO_USER_PROTO_H
#define ANYNIC_ATTACH_VFIO_USER_PROTO_H

#include <stdint.h>

enum vu_command {
	VU_VERSION = 1,
	VU_DMA_MAP = 2,
	VU_DMA_UNMAP = 3,
	VU_GET_INFO = 4,
	VU_GET_REGION_INFO = 5,
	VU_GET_REGION_IO_FDS = 6,
	VU_GET_IRQ_INFO = 7,
	VU_SET_IRQS = 8,
	VU_REGION_READ = 9,
	VU_REGION_WRITE = 10,
	VU_DMA_READ = 11,  /* server to client */
	VU_DMA_WRITE = 12, /* server to client */
	VU_DEVICE_RESET = 13,
	VU_DIRTY_PAGES = 14, /* retired */
	VU_REGION_WRITE_MULTI = 15,
	VU_DEVICE_FEATURE = 16,
	VU_MIG_DATA_READ = 17,
	VU_MIG_DATA_WRITE = 18,
	VU_COMMANDS
};

#define VU_TYPE	    0x0fu /* of the header's flags */
#define VU_REQUEST  0x00u
#define VU_REPLY    0x01u
#define VU_NO_REPLY 0x10u
#define VU_ERROR    0x20u

struct vu_header {
	uint16_t id;
	uint16_t command;
	uint32_t size; /* of the whole message */
	uint32_t flags;
	uint32_t error;
};

struct vu_version {
	uint16_t major;
	uint16_t minor; /* JSON text with its NUL follows */
};

#define VU_DMA_R 0x1u
#define VU_DMA_W 0x2u

struct vu_dma_map {
	uint32_t argsz;
	uint32_t flags;
	uint64_t offset; /* in the descriptor's file */
	uint64_t iova;
	uint64_t size;
};

#define VU_UNMAP_DIRTY 0x1u
#define VU_UNMAP_ALL   0x2u

struct vu_dma_unmap {
	uint32_t argsz;
	uint32_t flags;
	uint64_t iova;
	uint64_t size;
};

#define VU_DEVICE_RESETS 0x1u
#define VU_DEVICE_PCI	 0x2u

struct vu_device_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t regions;
	uint32_t irqs;
};

enum vu_region_index { VU_BAR0, VU_BAR5 = 5, VU_ROM, VU_CONFIG, VU_VGA, VU_REGIONS };

#define VU_REGION_R 0x1u
#define VU_REGION_W 0x2u

struct vu_region_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t cap_offset;
	uint64_t size;
	uint64_t offset;
};

struct vu_region_io_fds {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

#define VU_IRQ_EVENTFD	  0x1u
#define VU_IRQ_MASKABLE	  0x2u
#define VU_IRQ_AUTOMASKED 0x4u
#define VU_IRQ_NORESIZE	  0x8u

struct vu_irq_info {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t count;
};

/* One of the first three with one of the last three. */
#define VU_IRQ_DATA_NONE    0x01u
#define VU_IRQ_DATA_BOOL    0x02u
#define VU_IRQ_DATA_EVENTFD 0x04u
#define VU_IRQ_MASK	    0x08u
#define VU_IRQ_UNMASK	    0x10u
#define VU_IRQ_TRIGGER	    0x20u

struct vu_set_irqs {
	uint32_t argsz;
	uint32_t flags;
	uint32_t index;
	uint32_t start;
	uint32_t count;
};

struct vu_region_access {
	uint64_t offset;
	uint32_t region;
	uint32_t count; /* data follows a write and a read's reply */
};

struct vu_write_entry {
	uint64_t offset;
	uint32_t region;
	uint32_t count;
	uint8_t data[8];
};

struct vu_dma_access {
	uint64_t address;
	uint64_t count;
};

struct vu_feature {
	uint32_t argsz;
	uint32_t flags;
};

#define VU_SIZE_IS(type, size)                                                                     \
	_Static_assert(sizeof(struct type) == (size), #type " as on the wire")
VU_SIZE_IS(vu_header, 16);
VU_SIZE_IS(vu_version, 4);
VU_SIZE_IS(vu_dma_map, 32);
VU_SIZE_IS(vu_dma_unmap, 24);
VU_SIZE_IS(vu_device_info, 16);
VU_SIZE_IS(vu_region_info, 32);
VU_SIZE_IS(vu_region_io_fds, 16);
VU_SIZE_IS(vu_irq_info, 16);
VU_SIZE_IS(vu_set_irqs, 20);
VU_SIZE_IS(vu_region_access, 16);
VU_SIZE_IS(vu_write_entry, 24);
VU_SIZE_IS(vu_dma_access, 16);
VU_SIZE_IS(vu_feature, 8);

#endif
