#include "backend_help.h"

#include <sys/un.h>

#include "backend/stream/stream.h"
#include "base/fd.h"

static struct rx_room rx;

static struct backend *client_pair(int *peer)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			 0);
	*peer = pair[1];
	struct backend_spec spec = spec_of("stream", pair[0]);
	return must_create(&spec);
}

static size_t put_on_wire(uint8_t *wire, uint32_t number, uint32_t length)
{
	struct frame f;

	put_be32(wire, length);
	make_frame(&f, wire + 4, number, length);
	return 4 + length;
}

static void write_all(int fd, const uint8_t *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void frames_go_out_behind_their_length(void **state)
{
	static uint8_t data[40][3000], wire[200000];
	static struct frame f[40];
	int peer;

	(void)state;
	struct backend *b = client_pair(&peer);
	assert_true(b->up);
	for (unsigned i = 0; i < 40; i++)
		make_frame(&f[i], data[i], i, 60 + 70 * i);
	f[3].iovs = 2;
	f[3].iov[0].iov_len = 7;
	f[3].iov[1] = (struct iovec){ data[3] + 7, f[3].length - 7 };
	assert_int_equal(b->ops->send(b, f, 40), 40);
	size_t at = 0;
	ssize_t got = recv(peer, wire, sizeof(wire), 0);
	for (unsigned i = 0; i < 40; i++) {
		assert_int_equal(get_be32(wire + at), 60 + 70 * i);
		assert_memory_equal(wire + at + 4, data[i], 60 + 70 * i);
		at += 4 + 60 + 70 * i;
	}
	assert_int_equal(got, at);
	close(peer);
	backend_destroy(b);
}

/* The peer reads in small bites; memory of taken frames is overwritten at once, as a guest may do. */
static void a_frame_that_went_in_part_is_finished_from_a_copy(void **state)
{
	static uint8_t data[50000], wire[60 * 50004];
	size_t have = 0;
	unsigned sent = 0;
	int peer;

	(void)state;
	struct backend *b = client_pair(&peer);
	for (unsigned spins = 0; sent < 50 || b->blocked; spins++) {
		struct frame f;

		assert_true(spins < 100000);
		memset(data, 0, sizeof(data));
		make_frame(&f, data, sent, sizeof(data));
		if (sent < 50)
			sent += b->ops->send(b, &f, 1);
		else
			b->ops->send(b, NULL, 0);
		memset(data, 0xee, sizeof(data));
		ssize_t n = recv(peer, wire + have, 20011, 0);
		have += n > 0 ? (size_t)n : 0;
	}
	for (ssize_t n; (n = recv(peer, wire + have, sizeof(wire) - have, 0)) > 0;)
		have += (size_t)n;
	assert_int_equal(have, 50 * (4 + sizeof(data)));
	for (unsigned i = 0; i < 50; i++) {
		struct frame f;

		assert_int_equal(get_be32(wire + i * 50004), 50000);
		frame_set_linear(&f, wire + i * 50004 + 4, 50000);
		assert_frame(&f, i, 50000);
	}
	assert_int_equal(b->refused, 0);
	close(peer);
	backend_destroy(b);
}

static void frames_that_arrive_byte_by_byte_are_put_together(void **state)
{
	uint8_t wire[500];
	unsigned got = 0;
	int peer;

	(void)state;
	struct backend *b = client_pair(&peer);
	size_t len = put_on_wire(wire, 0, 60);
	len += put_on_wire(wire + len, 1, 200);
	for (size_t i = 0; i < len; i++) {
		write_all(peer, wire + i, 1);
		unsigned n = b->ops->receive(b, 0, rx_frames(&rx), FRAME_BATCH);
		assert_int_equal(n, i == 63 || i == len - 1);
		if (n)
			assert_frame(&rx.frames[0], got, got ? 200 : 60);
		got += n;
	}
	assert_int_equal(got, 2);
	close(peer);
	backend_destroy(b);
}

static void frames_that_wait_inside_are_announced(void **state)
{
	uint8_t wire[5000];
	size_t len = 0;
	int peer;

	(void)state;
	struct backend *b = client_pair(&peer);
	for (unsigned i = 0; i < 5; i++)
		len += put_on_wire(wire + len, i, 100 + i);
	write_all(peer, wire, len);
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 2), 2);
	assert_true(b->more);
	assert_false(fd_is(b->fd[0], POLLIN)); /* all bytes are here already */
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 8), 3);
	assert_frame(&rx.frames[2], 4, 104);
	assert_false(b->more);
	close(peer);
	backend_destroy(b);
}

static void runts_are_thrown_away_and_the_stream_goes_on(void **state)
{
	uint8_t wire[1000];
	size_t len = 0;
	int peer;

	(void)state;
	struct backend *b = client_pair(&peer);
	len += put_on_wire(wire + len, 1, 60);
	put_be32(wire + len, 0);
	len += 4;
	len += put_on_wire(wire + len, 2, 13);
	len += put_on_wire(wire + len, 3, 14);
	write_all(peer, wire, len);
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 8), 2);
	assert_frame(&rx.frames[0], 1, 60);
	assert_frame(&rx.frames[1], 3, 14);
	close(peer);
	backend_destroy(b);
}

static void the_longest_frame_passes_and_one_byte_more_disconnects(void **state)
{
	static uint8_t wire[2 * FRAME_MAX + 100];
	int peer;

	(void)state;
	struct backend *b = client_pair(&peer);
	size_t len = put_on_wire(wire, 1, FRAME_MAX);
	put_be32(wire + len, FRAME_MAX + 1);
	write_all(peer, wire, len + 4);
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 8), 1);
	assert_frame(&rx.frames[0], 1, FRAME_MAX);
	assert_false(b->up);
	assert_non_null(strstr(b->reason, "longer"));
	assert_int_equal(recv(peer, wire, 1, 0), 0); /* the peer is told */
	close(peer);
	backend_destroy(b);
}

static void a_client_stays_down_when_its_peer_leaves(void **state)
{
	uint8_t data[100];
	struct frame f;
	int peer;

	(void)state;
	make_frame(&f, data, 1, sizeof(data));
	for (unsigned by_send = 0; by_send < 2; by_send++) {
		struct backend *b = client_pair(&peer);
		close(peer);
		if (by_send)
			assert_int_equal(b->ops->send(b, &f, 1), 1);
		else
			assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 8), 0);
		assert_false(b->up);
		assert_int_equal(b->fds, 0);
		assert_true(b->up_changed && b->fds_changed);
		assert_int_equal(b->listen_fd, -1);
		assert_int_equal(b->ops->send(b, &f, 1), 1);
		backend_accept(b); /* nothing to accept, nothing happens */
		assert_false(b->up);
		backend_destroy(b);
	}
}

/* Half a frame of each direction stays with the old connection. */
static void a_client_goes_on_with_a_new_connection(void **state)
{
	static uint8_t big[60000], wire[FRAME_MAX + 4];
	uint8_t data[100];
	struct frame f;
	int peer, pair[2];

	(void)state;
	struct backend *b = client_pair(&peer);
	make_frame(&f, big, 7, sizeof(big));
	while (!b->blocked)
		b->ops->send(b, &f, 1);
	put_on_wire(wire, 1, 100);
	write_all(peer, wire, 50);
	for (unsigned round = 0; round < 3; round++) {
		bool lost = round != 1; /* in the second round it has not noticed */
		if (lost)
			close(peer);
		assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 8), 0);
		assert_int_equal(b->up, !lost);
		int old = lost ? -1 : peer;
		assert_int_equal(
			socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair),
			0);
		assert_int_equal(backend_renew(b, pair, 1, NULL), 0);
		peer = pair[1];
		if (old >= 0)
			assert_true(fd_is(old, POLLHUP));
		fd_close(&old);
		assert_true(b->up && b->fds_changed && !b->blocked);
		assert_int_equal(b->reason[0], '\0');
		make_frame(&f, data, round, sizeof(data));
		assert_int_equal(b->ops->send(b, &f, 1), 1);
		assert_int_equal(recv(peer, wire, sizeof(wire), 0), 104);
		assert_int_equal(get_be32(wire), 100);
		write_all(peer, wire, put_on_wire(wire, round, 90));
		assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 8), 1);
		assert_frame(&rx.frames[0], round, 90);
	}
	close(peer);
	backend_destroy(b);
}

static void what_has_no_use_for_a_new_descriptor_closes_it(void **state)
{
	struct backend_spec spec = spec_of("null", -1);
	struct backend *b = must_create(&spec);
	struct error err = { 0 };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(backend_renew(b, pair, 2, &err), -ENOTSUP);
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	assert_int_equal(fcntl(pair[1], F_GETFD), -1);
	assert_non_null(strstr(err.text, "null"));
	backend_destroy(b);
}

static int connect_to(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)at, sizeof(*at)), 0);
	return fd;
}

static void a_server_serves_one_peer_after_the_other(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	uint8_t wire[200], data[100];
	struct frame f;

	(void)state;
	snprintf(at.sun_path, sizeof(at.sun_path), "/tmp/anynic-test-stream-%d", getpid());
	unlink(at.sun_path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 4), 0);
	struct backend_spec spec = spec_of("stream", listener);
	spec.server = true;
	struct backend *b = must_create(&spec);

	assert_false(b->up);
	assert_int_equal(b->listen_fd, listener);
	make_frame(&f, data, 1, sizeof(data));
	assert_int_equal(b->ops->send(b, &f, 1), 1); /* nobody is there: lost, not kept */
	assert_int_equal(b->refused, 1);
	backend_accept(b);
	assert_false(b->up);

	int first = connect_to(&at), second = connect_to(&at);
	/* half a frame of the first peer must not reach into the second's stream */
	put_on_wire(wire, 1, 100);
	write_all(first, wire, 50);
	backend_accept(b);
	assert_true(b->up && b->up_changed && b->fds_changed);
	assert_int_equal(b->listen_fd, -1);
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 8), 0);
	close(first);
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 8), 0);
	assert_false(b->up);
	assert_int_equal(b->listen_fd, listener);

	backend_accept(b);
	assert_true(b->up);
	write_all(second, wire, put_on_wire(wire, 2, 80));
	assert_int_equal(b->ops->receive(b, 0, rx_frames(&rx), 8), 1);
	assert_frame(&rx.frames[0], 2, 80);
	assert_int_equal(b->ops->send(b, &f, 1), 1);
	assert_int_equal(recv(second, wire, sizeof(wire), 0), 104);
	close(second);
	backend_destroy(b);
	unlink(at.sun_path);
}

static void random_pieces_of_a_stream_give_every_frame_once(void **state)
{
	enum { COUNT = 400 };
	uint8_t *wire = malloc(COUNT * 9004);
	static uint32_t lengths[COUNT];
	size_t len = 0, at = 0;
	unsigned got = 0;
	int peer;

	(void)state;
	srand(7);
	for (unsigned i = 0; i < COUNT; i++) {
		lengths[i] = 14 + (uint32_t)rand() % (i % 10 ? 1600 : 9000);
		len += put_on_wire(wire + len, i, lengths[i]);
	}
	struct backend *b = client_pair(&peer);
	while (got < COUNT) {
		ssize_t sent = send(peer, wire + at, MIN(len - at, 1 + (size_t)rand() % 30000),
				    MSG_DONTWAIT);
		at += sent > 0 ? (size_t)sent : 0;
		unsigned n =
			b->ops->receive(b, 0, rx_frames(&rx), 1 + (unsigned)rand() % FRAME_BATCH);
		for (unsigned i = 0; i < n; i++, got++)
			assert_frame(&rx.frames[i], got, lengths[got]);
		assert_true(n || at < len || got == COUNT);
	}
	close(peer);
	backend_destroy(b);
	free(wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_out_behind_their_length),
		cmocka_unit_test(a_frame_that_went_in_part_is_finished_from_a_copy),
		cmocka_unit_test(frames_that_arrive_byte_by_byte_are_put_together),
		cmocka_unit_test(frames_that_wait_inside_are_announced),
		cmocka_unit_test(runts_are_thrown_away_and_the_stream_goes_on),
		cmocka_unit_test(the_longest_frame_passes_and_one_byte_more_disconnects),
		cmocka_unit_test(a_client_stays_down_when_its_peer_leaves),
		cmocka_unit_test(a_client_goes_on_with_a_new_connection),
		cmocka_unit_test(what_has_no_use_for_a_new_descriptor_closes_it),
		cmocka_unit_test(a_server_serves_one_peer_after_the_other),
		cmocka_unit_test(random_pieces_of_a_stream_give_every_frame_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
