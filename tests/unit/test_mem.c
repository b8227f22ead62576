#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mem/mem.h"

#define PAGE 4096u

static int ram_fd;

static int setup(void **state)
{
	static struct guest_mem m;

	ram_fd = memfd_create("ram", MFD_CLOEXEC);
	assert_true(ram_fd >= 0);
	assert_int_equal(ftruncate(ram_fd, 64 * PAGE), 0);
	mem_init(&m);
	m.bus_master = true;
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	mem_finish(*state);
	close(ram_fd);
	return 0;
}

static int map(struct guest_mem *m, uint64_t page, uint64_t pages, uint64_t file_page)
{
	return mem_map(m, page * PAGE, pages * PAGE, ram_fd, file_page * PAGE, MEM_READ | MEM_WRITE,
		       NULL);
}

static void copies_cross_regions(void **state)
{
	struct guest_mem *m = *state;
	char in[300], out[300];

	assert_int_equal(map(m, 10, 1, 5), 0);
	assert_int_equal(map(m, 11, 1, 0), 0);
	memset(in, 'x', sizeof(in));
	assert_true(mem_write(m, 11 * PAGE - 100, in, sizeof(in)));
	assert_true(mem_read(m, 11 * PAGE - 100, out, sizeof(out)));
	assert_memory_equal(in, out, sizeof(in));

	struct iovec iov[4];
	assert_int_equal(mem_iov(m, 11 * PAGE - 100, 300, MEM_READ, iov, 4), 2);
	assert_int_equal(iov[0].iov_len, 100);
	assert_int_equal(mem_iov(m, 11 * PAGE - 100, 300, MEM_READ, iov, 1), -E2BIG);
	assert_null(mem_pointer(m, 11 * PAGE - 100, 300, MEM_READ));
	assert_non_null(mem_pointer(m, 11 * PAGE - 100, 100, MEM_READ));
	assert_false(mem_read(m, 12 * PAGE - 1, out, 2));
	assert_int_equal(m->faults, 1);
}

static void overlaps_wraps_and_cuts_are_refused(void **state)
{
	struct guest_mem *m = *state;

	assert_int_equal(map(m, 10, 4, 0), 0);
	assert_int_equal(map(m, 13, 1, 0), -EEXIST);
	assert_int_equal(map(m, 8, 3, 0), -EEXIST);
	assert_int_equal(map(m, 8, 20, 0), -EEXIST);
	assert_int_equal(mem_map(m, UINT64_MAX - 100, 200, -1, 0, MEM_READ, NULL), -EINVAL);
	assert_int_equal(mem_map(m, 0, 0, -1, 0, MEM_READ, NULL), -EINVAL);
	assert_int_equal(mem_map(m, 0, PAGE, ram_fd, 64 * PAGE, MEM_READ, NULL),
			 -EINVAL); /* past the file */
	assert_int_equal(mem_unmap(m, 11 * PAGE, PAGE), -EINVAL);
	assert_int_equal(mem_unmap(m, 50 * PAGE, PAGE), -ENOENT);
	assert_int_equal(mem_unmap(m, 10 * PAGE, 4 * PAGE), 0);
	assert_int_equal(m->regions, 0);
	/* the very end of the address space is a legal place */
	assert_int_equal(mem_map(m, UINT64_MAX - PAGE + 1, PAGE, ram_fd, 0, MEM_READ, NULL), 0);
	assert_int_equal(mem_unmap(m, UINT64_MAX - PAGE + 1, PAGE), 0);
}

static void nothing_is_reachable_without_bus_mastering_or_descriptor(void **state)
{
	struct guest_mem *m = *state;
	char c = 1;

	assert_int_equal(map(m, 0, 1, 0), 0);
	assert_int_equal(mem_map(m, PAGE, PAGE, -1, 0, MEM_READ, NULL), 0);
	assert_true(mem_read(m, 0, &c, 1));
	assert_false(mem_read(m, PAGE, &c, 1));
	uint64_t generation = m->generation;
	mem_set_bus_master(m, false);
	assert_true(m->generation != generation);
	assert_false(mem_read(m, 0, &c, 1));
	assert_null(mem_pointer(m, 0, 1, MEM_READ));
}

static void a_read_only_region_refuses_writes(void **state)
{
	struct guest_mem *m = *state;
	char c = 1;

	assert_int_equal(mem_map(m, 0, PAGE, ram_fd, 0, MEM_READ, NULL), 0);
	assert_true(mem_read(m, 0, &c, 1));
	assert_false(mem_write(m, 0, &c, 1));
}

static void many_pages_in_any_order_stay_right(void **state)
{
	struct guest_mem *m = *state;
	enum { N = 2000 };
	static bool mapped[N];

	srand(1);
	memset(mapped, 0, sizeof(mapped));
	for (int i = 0; i < 20000; i++) {
		uint64_t page = (uint64_t)(rand() % N);
		if (mapped[page]) {
			assert_int_equal(mem_unmap(m, page * PAGE, PAGE), 0);
			mapped[page] = false;
		} else {
			assert_int_equal(map(m, page, 1, page % 64), 0);
			mapped[page] = true;
		}
	}
	for (uint64_t page = 0; page < N; page++) {
		char c;
		assert_int_equal(mem_read(m, page * PAGE + 7, &c, 1), mapped[page]);
	}
	assert_int_equal(mem_unmap(m, 0, N * PAGE), 0);
	assert_int_equal(m->regions, 0);
}

/* As QEMU maps the low memory of a PC over huge pages: cut at 640 KiB and at 1 MiB. */
static unsigned left;
static bool there_when_left;

static void note_leave(struct guest_mem *m)
{
	uint32_t word;

	left++;
	there_when_left = mem_read(m, 10 * PAGE, &word, sizeof(word));
}

static void whoever_has_host_addresses_hears_before_they_go(void **state)
{
	struct guest_mem *m = *state;

	left = 0;
	m->leave = note_leave;
	assert_int_equal(map(m, 10, 1, 0), 0);
	assert_int_equal(map(m, 12, 1, 1), 0);
	assert_int_equal(left, 0); /* more memory takes nothing away */
	assert_int_equal(mem_unmap(m, 11 * PAGE, PAGE), -ENOENT);
	assert_int_equal(left, 0);
	mem_set_bus_master(m, false);
	assert_int_equal(left, 1);
	assert_true(there_when_left);
	mem_set_bus_master(m, false);
	assert_int_equal(left, 1);
	mem_set_bus_master(m, true);
	left = 0;
	assert_int_equal(mem_unmap(m, 10 * PAGE, PAGE), 0);
	assert_int_equal(left, 1);
	assert_true(there_when_left);
	mem_unmap_all(m);
	assert_int_equal(left, 2);
	m->leave = NULL;
}

static void the_list_has_what_can_be_read_and_written_by_address(void **state)
{
	struct guest_mem *m = *state;
	struct mem_place place[3];
	const uint64_t pages[] = { 30, 10, 20 };

	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(map(m, pages[i], 2, 2 * i), 0);
	assert_int_equal(mem_map(m, 40 * PAGE, PAGE, ram_fd, 0, MEM_READ, NULL), 0);
	assert_int_equal(mem_map(m, 41 * PAGE, PAGE, -1, 0, MEM_READ | MEM_WRITE, NULL), 0);
	assert_int_equal(mem_list(m, place, 3), 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(place[i].iova, (i + 1) * 10 * PAGE);
		assert_int_equal(place[i].size, 2 * PAGE);
		assert_ptr_equal(place[i].host, mem_pointer(m, place[i].iova, 2 * PAGE, MEM_READ));
	}
	assert_int_equal(mem_list(m, place, 2), -E2BIG);
	mem_unmap_all(m);
	assert_int_equal(mem_list(m, place, 3), 0);
}

static void huge_pages_are_mapped_from_any_offset(void **state)
{
	struct guest_mem *m = *state;
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	uint32_t seen, value = 0x12345678;

	if (fd < 0 || ftruncate(fd, 4 << 20) < 0) {
		print_message("skip: this kernel has no huge pages\n");
		if (fd >= 0)
			close(fd);
		skip();
	}
	void *whole = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (whole == MAP_FAILED) {
		print_message("skip: no huge page is free\n");
		close(fd);
		skip();
	}
	assert_int_equal(mem_map(m, 0, 640 << 10, fd, 0, MEM_READ | MEM_WRITE, NULL), 0);
	assert_int_equal(mem_map(m, 1 << 20, 3 << 20, fd, 1 << 20, MEM_READ | MEM_WRITE, NULL), 0);
	assert_true(mem_write(m, (1 << 20) + 12, &value, sizeof(value)));
	memcpy(&seen, (char *)whole + (1 << 20) + 12, sizeof(seen));
	assert_int_equal(seen, value);
	assert_false(mem_read(m, 640 << 10, &seen, sizeof(seen)));
	assert_int_equal(mem_unmap(m, 0, 4 << 20), 0);
	munmap(whole, 4 << 20);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(copies_cross_regions, setup, teardown),
		cmocka_unit_test_setup_teardown(overlaps_wraps_and_cuts_are_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			nothing_is_reachable_without_bus_mastering_or_descriptor, setup, teardown),
		cmocka_unit_test_setup_teardown(a_read_only_region_refuses_writes, setup, teardown),
		cmocka_unit_test_setup_teardown(whoever_has_host_addresses_hears_before_they_go,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			the_list_has_what_can_be_read_and_written_by_address, setup, teardown),
		cmocka_unit_test_setup_teardown(many_pages_in_any_order_stay_right, setup,
						teardown),
		cmocka_unit_test_setup_teardown(huge_pages_are_mapped_from_any_offset, setup,
						teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
