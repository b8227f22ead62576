/* Advanced receive descriptors: what the guest finds in its ring and buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "nic/intel/regs.h"
#include "nic/intel/rx.h"

#define RAM	0x10000u
#define RING	0x1000u
#define BUFFERS 0x4000u
#define HEADERS 0x8000u
#define COUNT	8u

static struct nic nic;
static uint8_t *ram;
static struct intel_ring ring;
static uint8_t packet[1500];
static struct frame frame;
static struct intel_rx_info info;
static struct intel_image image;

static int set_up(void **state)
{
	struct error err;
	int fd = memfd_create("ram", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, RAM), 0);
	ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(&nic, 0, sizeof(nic));
	mem_init(&nic.mem);
	assert_int_equal(mem_map(&nic.mem, 0, RAM, fd, 0, MEM_READ | MEM_WRITE, &err), 0);
	mem_set_bus_master(&nic.mem, true);
	close(fd);
	ring = (struct intel_ring){ .bal = RING, .len = COUNT * 16, .tail = COUNT - 1 };
	for (unsigned i = 0; i < COUNT; i++) {
		put_le64(ram + RING + i * 16, BUFFERS + i * 0x800);
		put_le64(ram + RING + i * 16 + 8, HEADERS + i * 0x100);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mem_finish(&nic.mem);
	munmap(ram, RAM);
	return 0;
}

/* A TCP segment over IPv4 (54 bytes of headers, behind a tag if wanted) of `length` bytes. */
static void make_tcp(uint32_t length, bool tagged)
{
	uint32_t at = tagged ? 18 : 14;

	for (unsigned i = 0; i < length; i++)
		packet[i] = (uint8_t)i;
	if (tagged) {
		put_be16(packet + 12, 0x8100);
		put_be16(packet + 14, 0x2005);
	}
	put_be16(packet + at - 2, 0x0800);
	memset(packet + at, 0, 40);
	packet[at] = 0x45;
	put_be16(packet + at + 2, (uint16_t)(length - at));
	put_be16(packet + at + 4, 0xbeef);
	packet[at + 9] = 6;
	packet[at + 20 + 12] = 5 << 4;
	frame_set_linear(&frame, packet, length);
	intel_rx_look(&info, &frame, 0x8100);
}

static struct intel_rx lend(void)
{
	return (struct intel_rx){
		.nic = &nic,
		.ring = &ring,
		.format = &intel_rx_advanced,
		.buffer_size = 0x800,
		.packet_type = intel_rx_packet_type(&info),
	};
}

static const uint8_t *desc(unsigned i)
{
	return ram + RING + i * 16;
}

static void one_buffer_holds_the_frame_and_the_descriptor_says_what_it_is(void **state)
{
	struct intel_rx rx = lend();

	(void)state;
	make_tcp(300, true);
	rx = lend();
	rx.rss_hash = 0x12345678;
	rx.rss_type = 1;
	rx.status = BIT(16);
	intel_image_make(&image, &info, true, false);
	assert_int_equal(intel_rx_put(&rx, &image), 0);
	assert_int_equal(ring.head, 1);
	assert_int_equal(get_le16(desc(0)), RXT_IPV4 | RXT_TCP | 1);
	assert_int_equal(get_le16(desc(0) + 2), 0);
	assert_int_equal(get_le32(desc(0) + 4), 0x12345678);
	assert_int_equal(get_le32(desc(0) + 8), RXS_DD | RXS_EOP | RXS_VP | BIT(16));
	assert_int_equal(get_le16(desc(0) + 12), 296);
	assert_int_equal(get_le16(desc(0) + 14), 0x2005);
	assert_memory_equal(ram + BUFFERS, packet, 12);
	assert_memory_equal(ram + BUFFERS + 12, packet + 16, 284);
}

static void a_wrong_checksum_is_an_error_bit_of_the_status_dword(void **state)
{
	struct intel_rx rx;

	(void)state;
	make_tcp(100, false);
	intel_rx_check(&info, true, true);
	rx = lend();
	rx.report_ip = rx.report_l4 = true;
	intel_image_make(&image, &info, true, false);
	assert_int_equal(intel_rx_put(&rx, &image), 0);
	assert_int_equal(get_le32(desc(0) + 8),
			 0x60000000u | RXS_DD | RXS_EOP | RXS_IPCS | RXS_TCPCS);
}

static void a_long_frame_takes_several_descriptors_and_only_the_last_ends_it(void **state)
{
	struct intel_rx rx;

	(void)state;
	make_tcp(1500, false);
	rx = lend();
	rx.buffer_size = 1024;
	intel_image_make(&image, &info, true, false);
	assert_int_equal(intel_rx_put(&rx, &image), 0);
	assert_int_equal(ring.head, 2);
	assert_int_equal(get_le32(desc(0) + 8), RXS_DD);
	assert_int_equal(get_le16(desc(0) + 12), 1024);
	assert_int_equal(get_le32(desc(1) + 8), RXS_DD | RXS_EOP);
	assert_int_equal(get_le16(desc(1) + 12), 476);
	assert_memory_equal(ram + BUFFERS + 0x800, packet + 1024, 476);
}

static void a_header_is_split_off_where_psrtype_asks(void **state)
{
	struct intel_rx rx;

	(void)state;
	make_tcp(300, false);
	rx = lend();
	rx.header_size = 128;
	assert_int_equal(intel_rx_header_length(&info, BIT(3) | BIT(8)), 0);
	rx.header_length = intel_rx_header_length(&info, BIT(2));
	assert_int_equal(rx.header_length, 54);
	intel_image_make(&image, &info, true, false);
	assert_int_equal(intel_rx_put(&rx, &image), 0);
	assert_int_equal(get_le16(desc(0) + 2), 0x8000 | 54 << 5);
	assert_int_equal(get_le16(desc(0) + 12), 246);
	assert_memory_equal(ram + HEADERS, packet, 54);
	assert_memory_equal(ram + BUFFERS, packet + 54, 246);
}

static void the_tag_that_is_taken_out_shortens_the_header(void **state)
{
	struct intel_rx rx;

	(void)state;
	make_tcp(300, true);
	rx = lend();
	rx.header_size = 128;
	rx.header_length = intel_rx_header_length(&info, BIT(2));
	assert_int_equal(rx.header_length, 58);
	intel_image_make(&image, &info, true, false);
	assert_int_equal(intel_rx_put(&rx, &image), 0);
	assert_int_equal(get_le16(desc(0) + 2), 0x8000 | 54 << 5);
	assert_int_equal(get_le16(desc(0) + 12), 242);
}

static void a_header_longer_than_its_buffer_stays_with_the_packet(void **state)
{
	struct intel_rx rx;

	(void)state;
	make_tcp(300, false);
	rx = lend();
	rx.header_size = 32;
	rx.header_length = 54;
	intel_image_make(&image, &info, true, false);
	assert_int_equal(intel_rx_put(&rx, &image), 0);
	assert_int_equal(get_le16(desc(0) + 2), 0);
	assert_int_equal(get_le16(desc(0) + 12), 300);
	assert_int_equal(get_le32(desc(0) + 8), RXS_DD | RXS_EOP | BIT(23));
}

static void split_always_fills_the_header_buffer_first(void **state)
{
	struct intel_rx rx;

	(void)state;
	make_tcp(300, false);
	rx = lend();
	rx.header_size = 64;
	rx.split_always = true;
	rx.buffer_size = 200;
	intel_image_make(&image, &info, true, false);
	assert_int_equal(intel_rx_put(&rx, &image), 0);
	assert_int_equal(get_le16(desc(0) + 2), 0x8000 | 64 << 5);
	assert_int_equal(get_le16(desc(0) + 12), 200);
	/* the second descriptor of the frame has no header */
	assert_int_equal(get_le16(desc(1) + 2), 0);
	assert_int_equal(get_le16(desc(1) + 12), 36);
	assert_memory_equal(ram + BUFFERS + 0x800, packet + 264, 36);
}

static void a_udp_fragment_brings_its_ip_id_and_sum(void **state)
{
	struct intel_rx rx;

	(void)state;
	make_tcp(114, false);
	packet[14 + 9] = 17;
	put_be16(packet + 14 + 6, 0x2000 | 5); /* a middle fragment */
	memset(packet + 34, 0, 80);
	put_be16(packet + 34, 0x1234);
	intel_rx_look(&info, &frame, 0x8100);
	rx = lend();
	rx.fragment_csum = true;
	rx.rss_hash = 0xffffffff;
	intel_image_make(&image, &info, true, false);
	assert_int_equal(intel_rx_put(&rx, &image), 0);
	assert_int_equal(get_le16(desc(0) + 4), 0xbeef);
	assert_int_equal(get_le16(desc(0) + 6), (uint16_t)~0x1234);
	assert_int_equal(get_le32(desc(0) + 8), RXS_DD | RXS_EOP | BIT(10));
}

static void a_buffer_outside_memory_costs_the_frame_and_not_the_ring(void **state)
{
	struct intel_rx rx;

	(void)state;
	put_le64(ram + RING, 0xfffffffff000);
	make_tcp(100, false);
	rx = lend();
	intel_image_make(&image, &info, true, false);
	assert_int_equal(intel_rx_put(&rx, &image), -EFAULT);
	assert_int_equal(ring.head, 1);
	assert_true(get_le32(desc(0) + 8) & 0x80000000u);
	rx.errors = 0;
	assert_int_equal(intel_rx_put(&rx, &image), 0);
	assert_int_equal(ring.head, 2);
}

static void packet_types_name_every_layer(void **state)
{
	struct intel_rx_info i = { .l3 = L3_IPV6, .l4 = L4_UDP };

	(void)state;
	assert_int_equal(intel_rx_packet_type(&i), RXT_IPV6 | RXT_UDP);
	i.flags = RXF_OPTIONS;
	i.l4 = L4_SCTP;
	assert_int_equal(intel_rx_packet_type(&i), RXT_IPV6_EXTENSIONS | RXT_SCTP);
	i.l3 = L3_IPV4;
	i.l4 = L4_OTHER;
	assert_int_equal(intel_rx_packet_type(&i), RXT_IPV4_OPTIONS);
	i.l3 = L3_OTHER;
	assert_int_equal(intel_rx_packet_type(&i), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_buffer_holds_the_frame_and_the_descriptor_says_what_it_is),
		TEST(a_wrong_checksum_is_an_error_bit_of_the_status_dword),
		TEST(a_long_frame_takes_several_descriptors_and_only_the_last_ends_it),
		TEST(a_header_is_split_off_where_psrtype_asks),
		TEST(the_tag_that_is_taken_out_shortens_the_header),
		TEST(a_header_longer_than_its_buffer_stays_with_the_packet),
		TEST(split_always_fills_the_header_buffer_first),
		TEST(a_udp_fragment_brings_its_ip_id_and_sum),
		TEST(a_buffer_outside_memory_costs_the_frame_and_not_the_ring),
		TEST(packet_types_name_every_layer),
	};

	return cmocka_run_group_tests_name("intel_rxd", tests, NULL, NULL);
}
