/* Conversations with the vhost-user server: as QEMU and DPDK lead them, and as nobody should. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/fd.h"
#include "vhost_user_client.h"

#define BASIC (F(VD_VERSION_1) | F(VD_MRG_RXBUF))
#define SPLIT (BASIC | F(VD_INDIRECT) | F(VD_EVENT_IDX))
#define PACK  (SPLIT | F(VD_PACKED))

static const uint8_t broadcast[100] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52,
					0x54, 0,    9,	  9,	9,    8,    0 };

/* A frame that tells its number. */
static void make_frame(uint8_t *f, size_t length, unsigned number)
{
	memcpy(f, broadcast, 14);
	for (size_t i = 14; i < length; i++)
		f[i] = (uint8_t)(number * 31 + i);
}

static void exchange(struct vhc *c, unsigned pair, size_t length, unsigned number)
{
	static uint8_t frame[FRAME_MAX], back[FRAME_MAX];

	make_frame(frame, length, number);
	vd_clear_wire(c->d);
	vd_send(c->d, pair, frame, length);
	vd_poke(c->d, 2 * pair + 1);
	vhc_pump(c);
	assert_int_equal(c->d->frames, 1);
	assert_int_equal(c->d->wire[0].length, length);
	assert_memory_equal(c->d->wire[0].data, frame, length);
	assert_true(vd_get(c->d, 2 * pair + 1, NULL, NULL));
	assert_int_equal(vd_say_queue(c->d, frame, length, (uint16_t)pair, NULL), 1);
	assert_int_equal(vd_receive(c->d, pair, back, sizeof(back), NULL), length);
	assert_memory_equal(back, frame, length);
	vd_give(c->d, pair, (unsigned)((length + 12 + 2047) / 2048), 2048);
}

static void frames_pass_both_ways(struct vhc *c, uint64_t features, unsigned pairs)
{
	static const size_t lengths[] = { 14, 60, 64, 1514, 2048, 9000, 65000 };

	vhc_up(c, features, pairs);
	for (unsigned p = 0; p < pairs; p++) {
		vd_give(c->d, p, 60, 2048);
		for (unsigned i = 0; i < 160 / pairs; i++)
			exchange(c, p, lengths[i % ARRAY_SIZE(lengths)], i);
	}
}

static void a_split_ring_carries_frames(void **state)
{
	frames_pass_both_ways(*state, SPLIT, 1);
}

static void a_packed_ring_carries_frames(void **state)
{
	frames_pass_both_ways(*state, PACK, 1);
}

static void four_pairs_carry_frames(void **state)
{
	struct vhc *c = vhc_create(4, true);

	(void)state;
	frames_pass_both_ways(c, PACK | F(VD_MQ), 4);
	assert_int_equal(vhc_get(c, VHU_GET_QUEUE_NUM), 4);
	assert_int_equal(vhc_destroy(c), 0);
}

static void what_is_offered_is_what_the_folder_promises(void **state)
{
	struct vhc *c = *state;

	vhc_connect(c);
	uint64_t features = vhc_get(c, VHU_GET_FEATURES);
	uint64_t must = PACK | F(VHU_F_LOG_ALL) | F(VHU_F_PROTOCOL_FEATURES) |
			F(VD_GUEST_ANNOUNCE) | F(VD_HOST_TSO4) | F(VD_GUEST_TSO4) | F(VD_IN_ORDER);
	assert_int_equal(features & must, must);
	/* these need a control queue or a configuration space, and both are the client's */
	assert_int_equal(features & (F(VD_MAC) | F(VD_STATUS) | F(VD_CTRL_RX) | F(VD_RING_RESET)),
			 0);
	assert_int_equal(vhc_get(c, VHU_GET_PROTOCOL_FEATURES), VHC_PROTOCOL);
}

static void the_driver_status_follows_rings_and_buffers(void **state)
{
	struct vhc *c = *state;
	struct driver_status *s = &c->d->nic->status;

	nic_update_status(c->d->nic);
	assert_int_equal(s->now.state, DRIVER_NONE);
	vhc_connect(c);
	assert_int_equal(s->now.state, DRIVER_NONE);
	vhc_hang_up(c);
	vhc_up(c, SPLIT, 1);
	assert_int_equal(s->now.state, DRIVER_INITIALIZING);
	vd_give(c->d, 0, 8, 2048);
	assert_int_equal(s->now.state, DRIVER_READY);
	assert_int_equal(s->now.phase, PHASE_OS);
	assert_non_null(strstr(s->now.evidence, "8 receive buffers"));
	vhc_enable(c, 0, false);
	assert_int_equal(s->now.state, DRIVER_INITIALIZING);
	vhc_enable(c, 0, true);
	assert_int_equal(s->now.state, DRIVER_READY);
	assert_int_equal(vhc_set_u64(c, VHU_SET_STATUS, VD_FAILED), 0);
	assert_int_equal(s->now.state, DRIVER_FAILED);
	assert_int_equal(vhc_set(c, VHU_RESET_DEVICE, NULL, 0, NULL, 0), 0);
	assert_int_equal(s->now.state, DRIVER_NONE);
	assert_int_equal(s->resets, 1);
	vhc_hang_up(c);
	assert_int_equal(s->now.state, DRIVER_NONE);
}

static void wait_ms(struct vhc *c, unsigned ms)
{
	vd_wait(c->d, ms * NS_PER_MS);
	vhc_pump(c);
	nic_update_status(c->d->nic);
}

/* QEMU before 8.2: rings stop when the link goes down, when the guest is stopped, and when the driver goes. */
static void a_client_that_tells_no_resets_is_believed_after_a_while(void **state)
{
	struct vhc *c = *state;
	struct nic *nic = c->d->nic;

	vhc_up(c, SPLIT, 1);
	assert_int_equal(
		vhc_set_u64(c, VHU_SET_PROTOCOL_FEATURES, VHC_PROTOCOL & ~BIT(VHU_P_DEVICE_STATE)),
		0);
	vd_give(c->d, 0, 8, 2048);
	nic_set_link(nic, false);
	uint32_t base = vhc_stop_ring(c, 0);
	for (unsigned i = 0; i < 5; i++) {
		wait_ms(c, 150);
		assert_int_equal(nic->status.now.state, DRIVER_READY);
	}
	nic_set_link(nic, true);
	wait_ms(c, 50);
	assert_int_equal(nic->status.now.state, DRIVER_READY);
	assert_int_equal(vhc_start_ring(c, 0, base), 0);
	vd_give(c->d, 0, 8, 2048);
	wait_ms(c, 500);
	assert_int_equal(nic->status.now.state, DRIVER_READY);
	assert_int_not_equal(vhc_stop_ring(c, 0), UINT32_MAX);
	wait_ms(c, 50);
	assert_int_equal(nic->status.now.state, DRIVER_READY);
	assert_false(nic->status.asks);
	wait_ms(c, 60);
	assert_true(nic->status.asks);
	assert_int_equal(nic->status.now.state, DRIVER_READY);
	vhost_user_settled(c->server);
	nic_update_status(nic);
	assert_int_not_equal(nic->status.now.state, DRIVER_READY);
}

/* On a busy machine its rings stop, and the word that the guest is stopped comes much later; it goes on, and they start much later. */
static void a_client_that_is_late_keeps_its_driver(void **state)
{
	struct vhc *c = *state;
	struct nic *nic = c->d->nic;

	vhc_up(c, SPLIT, 1);
	assert_int_equal(
		vhc_set_u64(c, VHU_SET_PROTOCOL_FEATURES, VHC_PROTOCOL & ~BIT(VHU_P_DEVICE_STATE)),
		0);
	vd_give(c->d, 0, 8, 2048);
	uint32_t base = vhc_stop_ring(c, 0);
	wait_ms(c, 500);
	assert_int_equal(nic->status.now.state, DRIVER_READY);
	assert_true(nic->status.asks);
	nic->status.asks = false;
	nic->stopped = true;
	vhost_user_settled(c->server);
	nic_update_status(nic);
	assert_int_equal(nic->status.now.state, DRIVER_READY);
	nic->stopped = false;
	vhost_user_settled(c->server); /* nobody had asked */
	wait_ms(c, 500);
	assert_int_equal(nic->status.now.state, DRIVER_READY);
	assert_true(nic->status.asks);
	assert_int_equal(vhc_start_ring(c, 0, base), 0);
	vhost_user_settled(c->server);
	vd_give(c->d, 0, 8, 2048);
	nic_update_status(nic);
	assert_int_equal(nic->status.now.state, DRIVER_READY);
}

/* QEMU tells its clients that the guest runs before it starts their rings, message by message, and control hears it later still. */
static void a_guest_that_goes_on_never_looks_lost(void **state)
{
	struct vhc *c = *state;
	struct nic *nic = c->d->nic;
	uint32_t base[2];

	vhc_up(c, SPLIT, 1);
	vd_give(c->d, 0, 8, 2048);
	for (unsigned turn = 0; turn < 3; turn++) {
		nic->stopped = true;
		for (unsigned r = 0; r < 2; r++) {
			base[r] = vhc_stop_ring(c, r);
			assert_int_equal(nic->status.now.state, DRIVER_READY);
		}
		vhc_enable(c, 0, false);
		for (unsigned r = 0; r < 2; r++) {
			assert_int_equal(vhc_start_ring(c, r, base[r]), 0);
			wait_ms(c, 150);
			assert_int_equal(nic->status.now.state, DRIVER_READY);
		}
		vhc_enable(c, 0, true);
		assert_int_equal(nic->status.now.state, DRIVER_READY);
		if (turn == 1)
			continue; /* stopped again before anybody looked */
		nic->stopped = false;
		vd_poke(c->d, 0);
		assert_int_equal(nic->status.now.state, DRIVER_READY);
		assert_non_null(strstr(nic->status.now.evidence, "receive buffers, vhost-user"));
	}
	vhc_enable(c, 0, false);
	assert_int_equal(nic->status.now.state, DRIVER_INITIALIZING);
}

/* A guest that came from another host: QEMU starts its rings, and control is late with the word that it runs. */
static void a_guest_whose_rings_run_before_it_does_is_ready_when_it_does(void **state)
{
	struct vhc *c = *state;
	struct nic *nic = c->d->nic;

	vhc_up(c, SPLIT, 1);
	vd_give(c->d, 0, 8, 2048);
	uint32_t base = vhc_stop_ring(c, 0);
	vhc_hang_up(c);
	assert_int_equal(nic->status.now.state, DRIVER_NONE);
	nic->stopped = true;
	vhc_greet(c, SPLIT);
	assert_int_equal(vhc_add_memory(c), 0);
	assert_int_equal(vhc_start_ring(c, 0, base), 0);
	vhc_enable(c, 0, true);
	assert_int_equal(nic->status.now.state, DRIVER_INITIALIZING);
	nic->stopped = false;
	vd_run(c->d); /* nobody kicks */
	assert_int_equal(nic->status.now.state, DRIVER_READY);
}

static void firmware_is_told_from_a_system_by_its_features(void **state)
{
	struct vhc *c = *state;

	vhc_up(c, F(VD_VERSION_1), 1);
	vd_give(c->d, 0, 8, 2048);
	assert_int_equal(c->d->nic->status.now.state, DRIVER_READY);
	assert_int_equal(c->d->nic->status.now.phase, PHASE_FIRMWARE);
}

static void a_ring_that_is_off_gets_nothing_and_sends_nothing(void **state)
{
	struct vhc *c = *state;

	vhc_up(c, SPLIT, 1);
	vd_give(c->d, 0, 8, 2048);
	vhc_enable(c, 1, false);
	vhc_enable(c, 0, false);
	vd_send(c->d, 0, broadcast, sizeof(broadcast));
	vd_poke(c->d, 1);
	vhc_pump(c);
	assert_int_equal(c->d->frames, 0);
	assert_true(vd_get(c->d, 1, NULL, NULL)); /* processed all the same */
	assert_int_equal(vd_say(c->d, broadcast, sizeof(broadcast)), 1);
	assert_false(vd_get(c->d, 0, NULL, NULL));
	vhc_enable(c, 0, true);
	vhc_enable(c, 1, true);
	exchange(c, 0, 60, 1);
}

static void who_knows_no_protocol_features_has_all_rings_on(void **state)
{
	struct vhc *c = *state;
	uint64_t features = SPLIT, ring = 0;
	struct vhu_mem_table t = { .count = 1 };

	t.region[0] = (struct vhu_region){ VD_RAM_AT, VD_RAM_SIZE, VHC_USER_AT, 0 };
	vhc_connect(c);
	c->d->features = SPLIT;
	vhc_send(c, VHU_SET_FEATURES, 0, &features, 8, NULL, 0);
	vhc_send(c, VHU_SET_MEM_TABLE, 0, &t, 40, &c->d->ram_fd, 1);
	for (; ring < 2; ring++) {
		struct vhu_vring_state num = { (uint32_t)ring, 64 };
		const struct vd_queue *q = &c->d->q[ring];
		vd_setup_queue(c->d, (unsigned)ring, 64);
		struct vhu_vring_addr a = { .index = (uint32_t)ring,
					    .desc = q->desc - VD_RAM_AT + VHC_USER_AT,
					    .used = q->device - VD_RAM_AT + VHC_USER_AT,
					    .avail = q->driver - VD_RAM_AT + VHC_USER_AT };
		vhc_send(c, VHU_SET_VRING_NUM, 0, &num, 8, NULL, 0);
		vhc_send(c, VHU_SET_VRING_ADDR, 0, &a, 40, NULL, 0);
		vhc_send(c, VHU_SET_VRING_CALL, 0, &ring, 8, &c->call[ring], 1);
		vhc_send(c, VHU_SET_VRING_KICK, 0, &ring, 8, &c->kick[ring], 1);
	}
	assert_true(vhc_alive(c));
	vd_give(c->d, 0, 8, 2048);
	exchange(c, 0, 60, 1);
	assert_non_null(strstr(c->d->nic->status.now.evidence, "rings started"));
}

static void used_buffers_are_called_and_a_missing_call_is_made_up_for(void **state)
{
	struct vhc *c = *state;
	uint64_t none = VHU_VRING_NOFD, zero = 0;

	vhc_up(c, BASIC, 1);
	vd_give(c->d, 0, 8, 2048);
	vd_say(c->d, broadcast, sizeof(broadcast));
	assert_int_equal(vhc_signals(c->call[0]), 1);
	assert_int_equal(vhc_set(c, VHU_SET_VRING_CALL, &none, 8, NULL, 0), 0);
	vd_say(c->d, broadcast, sizeof(broadcast));
	assert_int_equal(vhc_signals(c->call[0]), 0);
	assert_int_equal(vhc_set(c, VHU_SET_VRING_CALL, &zero, 8, &c->call[0], 1), 0);
	assert_int_equal(vhc_signals(c->call[0]), 1);
	/* one that is new may have missed what the old one got */
	assert_int_equal(vhc_set(c, VHU_SET_VRING_CALL, &zero, 8, &c->call[1], 1), 0);
	assert_int_equal(vhc_signals(c->call[1]), 1);
}

/* --- stopping, restarting --- */

static void stop_and_go_on(struct vhc *c, uint64_t features)
{
	vhc_up(c, features, 1);
	vd_give(c->d, 0, 20, 2048);
	for (unsigned i = 0; i < 100; i++)
		exchange(c, 0, 60, i);
	for (unsigned turn = 0; turn < 5; turn++) {
		uint32_t base[2];
		for (unsigned r = 0; r < 2; r++) {
			base[r] = vhc_stop_ring(c, r);
			assert_int_not_equal(base[r], UINT32_MAX);
		}
		/* while it is stopped nothing is touched, whatever the driver does */
		vd_send(c->d, 0, broadcast, sizeof(broadcast));
		vd_poke(c->d, 1);
		assert_int_equal(vd_say(c->d, broadcast, sizeof(broadcast)), 1);
		assert_false(vd_get(c->d, 1, NULL, NULL));
		assert_false(vd_get(c->d, 0, NULL, NULL));
		vd_clear_wire(c->d);
		for (unsigned r = 0; r < 2; r++)
			assert_int_equal(vhc_start_ring(c, r, base[r]), 0);
		vhc_pump(c);
		assert_int_equal(c->d->frames, 1);
		assert_true(vd_get(c->d, 1, NULL, NULL));
		for (unsigned i = 0; i < 77; i++)
			exchange(c, 0, 60, i);
	}
}

static void a_split_ring_stops_and_goes_on(void **state)
{
	stop_and_go_on(*state, SPLIT);
	assert_int_equal(vhc_stop_ring(*state, 1), 100 + 5 * 78);
}

static void a_packed_ring_stops_and_goes_on(void **state)
{
	stop_and_go_on(*state, PACK);
}

/* The client of a server that died knows where a split ring stood, and of a packed one only where it began. */
static void live_through_restarts(struct vhc *c, uint64_t features, uint32_t stale)
{
	vhc_up(c, features, 1);
	vd_give(c->d, 0, 30, 2048);
	for (unsigned turn = 0; turn < 20; turn++) {
		for (unsigned i = 0; i < 7 + turn; i++)
			exchange(c, 0, 60 + i, i);
		vd_send(c->d, 0, broadcast, sizeof(broadcast)); /* waits when it dies */
		vhc_restart_server(c);
		vd_clear_wire(c->d);
		vhc_greet(c, features);
		assert_int_equal(vhc_add_memory(c), 0);
		for (unsigned r = 0; r < 2; r++) {
			assert_int_equal(vhc_start_ring(c, r, stale), 0);
			vhc_enable(c, r, true);
			assert_true(vhc_signals(c->call[r]) >
				    0); /* the last call may never have come */
		}
		vhc_pump(c);
		assert_int_equal(c->d->frames, 1);
		assert_true(vd_get(c->d, 1, NULL, NULL));
	}
	exchange(c, 0, 1514, 3);
	exchange(c, 0, 20000, 4);
}

static void a_split_ring_lives_through_twenty_restarts(void **state)
{
	live_through_restarts(*state, SPLIT, 0);
}

static void a_packed_ring_lives_through_twenty_restarts(void **state)
{
	live_through_restarts(*state, PACK, 0x80008000);
}

/* Killed between two stores of a batch: the first slot is not yet shown, those behind it are. */
static void a_batch_that_was_half_shown_is_shown_after_the_restart(void **state)
{
	struct vhc *c = *state;
	uint8_t back[200];

	vhc_up(c, BASIC | F(VD_PACKED), 1);
	vd_give(c->d, 0, 10, 2048);
	for (unsigned i = 0; i < 4; i++)
		vd_say(c->d, broadcast, sizeof(broadcast));
	uint8_t *first = vd_at(c->d, c->d->q[0].desc) + 14;
	put_le16(first, (get_le16(first) & 0x7fff) | 0x4000); /* slot 0: available, but done */
	vhc_restart_server(c);
	vhc_greet(c, BASIC | F(VD_PACKED));
	vhc_add_memory(c);
	assert_int_equal(vhc_start_ring(c, 0, 0x80008000), 0);
	vhc_enable(c, 0, true);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(vd_receive(c->d, 0, back, sizeof(back), NULL), sizeof(broadcast));
	assert_int_equal(vd_receive(c->d, 0, back, sizeof(back), NULL), -1);
	assert_int_equal(vd_say(c->d, broadcast, sizeof(broadcast)), 1);
	assert_int_equal(vd_receive(c->d, 0, back, sizeof(back), NULL), sizeof(broadcast));
}

/* Chains of several slots leave slots behind that look as if they waited. */
static void a_packed_ring_of_chains_is_found_again(void **state)
{
	struct vhc *c = *state;
	uint64_t features = BASIC | F(VD_PACKED); /* no indirect tables */

	vhc_up(c, features, 1);
	for (unsigned turn = 0; turn < 40; turn++) {
		uint64_t head = vd_alloc(c->d, 12, 8), body = vd_alloc(c->d, 100, 8);
		struct vd_piece p[3] = { { head, 12 }, { body, 40 }, { body + 40, 60 } };
		memcpy(vd_at(c->d, body), broadcast, 100);
		assert_true(vd_add(c->d, 1, p, 3, NULL, 0, turn) >= 0);
		if (turn % 5 == 4) { /* it waits meanwhile */
			vhc_restart_server(c);
			vhc_greet(c, features);
			vhc_add_memory(c);
			assert_int_equal(vhc_start_ring(c, 1, 0x80008000), 0);
			vhc_enable(c, 1, true);
		} else {
			vd_poke(c->d, 1);
		}
		vhc_pump(c);
		uint64_t cookie;
		assert_true(vd_get(c->d, 1, &cookie, NULL));
		assert_int_equal(cookie, turn);
	}
	assert_int_equal(c->d->frames, 40);
}

static void a_client_that_comes_again_before_its_end_was_seen_is_served(void **state)
{
	struct vhc *c = *state;

	vhc_up(c, SPLIT, 1);
	fd_close(&c->fd); /* and no turn for the server */
	vhc_up(c, SPLIT, 1);
	vd_give(c->d, 0, 8, 2048);
	exchange(c, 0, 60, 1);
}

static void a_second_client_is_sent_away(void **state)
{
	struct vhc *c = *state;

	vhc_up(c, SPLIT, 1);
	int first = c->fd;
	vhc_connect(c);
	assert_false(vhc_alive(c));
	close(c->fd);
	c->fd = first;
	assert_true(vhc_alive(c));
	vd_give(c->d, 0, 8, 2048);
	exchange(c, 0, 60, 1);
}

/* --- memory --- */

static void memory_in_a_table_replaces_what_was_there(void **state)
{
	struct vhc *c = *state;
	struct vhu_mem_table t = { .count = 2 };
	uint32_t half = VD_RAM_SIZE / 2;
	int fds[2] = { c->d->ram_fd, c->d->ram_fd };

	vhc_up(c, SPLIT, 1);
	vd_give(c->d, 0, 8, 2048);
	t.region[0] = (struct vhu_region){ VD_RAM_AT, half, VHC_USER_AT, 0 };
	t.region[1] = (struct vhu_region){ VD_RAM_AT + half, half, VHC_USER_AT + half, half };
	assert_int_equal(vhc_set(c, VHU_SET_MEM_TABLE, &t, 8 + 2 * 32, fds, 2), 0);
	exchange(c, 0, 60, 1);
	exchange(c, 0, 9000, 2);
}

static void memory_that_goes_and_comes_back_is_found_again(void **state)
{
	struct vhc *c = *state;
	struct vhu_mem_reg m = {
		.region = { .guest = VD_RAM_AT, .size = VD_RAM_SIZE, .user = VHC_USER_AT }
	};

	vhc_up(c, SPLIT, 1);
	vd_give(c->d, 0, 8, 2048);
	assert_int_equal(vhc_set(c, VHU_REM_MEM_REG, &m, sizeof(m), &c->d->ram_fd, 1), 0);
	vd_send(c->d, 0, broadcast, sizeof(broadcast));
	vd_poke(c->d, 1);
	vhc_pump(c);
	assert_int_equal(c->d->frames, 0);
	assert_int_equal(vhc_add_memory(c), 0);
	vhc_pump(c);
	assert_int_equal(c->d->frames, 1);
	assert_true(vd_get(c->d, 1, NULL, NULL));
	exchange(c, 0, 60, 1);
}

static void regions_that_cannot_be_are_refused(void **state)
{
	struct vhc *c = *state;
	static const struct {
		struct vhu_region r;
		bool fd;
	} bad[] = {
		{ { VD_RAM_AT, 0, VHC_USER_AT, 0 }, true },
		{ { UINT64_MAX - 4095, 8192, VHC_USER_AT, 0 }, true },
		{ { VD_RAM_AT, 4096, UINT64_MAX - 100, 0 }, true },
		{ { VD_RAM_AT, 4096, VHC_USER_AT, VD_RAM_SIZE }, true },
		{ { VD_RAM_AT, 4096, VHC_USER_AT, UINT64_MAX - 4095 }, true },
		{ { VD_RAM_AT, 2ull * VD_RAM_SIZE, VHC_USER_AT, 0 }, true },
		{ { VD_RAM_AT, 4096, VHC_USER_AT, 0 }, false },
	};

	vhc_greet(c, SPLIT);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vhu_mem_reg m = { .region = bad[i].r };
		assert_int_equal(
			vhc_set(c, VHU_ADD_MEM_REG, &m, sizeof(m), &c->d->ram_fd, bad[i].fd), 1);
	}
	assert_int_equal(vhc_add_memory(c), 0);
	assert_int_equal(vhc_add_memory(c), 1); /* once is enough */
	struct vhu_mem_reg aside = { .region = { VD_RAM_AT + 2ull * VD_RAM_SIZE, 4096,
						 VHC_USER_AT + 4096, 0 } };
	assert_int_equal(vhc_set(c, VHU_ADD_MEM_REG, &aside, sizeof(aside), &c->d->ram_fd, 1), 1);
	assert_int_equal(c->d->nic->mem.regions, 1);
	assert_true(vhc_alive(c));
}

static void rings_outside_memory_do_not_start(void **state)
{
	struct vhc *c = *state;

	vhc_greet(c, SPLIT);
	vd_setup_queue(c->d, 0, 64);
	assert_int_equal(vhc_start_ring(c, 0, 0), 1);
	vhc_add_memory(c);
	c->d->q[0].device = VD_RAM_AT + VD_RAM_SIZE - 8; /* only its beginning */
	assert_int_equal(vhc_start_ring(c, 0, 0), 1);
	vd_setup_queue(c->d, 0, 64);
	c->d->q[0].desc += 8;
	assert_int_equal(vhc_start_ring(c, 0, 0), 1);
	vd_setup_queue(c->d, 0, 64);
	assert_int_equal(vhc_start_ring(c, 0, 0), 0);
}

/* --- the log of dirty pages --- */

static bool logged(const uint8_t *log, uint64_t guest)
{
	uint64_t page = guest / 4096;

	return log[page / 8] & (1 << page % 8);
}

static void written_pages_are_logged(struct vhc *c, uint64_t features)
{
	size_t size = (VD_RAM_AT + VD_RAM_SIZE) / 4096 / 8;
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct vhu_log where = { size, 4096 };
	struct vhu_header h;
	uint64_t at;

	assert_int_equal(ftruncate(fd, (off_t)size + 4096), 0);
	uint8_t *log = mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	vhc_up(c, features, 1);
	vd_give(c->d, 0, 8, 8192);
	vhc_send(c, VHU_SET_LOG_BASE, 0, &where, sizeof(where), &fd, 1);
	assert_int_equal(vhc_reply(c, &h, &at, sizeof(at)), 0);
	assert_int_equal(h.request, VHU_SET_LOG_BASE);
	uint64_t all = features | F(VHU_F_PROTOCOL_FEATURES);
	vd_say(c->d, broadcast, sizeof(broadcast));
	assert_true(vd_get(c->d, 0, &at, NULL));
	assert_false(logged(log + 4096, at)); /* not asked for yet */
	assert_int_equal(vhc_set_u64(c, VHU_SET_FEATURES, all | F(VHU_F_LOG_ALL)), 0);
	assert_int_equal(vhc_tell_addresses(c, 0, VHU_VRING_LOG), 0);
	static uint8_t frame[6000] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	vd_say(c->d, frame, sizeof(frame));
	assert_true(vd_get(c->d, 0, &at, NULL));
	assert_true(logged(log + 4096, at));
	assert_true(logged(log + 4096, at + 5000));
	assert_true(
		logged(log + 4096, features & F(VD_PACKED) ? c->d->q[0].desc : c->d->q[0].device));
	assert_int_equal(vhc_set_u64(c, VHU_SET_FEATURES, all), 0);
	memset(log, 0, size + 4096);
	vd_say(c->d, frame, sizeof(frame));
	for (size_t i = 0; i < size; i++)
		assert_int_equal(log[4096 + i], 0);
	munmap(log, size + 4096);
	close(fd);
}

static void written_pages_of_a_split_ring_are_logged(void **state)
{
	written_pages_are_logged(*state, SPLIT);
}

static void written_pages_of_a_packed_ring_are_logged(void **state)
{
	written_pages_are_logged(*state, PACK);
}

static void a_log_that_is_too_short_loses_pages_and_nothing_else(void **state)
{
	struct vhc *c = *state;
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct vhu_log where = { 16, 0 };
	struct vhu_header h;
	uint64_t reply, all = SPLIT | F(VHU_F_PROTOCOL_FEATURES) | F(VHU_F_LOG_ALL);

	assert_int_equal(ftruncate(fd, 16), 0);
	vhc_up(c, SPLIT, 1);
	vd_give(c->d, 0, 8, 2048);
	vhc_send(c, VHU_SET_LOG_BASE, 0, &where, sizeof(where), &fd, 1);
	assert_int_equal(vhc_reply(c, &h, &reply, sizeof(reply)), 0);
	assert_int_equal(vhc_set_u64(c, VHU_SET_FEATURES, all), 0);
	exchange(c, 0, 60, 1);
	where.size =
		4096; /* and one larger than its file ends the conversation: it has no other answer */
	vhc_send(c, VHU_SET_LOG_BASE, 0, &where, sizeof(where), &fd, 1);
	assert_false(vhc_alive(c));
	close(fd);
}

/* --- saved state, RARP, MTU, status --- */

static void saved_state_goes_to_another_card(void **state)
{
	struct vhc *c = *state, *other;
	struct vhu_transfer save = { VHU_SAVE, 0 }, load = { VHU_LOAD, 0 };
	struct vhu_header h;
	uint64_t reply;
	uint8_t blob[4096];
	int ends[2];

	vhc_up(c, SPLIT, 1);
	vd_give(c->d, 0, 8, 2048);
	exchange(c, 0, 77, 1);
	assert_int_equal(pipe(ends), 0);
	/* not while rings run */
	vhc_send(c, VHU_SET_DEVICE_STATE_FD, 0, &save, 8, &ends[1], 1);
	assert_int_equal(vhc_reply(c, &h, &reply, 8), 8);
	assert_int_not_equal(reply & 0xff, 0);
	vhc_stop_ring(c, 0);
	vhc_stop_ring(c, 1);
	vhc_send(c, VHU_SET_DEVICE_STATE_FD, 0, &save, 8, &ends[1], 1);
	assert_int_equal(vhc_reply(c, &h, &reply, 8), 8);
	assert_int_equal(reply, 0x100);
	close(ends[1]);
	ssize_t size = read(ends[0], blob, sizeof(blob));
	assert_true(size > 500);
	assert_int_equal(read(ends[0], blob, 1), 0);
	assert_int_equal(vhc_get(c, VHU_CHECK_DEVICE_STATE), 0);
	close(ends[0]);

	other = vhc_create(1, true);
	vhc_greet(other, SPLIT);
	for (int damage = 2; damage >= 0; damage--) {
		assert_int_equal(pipe(ends), 0);
		vhc_send(other, VHU_SET_DEVICE_STATE_FD, 0, &load, 8, &ends[0], 1);
		assert_int_equal(vhc_reply(other, &h, &reply, 8), 8);
		assert_int_equal(reply, 0x100);
		close(ends[0]);
		/* whole, cut short, and of something else */
		assert_true(write(ends[1], blob + (damage == 2), (size_t)(size - (damage > 0))) >
			    0);
		close(ends[1]);
		assert_int_equal(vhc_get(other, VHU_CHECK_DEVICE_STATE), damage != 0);
	}
	assert_int_equal(other->d->nic->counters.tx_frames, 1);
	assert_int_equal(other->d->nic->counters.tx_bytes, 77);
	/* one that never ends is not waited for */
	assert_int_equal(pipe(ends), 0);
	vhc_send(other, VHU_SET_DEVICE_STATE_FD, 0, &load, 8, &ends[0], 1);
	assert_int_equal(vhc_reply(other, &h, &reply, 8), 8);
	assert_int_equal(vhc_get(other, VHU_CHECK_DEVICE_STATE), 1);
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(vhc_destroy(other), 0);
}

static void a_rarp_goes_out_for_the_address(void **state)
{
	struct vhc *c = *state;
	uint64_t mac = 0;

	memcpy(&mac, "\x52\x54\x00\x0a\x0b\x0c", 6);
	vhc_up(c, SPLIT, 1);
	assert_int_equal(vhc_set_u64(c, VHU_SEND_RARP, mac), 0);
	assert_int_equal(c->d->frames, 1);
	const uint8_t *f = c->d->wire[0].data;
	assert_int_equal(c->d->wire[0].length, 60);
	assert_memory_equal(f, "\xff\xff\xff\xff\xff\xff\x52\x54\x00\x0a\x0b\x0c\x80\x35", 14);
	assert_memory_equal(f + 14, "\x00\x01\x08\x00\x06\x04\x00\x03", 8);
	assert_memory_equal(f + 22, &mac, 6);
	assert_memory_equal(f + 32, &mac, 6);
}

static void status_is_kept_as_bits(void **state)
{
	struct vhc *c = *state;

	vhc_greet(c, SPLIT);
	assert_int_equal(vhc_get(c, VHU_GET_STATUS), 0);
	assert_int_equal(vhc_set_u64(c, VHU_SET_STATUS, VD_FEATURES_OK), 0);
	assert_int_equal(vhc_set_u64(c, VHU_SET_STATUS, 7), 0);
	assert_int_equal(vhc_get(c, VHU_GET_STATUS), 7);
	assert_int_equal(vhc_set_u64(c, VHU_SET_STATUS, 256), 1);
	assert_int_equal(vhc_set_u64(c, VHU_NET_SET_MTU, 1500), 0);
	assert_int_equal(vhc_set_u64(c, VHU_NET_SET_MTU, 67), 1);
	assert_int_equal(vhc_set_u64(c, VHU_NET_SET_MTU, 65536), 1);
	assert_true(vhc_get(c, VHU_GET_MAX_MEM_SLOTS) >= 32);
}

static void a_broken_ring_is_told_and_mended_by_a_reset(void **state)
{
	struct vhc *c = *state;
	int err = eventfd(0, EFD_NONBLOCK);
	uint64_t one = 1;

	vhc_up(c, BASIC, 1);
	assert_int_equal(vhc_set(c, VHU_SET_VRING_ERR, &one, 8, &err, 1), 0);
	struct vd_piece nowhere = { 0x100, 64 };
	vd_add(c->d, 1, &nowhere, 1, NULL, 0, 0);
	vd_poke(c->d, 1);
	vhc_pump(c);
	assert_int_equal(c->d->nic->status.now.state, DRIVER_FAILED);
	assert_non_null(strstr(c->d->nic->status.now.evidence, "ring 1"));
	assert_int_equal(vhc_signals(err), 1);
	assert_true(vhc_get(c, VHU_GET_STATUS) & VD_NEEDS_RESET);
	assert_int_equal(vhc_set(c, VHU_RESET_DEVICE, NULL, 0, NULL, 0), 0);
	vhc_hang_up(c);
	vhc_up(c, BASIC, 1);
	vd_give(c->d, 0, 8, 2048);
	exchange(c, 0, 60, 1);
	close(err);
}

/* --- nonsense --- */

static void every_message_of_a_wrong_size_is_refused(void **state)
{
	struct vhc *c = *state;
	static const uint8_t zeroes[264];

	for (uint32_t request = 0; request < VHU_REQUESTS + 3; request++)
		for (uint32_t size = 0; size <= 264; size += size < 48 ? 1 : 24) {
			if (c->fd < 0 || !vhc_alive(c)) {
				fd_close(&c->fd);
				vhc_greet(c, SPLIT);
			}
			vhc_send(c, request, VHU_NEED_REPLY, zeroes, size, NULL, 0);
			struct vhu_header h;
			uint8_t body[64];
			while (vhc_reply(c, &h, body, sizeof(body)) >= 0)
				assert_int_equal(h.request, request);
		}
	fd_close(&c->fd);
	vhc_up(c, SPLIT, 1);
	vd_give(c->d, 0, 8, 2048);
	exchange(c, 0, 60, 1);
}

static void descriptors_that_nobody_asked_for_are_closed(void **state)
{
	struct vhc *c = *state;
	int fds[FD_PASS_MAX];

	for (unsigned i = 0; i < FD_PASS_MAX; i++)
		fds[i] = c->d->ram_fd;
	for (uint32_t request = 1; request < VHU_REQUESTS; request++) {
		vhc_greet(c, SPLIT);
		uint8_t body[264] = { 1 };
		vhc_send(c, request, 0, body, request % 2 ? 8 : 40, fds, 1 + request % FD_PASS_MAX);
		fd_close(&c->fd);
	}
}

static void ring_numbers_outside_the_card_are_refused(void **state)
{
	struct vhc *c = *state;
	static const uint32_t states[] = { VHU_SET_VRING_NUM, VHU_SET_VRING_BASE,
					   VHU_SET_VRING_ENABLE };
	static const uint32_t events[] = { VHU_SET_VRING_KICK, VHU_SET_VRING_CALL,
					   VHU_SET_VRING_ERR };
	static const uint32_t numbers[] = { 2, 15, 16, 17, 255, 0x7fffffff, UINT32_MAX };

	vhc_up(c, SPLIT, 1);
	for (unsigned n = 0; n < ARRAY_SIZE(numbers); n++) {
		struct vhu_vring_addr a = { .index = numbers[n] };
		for (unsigned i = 0; i < 3; i++) {
			uint64_t value = numbers[n];
			assert_int_equal(vhc_set_state(c, states[i], numbers[n], 1), 1);
			assert_int_equal(vhc_set(c, events[i], &value, 8, &c->call[0], 1), 1);
		}
		assert_int_equal(vhc_set(c, VHU_SET_VRING_ADDR, &a, sizeof(a), NULL, 0), 1);
	}
	assert_int_equal(vhc_set_state(c, VHU_SET_VRING_NUM, 0, 0), 1);
	assert_int_equal(vhc_set_state(c, VHU_SET_VRING_NUM, 0, 65536), 1);
	assert_int_equal(vhc_set_state(c, VHU_SET_VRING_BASE, 0, 5), 1); /* it runs */
	uint64_t both = VHU_VRING_NOFD;
	assert_int_equal(vhc_set(c, VHU_SET_VRING_CALL, &both, 8, &c->call[0], 1), 1);
	vd_give(c->d, 0, 8, 2048);
	exchange(c, 0, 60, 1);
	assert_int_equal(vhc_stop_ring(c, 2), UINT32_MAX); /* has no other answer */
	assert_false(vhc_alive(c));
}

static void messages_come_in_any_pieces(void **state)
{
	struct vhc *c = *state;
	struct {
		struct vhu_header h;
		uint64_t value;
	} __attribute__((packed)) m[2] = {
		{ { VHU_SET_PROTOCOL_FEATURES, VHU_VERSION, 8 }, VHC_PROTOCOL },
		{ { VHU_SET_STATUS, VHU_VERSION, 8 }, 3 },
	};

	vhc_connect(c);
	for (size_t i = 0; i < sizeof(m); i++)
		vhc_send_raw(c, (uint8_t *)m + i, 1, NULL, 0);
	assert_int_equal(vhc_get(c, VHU_GET_STATUS), 3);
	struct vhu_header large = { VHU_SET_STATUS, VHU_VERSION, 0xffffffff };
	vhc_send_raw(c, &large, sizeof(large), NULL, 0);
	assert_false(vhc_alive(c));
	vhc_hang_up(c);
	vhc_connect(c);
	struct vhu_header old = { VHU_GET_FEATURES, 2, 0 }; /* another version of the protocol */
	vhc_send_raw(c, &old, sizeof(old), NULL, 0);
	assert_false(vhc_alive(c));
}

static void a_client_that_does_not_read_waits_for_itself_only(void **state)
{
	struct vhc *c = *state;
	struct vhu_header h = { VHU_GET_FEATURES, VHU_VERSION, 0 };
	uint8_t answers[20];
	unsigned asked = 0, answered = 0;

	vhc_greet(c, SPLIT);
	while (asked < 100000 && send(c->fd, &h, sizeof(h), MSG_NOSIGNAL) == sizeof(h)) {
		asked++;
		vhc_pump(c);
	}
	assert_true(asked < 100000);
	while (vhc_pump(c), recv(c->fd, answers, sizeof(answers), 0) == sizeof(answers))
		answered++;
	assert_int_equal(answered, asked);
}

static void postcopy_is_refused(void **state)
{
	struct vhc *c = *state;

	vhc_greet(c, SPLIT);
	assert_int_equal(vhc_set_u64(c, VHU_SET_PROTOCOL_FEATURES, VHC_PROTOCOL | F(8)), 1);
	vhc_send(c, VHU_POSTCOPY_ADVISE, 0, NULL, 0, NULL, 0);
	assert_false(vhc_alive(c));
}

#define story(f) cmocka_unit_test_setup_teardown(f, vhc_setup, vhc_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		story(a_split_ring_carries_frames),
		story(a_packed_ring_carries_frames),
		story(four_pairs_carry_frames),
		story(what_is_offered_is_what_the_folder_promises),
		story(the_driver_status_follows_rings_and_buffers),
		story(a_client_that_tells_no_resets_is_believed_after_a_while),
		story(a_client_that_is_late_keeps_its_driver),
		story(a_guest_that_goes_on_never_looks_lost),
		story(a_guest_whose_rings_run_before_it_does_is_ready_when_it_does),
		story(firmware_is_told_from_a_system_by_its_features),
		story(a_ring_that_is_off_gets_nothing_and_sends_nothing),
		story(who_knows_no_protocol_features_has_all_rings_on),
		story(used_buffers_are_called_and_a_missing_call_is_made_up_for),
		story(a_split_ring_stops_and_goes_on),
		story(a_packed_ring_stops_and_goes_on),
		story(a_split_ring_lives_through_twenty_restarts),
		story(a_packed_ring_lives_through_twenty_restarts),
		story(a_batch_that_was_half_shown_is_shown_after_the_restart),
		story(a_packed_ring_of_chains_is_found_again),
		story(a_client_that_comes_again_before_its_end_was_seen_is_served),
		story(a_second_client_is_sent_away),
		story(memory_in_a_table_replaces_what_was_there),
		story(memory_that_goes_and_comes_back_is_found_again),
		story(regions_that_cannot_be_are_refused),
		story(rings_outside_memory_do_not_start),
		story(written_pages_of_a_split_ring_are_logged),
		story(written_pages_of_a_packed_ring_are_logged),
		story(a_log_that_is_too_short_loses_pages_and_nothing_else),
		story(saved_state_goes_to_another_card),
		story(a_rarp_goes_out_for_the_address),
		story(status_is_kept_as_bits),
		story(a_broken_ring_is_told_and_mended_by_a_reset),
		story(every_message_of_a_wrong_size_is_refused),
		story(descriptors_that_nobody_asked_for_are_closed),
		story(ring_numbers_outside_the_card_are_refused),
		story(messages_come_in_any_pieces),
		story(a_client_that_does_not_read_waits_for_itself_only),
		story(postcopy_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
