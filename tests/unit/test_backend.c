#include "backend_help.h"

#include "net/offload.h"

static struct rx_room rx;

static void the_list_finds_backends_by_name(void **state)
{
	static const char *const names[] = { "user", "tap", "stream", "null", "loop" };

	(void)state;
	assert_int_equal(backend_count, ARRAY_SIZE(names));
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		const struct backend_ops *ops = backend_find(names[i]);

		assert_non_null(ops);
		assert_string_equal(ops->name, names[i]);
		assert_true(ops->size >= sizeof(struct backend));
		assert_non_null(ops->summary);
	}
	assert_null(backend_find("passt"));
}

static void an_unknown_backend_is_an_error_and_its_descriptors_are_closed(void **state)
{
	struct error err = { 0 };
	int fd = open("/dev/null", O_RDONLY);
	struct backend_spec spec = spec_of("warp", fd);

	(void)state;
	assert_null(backend_create(&spec, &err));
	assert_int_equal(err.code, -ENOENT);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void every_backend_closes_what_it_got_when_it_cannot_begin(void **state)
{
	static const char *const types[] = { "user", "tap", "stream" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct error err = { 0 };
		struct backend_spec spec = spec_of(types[i], -1);

		assert_null(backend_create(&spec, &err));
		assert_true(err.code < 0 && err.text[0]);
	}
	struct error err = { 0 };
	struct backend_spec spec = spec_of("tap", open("/dev/null", O_RDWR));
	assert_null(backend_create(&spec, &err));
	assert_int_equal(fcntl(spec.fds[0], F_GETFD), -1);
	spec = spec_of("user", 0);
	spec.nfds = QUEUES_MAX + 1;
	for (unsigned i = 0; i < QUEUES_MAX; i++)
		spec.fds[i] = open("/dev/null", O_RDWR);
	assert_null(backend_create(&spec, &err));
	assert_int_equal(fcntl(spec.fds[7], F_GETFD), -1);
}

static void null_takes_everything_and_gives_nothing(void **state)
{
	struct backend_spec spec = spec_of("null", -1);
	uint8_t data[100];
	struct frame f;

	(void)state;
	struct backend *b = must_create(&spec);
	make_frame(&f, data, 1, sizeof(data));
	assert_true(b->up);
	assert_int_equal(b->ops->send(b, &f, 1), 1);
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH), 0);
	assert_int_equal(b->ops->offloads(b), FRAME_OFFLOADS_ALL);
	backend_destroy(b);
	backend_destroy(NULL);
}

static void loop_returns_frames_in_order_with_their_headers(void **state)
{
	struct backend_spec spec = spec_of("loop", -1);
	static uint8_t data[3][60000];
	struct frame f[3];

	(void)state;
	struct backend *b = must_create(&spec);
	assert_false(b->more);
	for (unsigned round = 0; round < 50; round++) {
		for (unsigned i = 0; i < 3; i++)
			make_frame(&f[i], data[i], i, 100 + 29000 * i + round);
		f[1].hdr.gso_size = 1448;
		f[1].queue = 5;
		assert_int_equal(b->ops->send(b, f, 3), 3);
		assert_true(b->more);
		assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 2), 2);
		assert_true(b->more);
		assert_frame(&rx.frames[0], 0, 100 + round);
		assert_frame(&rx.frames[1], 1, 29100 + round);
		assert_int_equal(rx.frames[1].hdr.gso_size, 1448);
		assert_int_equal(rx.frames[1].queue, 5);
		assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH), 1);
		assert_frame(&rx.frames[0], 2, 58100 + round);
		assert_false(b->more);
	}
	backend_destroy(b);
}

static void what_the_loop_gave_stays_as_it_is_until_it_is_asked_for_more(void **state)
{
	struct backend_spec spec = spec_of("loop", -1);
	static uint8_t data[5000];
	struct frame f, *got = rx_frames(&rx);

	(void)state;
	struct backend *b = must_create(&spec);
	make_frame(&f, data, 1, 200);
	assert_int_equal(b->ops->send(b, &f, 1), 1);
	assert_int_equal(b->ops->receive(b, 0, got, FRAME_BATCH), 1);
	make_frame(&f, data, 2, sizeof(data));
	while (b->ops->send(b, &f, 1) == 1)
		continue;
	assert_frame(&got[0], 1, 200);
	assert_true(b->ops->receive(b, 0, got, FRAME_BATCH) > 1);
	assert_frame(&got[0], 2, sizeof(data));
	backend_destroy(b);
}

static void a_full_loop_is_blocked_until_somebody_reads(void **state)
{
	struct backend_spec spec = spec_of("loop", -1);
	static uint8_t data[60000];
	struct frame f;
	unsigned sent = 0;

	(void)state;
	struct backend *b = must_create(&spec);
	make_frame(&f, data, 9, sizeof(data));
	while (b->ops->send(b, &f, 1) == 1)
		sent++;
	assert_in_range(sent, 5, 1000);
	assert_true(b->blocked);
	assert_true(b->more);
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 1), 1);
	assert_false(b->blocked);
	assert_int_equal(b->ops->send(b, &f, 1), 1);
	assert_false(b->blocked);
	for (unsigned i = 0; i < sent; i++) {
		assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 1), 1);
		assert_frame(&rx.frames[0], 9, sizeof(data));
	}
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 1), 0);
	backend_destroy(b);
}

static void loop_refuses_a_frame_whose_pieces_lie(void **state)
{
	struct backend_spec spec = spec_of("loop", -1);
	uint8_t data[100];
	struct frame f;

	(void)state;
	struct backend *b = must_create(&spec);
	make_frame(&f, data, 1, sizeof(data));
	f.length = 50;
	assert_int_equal(b->ops->send(b, &f, 1), 1);
	assert_int_equal(b->refused, 1);
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 1), 0);
	backend_destroy(b);
}

/* user: the other end of the socketpair plays anynic-user. */
static struct backend *user_pair(int *peer)
{
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	*peer = pair[1];
	struct backend_spec spec = spec_of("user", pair[0]);
	return must_create(&spec);
}

static void user_sends_a_packet_for_each_frame(void **state)
{
	static uint8_t data[FRAME_BATCH][2000];
	static struct frame f[FRAME_BATCH];
	uint8_t packet[2000];
	int peer;

	(void)state;
	struct backend *b = user_pair(&peer);
	for (unsigned i = 0; i < FRAME_BATCH; i++)
		make_frame(&f[i], data[i], i, 60 + 7 * i);
	/* one in pieces, as from a guest */
	f[2].iovs = 3;
	f[2].iov[1] = (struct iovec){ data[2] + 11, 1 };
	f[2].iov[2] = (struct iovec){ data[2] + 12, f[2].length - 12 };
	f[2].iov[0].iov_len = 11;
	unsigned taken = b->ops->send(b, f, FRAME_BATCH);
	assert_int_equal(taken, FRAME_BATCH);
	for (unsigned i = 0; i < taken; i++) {
		assert_int_equal(recv(peer, packet, sizeof(packet), 0), 60 + 7 * i);
		assert_memory_equal(packet, data[i], 60 + 7 * i);
	}
	close(peer);
	backend_destroy(b);
}

static void user_is_blocked_when_its_helper_does_not_read(void **state)
{
	uint8_t data[1514], packet[2000];
	struct frame f;
	unsigned sent = 0, got = 0;
	int peer;

	(void)state;
	struct backend *b = user_pair(&peer);
	make_frame(&f, data, 1, sizeof(data));
	while (b->ops->send(b, &f, 1) == 1 && sent < 100000)
		sent++;
	assert_true(b->blocked);
	assert_int_equal(b->refused, 0);
	while (recv(peer, packet, sizeof(packet), 0) > 0)
		got++;
	assert_int_equal(got, sent);
	assert_int_equal(b->ops->send(b, &f, 1), 1);
	assert_false(b->blocked);
	close(peer);
	backend_destroy(b);
}

static void user_receives_batches_and_throws_runts_away(void **state)
{
	uint8_t data[2000];
	struct frame f;
	int peer;

	(void)state;
	struct backend *b = user_pair(&peer);
	for (unsigned i = 0; i < 10; i++) {
		make_frame(&f, data, i, i % 3 == 1 ? 13 : 100 + i);
		assert_int_equal(send(peer, data, f.length, 0), f.length);
	}
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH), 7);
	static const unsigned kept[] = { 0, 2, 3, 5, 6, 8, 9 };
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		assert_frame(&rx.frames[i], kept[i], 100 + kept[i]);
		for (unsigned j = 0; j < i; j++) /* every buffer is still there once */
			assert_ptr_not_equal(rx.frames[i].iov[0].iov_base,
					     rx.frames[j].iov[0].iov_base);
	}
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH), 0);
	assert_true(b->up);
	close(peer);
	backend_destroy(b);
}

static void user_is_down_when_its_helper_ends(void **state)
{
	uint8_t data[100];
	struct frame f;
	int peer;

	(void)state;
	for (unsigned by_send = 0; by_send < 2; by_send++) {
		struct backend *b = user_pair(&peer);
		make_frame(&f, data, 7, sizeof(data));
		assert_int_equal(send(peer, data, sizeof(data), 0), sizeof(data));
		close(peer);
		if (by_send) {
			assert_int_equal(b->ops->send(b, &f, 1), 1);
			assert_int_equal(b->refused, 1);
		} else {
			assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH), 1);
			assert_frame(&rx.frames[0], 7, sizeof(data));
		}
		assert_false(b->up);
		assert_true(b->up_changed && b->fds_changed);
		assert_int_equal(b->fds, 0);
		assert_int_equal(b->fd[0], -1);
		assert_non_null(strstr(b->reason, "anynic-user"));
		assert_int_equal(b->ops->send(b, &f, 1), 1); /* taken, and gone */
		assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH), 0);
		backend_destroy(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_finds_backends_by_name),
		cmocka_unit_test(an_unknown_backend_is_an_error_and_its_descriptors_are_closed),
		cmocka_unit_test(every_backend_closes_what_it_got_when_it_cannot_begin),
		cmocka_unit_test(null_takes_everything_and_gives_nothing),
		cmocka_unit_test(loop_returns_frames_in_order_with_their_headers),
		cmocka_unit_test(a_full_loop_is_blocked_until_somebody_reads),
		cmocka_unit_test(what_the_loop_gave_stays_as_it_is_until_it_is_asked_for_more),
		cmocka_unit_test(loop_refuses_a_frame_whose_pieces_lie),
		cmocka_unit_test(user_sends_a_packet_for_each_frame),
		cmocka_unit_test(user_is_blocked_when_its_helper_does_not_read),
		cmocka_unit_test(user_receives_batches_and_throws_runts_away),
		cmocka_unit_test(user_is_down_when_its_helper_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
