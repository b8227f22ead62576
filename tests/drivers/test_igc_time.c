/* I225 and I226: the clock, stamps, launch times and gates. The test moves the time. */
#include "igc_help.h"

#define TS	   BIT(19)
#define US	   1000ull
#define BASE	   (1000 * NS_PER_S)
#define CONTEXT	   (BIT(29) | 2u << 20)
#define FIRST	   BIT(7)
#define TSN	   BIT(0)
#define LAUNCH	   BIT(0)
#define STRICT_END BIT(2)

/* --- clock --- */

static void the_clock_runs_in_seconds_and_nanoseconds(void **state)
{
	struct igc_driver *d = *state;

	igc_set_clock(d, 5 * NS_PER_S + 999999000);
	machine_wait(d->m, 2000);
	assert_int_equal(igc_r(d, IGC_SYSTIML), 1000);
	assert_int_equal(igc_r(d, IGC_SYSTIMH), 6);
}

/* Reading the low half keeps the high one, whatever happens between the two reads. */
static void both_halves_belong_together(void **state)
{
	struct igc_driver *d = *state;

	igc_set_clock(d, 5 * NS_PER_S + 999999999);
	assert_int_equal(igc_r(d, IGC_SYSTIML), 999999999);
	machine_wait(d->m, 10);
	assert_int_equal(igc_r(d, IGC_SYSTIMH), 5);
	assert_int_equal(igc_r(d, IGC_SYSTIML), 9);
	assert_int_equal(igc_r(d, IGC_SYSTIMH), 6);
}

/* 10 ppm as Linux writes it: scaled_ppm << 14 / 78125. */
static void its_rate_follows_TIMINCA(void **state)
{
	struct igc_driver *d = *state;
	uint32_t ppm10 = (uint32_t)((10ull << 16 << 14) / 78125);

	igc_set_clock(d, 0);
	igc_w(d, IGC_TIMINCA, ppm10);
	machine_wait(d->m, NS_PER_S);
	assert_in_range(igc_clock(d), NS_PER_S + 9999, NS_PER_S + 10001);
	igc_set_clock(d, 0);
	igc_w(d, IGC_TIMINCA, BIT(31) | ppm10);
	machine_wait(d->m, NS_PER_S);
	assert_in_range(igc_clock(d), NS_PER_S - 10001, NS_PER_S - 9999);
}

static void it_can_be_moved_and_stopped(void **state)
{
	struct igc_driver *d = *state;

	igc_set_clock(d, BASE);
	igc_w(d, IGC_TIMADJ, 500);
	assert_int_equal(igc_clock(d), BASE + 500);
	igc_w(d, IGC_TIMADJ, BIT(31) | BIT(30) | 700);
	assert_int_equal(igc_clock(d), BASE - 200);
	assert_int_equal(igc_r(d, IGC_TIMADJ),
			 BIT(30)); /* used up: read, or, write moves nothing */
	igc_w(d, IGC_TSAUXC, BIT(31));
	machine_wait(d->m, NS_PER_S);
	assert_int_equal(igc_clock(d), BASE - 200);
	igc_w(d, IGC_TSAUXC, 0);
	machine_wait(d->m, 50);
	assert_int_equal(igc_clock(d), BASE - 150);
}

static void a_target_time_interrupts_once(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_use_vectors(d);
	igc_set_clock(d, BASE);
	igc_w(d, IGC_TSIM, BIT(3));
	igc_w(d, IGC_TRGTTIMH0, (uint32_t)(BASE / NS_PER_S));
	igc_w(d, IGC_TRGTTIML0, 500000);
	igc_w(d, IGC_TSAUXC, BIT(0));
	machine_vector(d->m, 0);
	machine_wait(d->m, 499 * US);
	assert_int_equal(machine_vector(d->m, 0), 0);
	machine_wait(d->m, 2 * US);
	assert_int_equal(machine_vector(d->m, 0), 1);
	assert_true(igc_r(d, 0x1500) & TS);
	assert_int_equal(igc_r(d, IGC_TSICR), BIT(3));
	assert_int_equal(igc_r(d, IGC_TSICR), 0);
	assert_int_equal(igc_r(d, IGC_TSAUXC), 0);
	machine_wait(d->m, 10 * NS_PER_S);
	assert_int_equal(machine_vector(d->m, 0), 0);
}

static void each_second_can_interrupt(void **state)
{
	struct igc_driver *d = *state;
	unsigned pulses = 0;

	igc_open(d);
	igc_use_vectors(d);
	igc_set_clock(d, BASE + 900000000);
	igc_w(d, IGC_TSIM, BIT(0));
	for (unsigned i = 0; i < 30; i++) {
		machine_wait(d->m, NS_PER_S / 10);
		pulses += igc_r(d, IGC_TSICR) & 1;
	}
	assert_int_equal(pulses, 3);
}

/* --- stamps --- */

static void a_sent_frame_leaves_its_time(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_use_vectors(d);
	igc_set_clock(d, BASE + 42);
	igc_post_frame(d, 0, 0, frame_to(all, 60, 1), 60, BIT(19), 0);
	igc_kick(d, 0);
	assert_int_equal(igc_r(d, IGC_TSYNCTXCTL) & 15, 0); /* not asked for yet */
	igc_w(d, IGC_TSYNCTXCTL, BIT(4));
	igc_w(d, IGC_TSIM, BIT(1));
	machine_vector(d->m, 0);
	igc_post_frame(d, 0, 0, frame_to(all, 60, 1), 60, BIT(19), 0);
	igc_kick(d, 0);
	assert_int_equal(machine_vector(d->m, 0), 1);
	assert_int_equal(igc_r(d, IGC_TSYNCTXCTL) & 15, 1);
	machine_wait(d->m, 1000);
	igc_post_frame(d, 0, 0, frame_to(all, 60, 1), 60, BIT(19), 0); /* nobody read the first */
	igc_kick(d, 0);
	assert_int_equal(igc_r(d, IGC_TXSTMPL), 42);
	assert_int_equal(igc_r(d, IGC_TXSTMPH), BASE / NS_PER_S);
	assert_int_equal(igc_r(d, IGC_TSYNCTXCTL) & 15, 0);
}

static void there_are_four_places_for_stamps(void **state)
{
	struct igc_driver *d = *state;

	igc_open(d);
	igc_w(d, IGC_TSYNCTXCTL, BIT(4));
	for (unsigned i = 0; i < 4; i++) {
		igc_set_clock(d, BASE + 100 + i);
		igc_post_frame(d, i, i, frame_to(all, 60, 1), 60, BIT(19) | i << 16, 0);
		igc_kick(d, i);
	}
	assert_int_equal(igc_r(d, IGC_TSYNCTXCTL) & 15, 15);
	assert_int_equal(igc_r(d, IGC_TXSTMPL_1), 101);
	igc_r(d, IGC_TXSTMPL_1 + 4);
	assert_int_equal(igc_r(d, IGC_TSYNCTXCTL) & 15, 13);
	assert_int_equal(igc_r(d, 0xb6d8), 103);
}

static void received_frames_carry_their_time_in_front(void **state)
{
	struct igc_driver *d = *state;

	d->srrctl = 1u << 25 | 2 | BIT(30);
	igc_open(d);
	igc_set_clock(d, BASE + 7);
	igc_w(d, IGC_TSYNCRXCTL, BIT(4) | 4u << 1); /* all frames */
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	struct igc_received r = igc_take(d, 0);
	assert_int_equal(r.length, 60); /* RXPBS has no room for stamps yet */
	igc_w(d, IGC_RXPBS, igc_r(d, IGC_RXPBS) | BIT(31));
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	r = igc_take(d, 0);
	assert_int_equal(r.length, 76);
	assert_true(r.status & BIT(15));
	assert_int_equal(get_le32(r.data + 8), 7); /* timer 0 is the second of the two */
	assert_int_equal(get_le32(r.data + 12), BASE / NS_PER_S);
	assert_memory_equal(r.data + 16, card_mac, 6);
	/* frames that need two buffers have it once */
	machine_say(d->m, frame_to(card_mac, 3000, 1), 3000);
	assert_int_equal(igc_take(d, 0).length, 2048);
	assert_int_equal(igc_take(d, 0).length, 3016 - 2048);
}

static void only_the_frames_asked_for_are_stamped(void **state)
{
	struct igc_driver *d = *state;
	uint8_t f[100];

	d->srrctl = 1u << 25 | 2 | BIT(30);
	igc_open(d);
	igc_w(d, IGC_RXPBS, igc_r(d, IGC_RXPBS) | BIT(31));
	igc_w(d, IGC_TSYNCRXCTL, BIT(4)); /* PTPv2 over Ethernet */
	machine_say(d->m, frame_to(card_mac, 60, 1), 60);
	assert_int_equal(igc_take(d, 0).length, 60);
	memcpy(f, frame_to(card_mac, 60, 1), 60);
	put_be16(f + 12, 0x88f7);
	f[14] = 0; /* Sync */
	f[15] = 2;
	machine_say(d->m, f, 60);
	assert_int_equal(igc_take(d, 0).length, 76);
	f[14] = 8; /* Follow_Up: no event */
	machine_say(d->m, f, 60);
	assert_int_equal(igc_take(d, 0).length, 60);
}

/* --- launch times --- */

/* Cycles of a second from BASE on, the clock 100 ms into the first. */
static void start_schedule(struct igc_driver *d, uint32_t txqctl)
{
	igc_open(d);
	igc_set_clock(d, BASE + 100 * NS_PER_MS);
	igc_w(d, IGC_BASET_H, (uint32_t)(BASE / NS_PER_S));
	igc_w(d, IGC_BASET_L, 0);
	igc_w(d, IGC_QBVCYCLET, (uint32_t)NS_PER_S);
	igc_w(d, IGC_TXQCTL, txqctl);
	igc_w(d, IGC_TQAVCTRL, TSN);
}

static void launch(struct igc_driver *d, unsigned slot, uint64_t offset, uint32_t first)
{
	igc_post(d, 0, offset << 32 | 14u << 9, CONTEXT, first);
	igc_post_frame(d, 0, slot, frame_to(all, 60 + slot, 1), 60 + slot, 0, 0);
}

static void a_frame_waits_for_its_launch_time(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, LAUNCH);
	launch(d, 0, 101 * NS_PER_MS, 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->frames, 0);
	assert_int_equal(igc_r(d, IGC_TDH), 0);
	machine_wait(d->m, NS_PER_MS - 10 * US);
	assert_int_equal(d->m->frames, 0);
	machine_wait(d->m, 11 * US);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(igc_r(d, IGC_TDH), 2);
	assert_true(igc_sent_done(d, 0, 1));
}

static void a_launch_time_gone_by_is_now(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, LAUNCH);
	launch(d, 0, 50 * NS_PER_MS, 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->frames, 1);
}

static void FIRST_counts_from_the_next_cycle(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, LAUNCH);
	launch(d, 0, 50 * NS_PER_MS, FIRST);
	launch(d, 1, 60 * NS_PER_MS, 0); /* behind it, so in that cycle too */
	igc_kick(d, 0);
	machine_wait(d->m, 949 * NS_PER_MS);
	assert_int_equal(d->m->frames, 0);
	machine_wait(d->m, 2 * NS_PER_MS);
	assert_int_equal(d->m->frames, 1);
	machine_wait(d->m, 8 * NS_PER_MS);
	assert_int_equal(d->m->frames, 1);
	machine_wait(d->m, 2 * NS_PER_MS);
	assert_int_equal(d->m->frames, 2);
	assert_int_equal(d->m->wire[1].length, 61);
}

/* The backend has no room when they are due, and room again much later in the same cycle. */
static void frames_that_were_due_do_not_wait_again_for_a_full_backend(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, LAUNCH);
	d->m->wire_room = 0;
	launch(d, 0, 50 * NS_PER_MS, FIRST);
	launch(d, 1, 50 * NS_PER_MS, 0);
	launch(d, 2, 700 * NS_PER_MS, 0);
	igc_kick(d, 0);
	machine_wait(d->m, 960 * NS_PER_MS);
	assert_int_equal(igc_r(d, IGC_TDH), 0);
	for (unsigned room = 0; room < 2; room++) { /* one after the other */
		nic_kick(d->m->nic, 0);
		machine_run(d->m);
		assert_int_equal(d->m->frames, room);
		machine_wait(d->m, 100 * NS_PER_MS);
		d->m->wire_room = 1;
	}
	nic_kick(d->m->nic, 0);
	machine_run(d->m);
	assert_int_equal(d->m->frames, 2);
	/* the third one has its own time, and is the last that was told to wait */
	d->m->wire_room = 9;
	machine_wait(d->m, 430 * NS_PER_MS);
	assert_int_equal(d->m->frames, 2);
	machine_wait(d->m, 20 * NS_PER_MS);
	assert_int_equal(d->m->frames, 3);
	assert_int_equal(d->m->wire[2].length, 62);
}

static void a_new_ring_has_no_frame_that_was_due(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, LAUNCH);
	d->m->wire_room = 0;
	launch(d, 0, 50 * NS_PER_MS, 0);
	igc_kick(d, 0);
	d->m->wire_room = 9;
	igc_w(d, IGC_TXDCTL, 0);
	igc_open(d);
	start_schedule(d, LAUNCH);
	launch(d, 0, 900 * NS_PER_MS, 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->frames, 0);
}

static void other_queues_do_not_wait(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, LAUNCH);
	launch(d, 0, 900 * NS_PER_MS, 0);
	igc_kick(d, 0);
	igc_post_frame(d, 1, 5, frame_to(all, 99, 1), 99, 0, 0);
	igc_kick(d, 1);
	assert_int_equal(d->m->frames, 1);
	assert_int_equal(d->m->wire[0].length, 99);
}

/* A base that lies ahead cuts the time before it into cycles too: the driver computes the same. */
static void a_base_in_the_future_counts_backwards(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, LAUNCH);
	igc_w(d, IGC_BASET_H, (uint32_t)(BASE / NS_PER_S) + 5);
	launch(d, 0, 150 * NS_PER_MS, 0);
	igc_kick(d, 0);
	machine_wait(d->m, 49 * NS_PER_MS);
	assert_int_equal(d->m->frames, 0);
	machine_wait(d->m, 2 * NS_PER_MS);
	assert_int_equal(d->m->frames, 1);
}

static void a_moved_clock_moves_who_waits(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, LAUNCH);
	launch(d, 0, 900 * NS_PER_MS, 0);
	igc_kick(d, 0);
	igc_w(d, IGC_TIMADJ, 850 * 1000 * 1000);
	assert_int_equal(d->m->frames, 1);
}

static void a_queue_that_is_stopped_forgets_its_wait(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, LAUNCH);
	launch(d, 0, 900 * NS_PER_MS, 0);
	igc_kick(d, 0);
	igc_w(d, IGC_TQAVCTRL, 0); /* back to the usual mode: nothing waits */
	assert_int_equal(d->m->frames, 1);
}

static void a_waiting_frame_is_saved_with_its_time(void **state)
{
	struct igc_driver *d = *state;
	struct igc_driver second = *d;
	struct buffer out = { 0 };
	struct error err = { 0 };

	start_schedule(d, LAUNCH);
	launch(d, 0, 50 * NS_PER_MS, FIRST);
	igc_kick(d, 0);
	machine_wait(d->m, 500 * NS_PER_MS);
	nic_save(d->m->nic, &out);
	second.m = machine_create("igc", -1, &err);
	memcpy(second.m->ram, d->m->ram, RAM_SIZE);
	assert_int_equal(nic_load(second.m->nic, out.data, out.length, &err), 0);
	machine_run(second.m);
	machine_wait(second.m, 449 * NS_PER_MS);
	assert_int_equal(second.m->frames, 0);
	machine_wait(second.m, 2 * NS_PER_MS);
	assert_int_equal(second.m->frames, 1);
	machine_destroy(second.m);
	buffer_finish(&out);
}

/* --- gates --- */

static void a_closed_gate_opens_at_its_time(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, 0);
	igc_w(d, IGC_STQT, 300 * 1000 * 1000);
	igc_w(d, IGC_ENDQT, 400 * 1000 * 1000);
	igc_post_frame(d, 0, 0, frame_to(all, 60, 1), 60, 0, 0);
	igc_kick(d, 0);
	machine_wait(d->m, 199 * NS_PER_MS);
	assert_int_equal(d->m->frames, 0);
	machine_wait(d->m, 2 * NS_PER_MS);
	assert_int_equal(d->m->frames, 1);
	igc_post_frame(d, 0, 0, frame_to(all, 60, 1), 60, 0, 0); /* open: at once */
	igc_kick(d, 0);
	assert_int_equal(d->m->frames, 2);
	machine_wait(d->m, 100 * NS_PER_MS);
	igc_post_frame(d, 0, 0, frame_to(all, 60, 1), 60, 0, 0); /* closed: the next cycle */
	igc_kick(d, 0);
	machine_wait(d->m, 890 * NS_PER_MS);
	assert_int_equal(d->m->frames, 2);
	machine_wait(d->m, 20 * NS_PER_MS);
	assert_int_equal(d->m->frames, 3);
}

static void a_frame_that_would_not_fit_waits_for_the_next_window(void **state)
{
	struct igc_driver *d = *state;

	start_schedule(d, STRICT_END);
	igc_w(d, IGC_ENDQT, 100 * 1000 * 1000 + 3000);
	/* 1538 bytes of wire at 2.5 Gbit/s: 4.9 us, and 3 are left */
	igc_post_frame(d, 0, 0, frame_to(all, 1514, 1), 1514, 0, 0);
	igc_kick(d, 0);
	assert_int_equal(d->m->frames, 0);
	igc_post_frame(d, 1, 1, frame_to(all, 60, 1), 60, 0, 0); /* a queue without a gate */
	igc_kick(d, 1);
	assert_int_equal(d->m->frames, 1);
	machine_wait(d->m, 899 * NS_PER_MS);
	assert_int_equal(d->m->frames, 1);
	machine_wait(d->m, 2 * NS_PER_MS);
	assert_int_equal(d->m->frames, 2);
}

/* No register can say such a time, but a saved state can. */
static void a_saved_clock_beyond_all_time_costs_none(void **state)
{
	struct igc_driver *d = *state;
	struct igc_driver second = *d;
	struct buffer out = { 0 };
	struct error err = { 0 };
	uint8_t mark[8], *at;

	start_schedule(d, 0);
	igc_w(d, IGC_TSAUXC, BIT(31)); /* stopped, so that the saved time is known */
	igc_set_clock(d, 0x123456789abcull);
	igc_w(d, IGC_STQT, 300 * 1000 * 1000);
	igc_w(d, IGC_ENDQT, 300 * 1000 * 1000 + 5);
	nic_save(d->m->nic, &out);
	put_le64(mark, 0x123456789abcull);
	at = memmem(out.data, out.length, mark, sizeof(mark));
	assert_non_null(at);
	put_le64(at, UINT64_MAX - 10 * NS_PER_MS);
	second.m = machine_create("igc", -1, &err);
	memcpy(second.m->ram, d->m->ram, RAM_SIZE);
	assert_int_equal(nic_load(second.m->nic, out.data, out.length, &err), 0);
	machine_set_bus(second.m, true);
	igc_w(&second, IGC_TSAUXC, 0);
	igc_post_frame(&second, 0, 0, frame_to(all, 60, 1), 60, 0, 0);
	igc_kick(&second, 0);
	unsigned wakes = 0;
	while (second.m->frames == 0 && wakes++ < 9) {
		uint64_t now = clock_now(&second.m->clock), due = second.m->nic->notes.deadline_ns;
		machine_wait(second.m, due - now);
	}
	assert_int_equal(second.m->frames, 1); /* in the gate's window */
	machine_destroy(second.m);
	buffer_finish(&out);
}

/* However the schedule is set, nobody spins: the machine's timer is never nearer than a microsecond. */
static void senseless_schedules_cost_no_time(void **state)
{
	static const struct {
		uint32_t cycle, open, close, base;
	} cases[] = {
		{ 0, 0, 0, 0 },
		{ 1, 0, 0, 0 },
		{ 1, 1, 1, 0 },
		{ 10, 5, 6, 0xffffffff },
		{ 1000000000, 500, 400, 5 },
		{ 1000000000, 0x3fffffff, 0x3fffffff, 0 },
	};
	struct igc_driver *d = *state;

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		start_schedule(d, LAUNCH | STRICT_END);
		igc_w(d, IGC_QBVCYCLET, cases[i].cycle);
		igc_w(d, IGC_STQT, cases[i].open);
		igc_w(d, IGC_ENDQT, cases[i].close);
		igc_w(d, IGC_BASET_L, cases[i].base);
		launch(d, 0, 0xffffffff, FIRST);
		igc_kick(d, 0);
		for (unsigned k = 0; k < 50; k++) {
			uint64_t now = clock_now(&d->m->clock), due = d->m->nic->notes.deadline_ns;
			assert_true(!due || due >= now + 1000);
			machine_wait(d->m, due ? due - now : 1000);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_clock_runs_in_seconds_and_nanoseconds),
		T(both_halves_belong_together),
		T(its_rate_follows_TIMINCA),
		T(it_can_be_moved_and_stopped),
		T(a_target_time_interrupts_once),
		T(each_second_can_interrupt),
		T(a_sent_frame_leaves_its_time),
		T(there_are_four_places_for_stamps),
		T(received_frames_carry_their_time_in_front),
		T(only_the_frames_asked_for_are_stamped),
		T(a_frame_waits_for_its_launch_time),
		T(a_launch_time_gone_by_is_now),
		T(FIRST_counts_from_the_next_cycle),
		T(frames_that_were_due_do_not_wait_again_for_a_full_backend),
		T(a_new_ring_has_no_frame_that_was_due),
		T(other_queues_do_not_wait),
		T(a_base_in_the_future_counts_backwards),
		T(a_moved_clock_moves_who_waits),
		T(a_queue_that_is_stopped_forgets_its_wait),
		T(a_waiting_frame_is_saved_with_its_time),
		T(a_closed_gate_opens_at_its_time),
		T(a_frame_that_would_not_fit_waits_for_the_next_window),
		T(a_saved_clock_beyond_all_time_costs_none),
		T(senseless_schedules_cost_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
