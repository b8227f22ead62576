/* vfio_user_nic.h - a small NIC for the tests of the vfio-user server: registers of every kind, INTx, MSI, MSI-X, FLR,
 * and a word of DMA. It carries no frames.
 */
#ifndef ANYNIC_TESTS_VFIO_USER_NIC_H
#define ANYNIC_TESTS_VFIO_USER_NIC_H

#include "nic/nic.h"

/* BAR 0: memory, 4096 bytes. BAR 2: the same registers as I/O ports, 256 bytes. BAR 4: MSI-X table and PBA. */
enum test_register {
	TEST_SCRATCH = 0x00, /* keeps what is written; 0x5a5a5a5a after reset */
	TEST_COUNT = 0x04,   /* counts its reads */
	TEST_KICK = 0x08,    /* makes queue (value & 31) runnable */
	TEST_LEVEL = 0x0c,   /* INTx level: 0 or 1 */
	TEST_RAISE = 0x10,   /* raises an MSI-X (or MSI) vector */
	TEST_DMA_LOW = 0x14, /* guest address ... */
	TEST_DMA_HIGH = 0x18,
	TEST_DMA_GO =
		0x1c, /* 1: TEST_DMA_WORD = the word at the address; 2: the word at the address = TEST_DMA_WORD */
	TEST_DMA_WORD = 0x20,
	TEST_DMA_OK = 0x24, /* whether the last one went well */
	TEST_LOG = 0x28,    /* writes are summed up: value = 31 * value + written */
	TEST_BLOCK = 0x40,  /* 16 words that keep what is written */
};

#define TEST_NIC_VECTORS 5
#define TEST_BAR_SIZE	 4096
#define TEST_IO_SIZE	 256

struct test_registers {
	uint32_t scratch, count, dma_low, dma_high, dma_word, dma_ok, log, block[16];
};

struct test_nic {
	struct nic nic;
	struct test_registers r;
	unsigned resets[3]; /* by enum reset_kind */
};

enum test_nic_kind {
	TEST_EXPRESS = 1, /* with PCIe capability, FLR and 4096 bytes of config space */
	TEST_NO_MSIX = 2,
};

/* `kind` is a set of enum test_nic_kind. `rom` may be NULL; it is borrowed. */
struct test_nic *test_nic_create(const char *id, unsigned kind, const uint8_t *rom,
				 uint32_t rom_size);
void test_nic_destroy(struct test_nic *t);

#endif
