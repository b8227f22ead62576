/* proto.h - vhost-user on the wire (docs/interop/vhost-user.rst of QEMU): numbers and structs, host byte order, packed. */
#ifndef ANYNIC_ATTACH_VHOST_USER_PROTO_H
#define ANYNIC_ATTACH_VHOST_USER_PROTO_H

#include "base/util.h"

enum vhu_request {
	VHU_GET_FEATURES = 1,
	VHU_SET_FEATURES,
	VHU_SET_OWNER,
	VHU_RESET_OWNER,
	VHU_SET_MEM_TABLE,
	VHU_SET_LOG_BASE,
	VHU_SET_LOG_FD,
	VHU_SET_VRING_NUM,
	VHU_SET_VRING_ADDR,
	VHU_SET_VRING_BASE,
	VHU_GET_VRING_BASE,
	VHU_SET_VRING_KICK,
	VHU_SET_VRING_CALL,
	VHU_SET_VRING_ERR,
	VHU_GET_PROTOCOL_FEATURES,
	VHU_SET_PROTOCOL_FEATURES,
	VHU_GET_QUEUE_NUM,
	VHU_SET_VRING_ENABLE,
	VHU_SEND_RARP,
	VHU_NET_SET_MTU,
	VHU_POSTCOPY_ADVISE = 28,
	VHU_POSTCOPY_LISTEN,
	VHU_POSTCOPY_END,
	VHU_RESET_DEVICE = 34,
	VHU_GET_MAX_MEM_SLOTS = 36,
	VHU_ADD_MEM_REG,
	VHU_REM_MEM_REG,
	VHU_SET_STATUS,
	VHU_GET_STATUS,
	VHU_SET_DEVICE_STATE_FD = 42,
	VHU_CHECK_DEVICE_STATE,
	VHU_REQUESTS
};

/* flags of the header */
#define VHU_VERSION_MASK 3u
#define VHU_VERSION	 1u
#define VHU_REPLY	 4u
#define VHU_NEED_REPLY	 8u

/* bits among the features of the device */
#define VHU_F_LOG_ALL		26
#define VHU_F_PROTOCOL_FEATURES 30

/* protocol features */
enum vhu_protocol {
	VHU_P_MQ = 0,
	VHU_P_LOG_SHMFD = 1,
	VHU_P_RARP = 2,
	VHU_P_REPLY_ACK = 3,
	VHU_P_NET_MTU = 4,
	VHU_P_RESET_DEVICE = 13,
	VHU_P_MEM_SLOTS = 15,
	VHU_P_STATUS = 16,
	VHU_P_DEVICE_STATE = 19,
};

#define VHU_TABLE_REGIONS 8 /* of SET_MEM_TABLE */
#define VHU_VRING_MASK	  0xffu
#define VHU_VRING_NOFD	  0x100u
#define VHU_VRING_LOG	  1u /* flags of SET_VRING_ADDR: used ring writes are logged */

struct vhu_header {
	uint32_t request, flags, size;
} __attribute__((packed));

struct vhu_region {
	uint64_t guest, size, user, offset;
} __attribute__((packed));

struct vhu_mem_table {
	uint32_t count, padding;
	struct vhu_region region[VHU_TABLE_REGIONS];
} __attribute__((packed));

struct vhu_mem_reg {
	uint64_t padding;
	struct vhu_region region;
} __attribute__((packed));

struct vhu_log {
	uint64_t size, offset;
} __attribute__((packed));

struct vhu_vring_state {
	uint32_t index, num;
} __attribute__((packed));

struct vhu_vring_addr {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
} __attribute__((packed));

struct vhu_transfer {
	uint32_t direction, phase;
} __attribute__((packed));

enum vhu_direction { VHU_SAVE, VHU_LOAD };

#endif
