/* The mailbox of a virtual function, and what the physical function answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "nic/igb/pf.h"
#include "nic/intel/regs.h"
#include "../drivers/vf_mailbox_client.h"

#define ACK  0x80000000u
#define NACK 0x40000000u
#define CTS  0x20000000u

/* A PF, its mailbox, and a client. */
struct world {
	struct igb_mailbox mailbox;
	struct igb_pf pf;
	struct vf_client vf;
	uint64_t now;
	unsigned result; /* all results since the test looked */
};

static const struct igb_vf_policy normal = { .mac = { 0x52, 0x54, 0, 1, 2, 3 },
					     .spoof_check = true };

static uint32_t read_control(void *card)
{
	return igb_mailbox_vf_read(&((struct world *)card)->mailbox);
}

static void write_control(void *card, uint32_t value)
{
	struct world *w = card;

	w->result |=
		igb_pf_serve(&w->pf, &w->mailbox, igb_mailbox_vf_write(&w->mailbox, value), w->now);
}

static uint32_t get_word(void *card, unsigned index)
{
	return ((struct world *)card)->mailbox.word[index];
}

static void put_word(void *card, unsigned index, uint32_t value)
{
	((struct world *)card)->mailbox.word[index] = value;
}

static struct world *make(void **state, const struct igb_vf_policy *policy)
{
	static struct world w;

	w = (struct world){ .now = NS_PER_S };
	w.vf = (struct vf_client){ &w, read_control, write_control, get_word, put_word, 0 };
	igb_mailbox_reset(&w.mailbox);
	igb_pf_init(&w.pf, policy, w.now);
	*state = &w;
	return &w;
}

static int setup(void **state)
{
	make(state, &normal);
	return 0;
}

static void say_reset(struct world *w)
{
	uint32_t msg[3] = { 1 };

	assert_true(vf_client_ask(&w->vf, msg, 3));
	w->result = 0;
}

static uint32_t ask(struct world *w, uint32_t word0, uint32_t word1, uint32_t word2)
{
	uint32_t msg[3] = { word0, word1, word2 };

	assert_true(vf_client_ask(&w->vf, msg, 3));
	return msg[0];
}

/* The words of SET_MAC. */
static uint32_t ask_mac(struct world *w, uint32_t info, const char *text)
{
	uint8_t bytes[8] = { 0 };

	assert_int_equal(mac_parse(text, bytes), 0);
	return ask(w, 2 | info, get_le32(bytes), get_le32(bytes + 4));
}

/* --- the mailbox itself --- */

static void the_buffer_belongs_to_who_takes_it_first(void **state)
{
	struct world *w = *state;

	igb_mailbox_vf_write(&w->mailbox, MBX_VFU);
	assert_true(igb_mailbox_vf_read(&w->mailbox) & MBX_VFU);
	assert_false(igb_mailbox_pf_take(&w->mailbox));
	igb_mailbox_vf_write(&w->mailbox, 0);
	assert_true(igb_mailbox_pf_take(&w->mailbox));
	igb_mailbox_vf_write(&w->mailbox, MBX_VFU);
	assert_int_equal(igb_mailbox_vf_read(&w->mailbox) & (MBX_VFU | MBX_PFU), MBX_PFU);
	igb_mailbox_pf_give(&w->mailbox, 0);
	igb_mailbox_vf_write(&w->mailbox, MBX_VFU);
	assert_int_equal(igb_mailbox_vf_read(&w->mailbox) & (MBX_VFU | MBX_PFU), MBX_VFU);
}

static void reading_clears_what_the_pf_told_and_nothing_else(void **state)
{
	struct world *w = *state;

	assert_int_equal(igb_mailbox_vf_read(&w->mailbox), MBX_RSTD); /* the PF has come up */
	assert_int_equal(igb_mailbox_vf_read(&w->mailbox), 0);
	igb_mailbox_vf_write(&w->mailbox, MBX_VFU);
	igb_mailbox_pf_give(&w->mailbox, MBX_PFSTS | MBX_PFACK);
	assert_int_equal(igb_mailbox_vf_read(&w->mailbox), MBX_VFU | MBX_PFSTS | MBX_PFACK);
	assert_int_equal(igb_mailbox_vf_read(&w->mailbox), MBX_VFU);
}

static void signals_are_not_stored_and_give_the_buffer_back(void **state)
{
	struct world *w = *state;

	igb_mailbox_vf_read(&w->mailbox);
	igb_mailbox_vf_write(&w->mailbox, MBX_VFU);
	assert_int_equal(igb_mailbox_vf_write(&w->mailbox, MBX_REQ), MBX_REQ);
	assert_int_equal(igb_mailbox_vf_read(&w->mailbox), 0);
	assert_int_equal(igb_mailbox_vf_write(&w->mailbox, 0xffffffffu), MBX_REQ | MBX_ACK);
	assert_int_equal(igb_mailbox_vf_read(&w->mailbox), MBX_VFU);
}

/* --- the handshake --- */

static void a_reset_is_answered_with_the_ports_mac_and_without_cts(void **state)
{
	struct world *w = *state;
	uint32_t msg[3] = { 1 };

	/* a driver loops while RSTI or RSTD is seen */
	assert_true(vf_client_bit(&w->vf, VFMBX_RSTI | VFMBX_RSTD));
	assert_false(vf_client_bit(&w->vf, VFMBX_RSTI | VFMBX_RSTD));
	assert_true(vf_client_ask(&w->vf, msg, 3));
	assert_int_equal(msg[0], 1 | ACK);
	assert_int_equal(msg[1], 0x01005452);
	assert_int_equal(msg[2], 0x0302);
	assert_int_equal(w->result, PF_TOLD | PF_FILTERS | PF_RESET);
	assert_true(w->pf.cts);
}

static void a_vf_without_a_mac_is_told_to_choose_one(void **state)
{
	struct world *w = make(state, &(struct igb_vf_policy){ 0 });
	uint32_t msg[3] = { 1 };

	assert_true(vf_client_ask(&w->vf, msg, 3));
	assert_int_equal(msg[0], 1 | NACK);
	assert_int_equal(msg[1], 0);
	assert_int_equal(ask_mac(w, 0, "02:00:00:00:00:07"), 2 | ACK | CTS);
}

static void requests_before_the_reset_are_refused_but_not_too_often(void **state)
{
	struct world *w = *state;
	uint32_t msg[2] = { 5, 1500 };

	/* the message is taken, and nothing is said */
	assert_true(vf_client_write(&w->vf, msg, 2));
	assert_false(vf_client_bit(&w->vf, VFMBX_PFSTS));
	w->now += PF_QUIET_NS + 1;
	assert_true(vf_client_ask(&w->vf, msg, 2));
	assert_int_equal(msg[0], 5 | NACK);
	assert_int_equal(w->pf.frame_max, PF_FRAME_STD);
	assert_int_equal(w->pf.refusals, 1);
}

static void a_reset_with_information_is_no_reset(void **state)
{
	struct world *w = *state;
	uint32_t msg[1] = { 1 | 1u << 16 };

	assert_true(vf_client_write(&w->vf, msg, 1));
	assert_false(w->pf.cts);
	say_reset(w);
	assert_int_equal(ask(w, 1 | 1u << 16, 0, 0), 1 | 1u << 16 | NACK | CTS);
}

static void a_reply_sent_back_is_taken_and_not_answered(void **state)
{
	struct world *w = *state;
	uint32_t msg[1] = { 4 | ACK | CTS };

	say_reset(w);
	assert_true(vf_client_write(&w->vf, msg, 1));
	assert_false(vf_client_bit(&w->vf, VFMBX_PFSTS));
}

static void unknown_requests_are_refused_with_cts(void **state)
{
	struct world *w = *state;

	say_reset(w);
	assert_int_equal(ask(w, 0x77, 0, 0), 0x77 | NACK | CTS);
	assert_int_equal(ask(w, 0, 0, 0), NACK | CTS);
	assert_int_equal(ask(w, 0x0100, 0, 0), 0x0100 | NACK | CTS);
	assert_int_equal(w->pf.refusals, 3);
}

static void a_vf_that_missed_its_reset_is_told_so_when_it_reads(void **state)
{
	struct world *w = *state;
	uint32_t msg[1];

	say_reset(w);
	igb_pf_vf_gone(&w->pf, w->now);
	assert_true(vf_client_read(&w->vf, msg, 1));
	assert_int_equal(w->result, 0); /* too early */
	w->now += PF_QUIET_NS + 1;
	assert_true(vf_client_read(&w->vf, msg, 1));
	assert_int_equal(w->result, PF_TOLD);
	assert_true(vf_client_bit(&w->vf, VFMBX_PFSTS));
	assert_int_equal(w->mailbox.word[0], NACK);
	/* and not with every read */
	w->result = 0;
	assert_true(vf_client_read(&w->vf, msg, 1));
	assert_int_equal(w->result, 0);
}

static void a_request_made_while_holding_the_buffer_waits_for_it(void **state)
{
	struct world *w = *state;

	say_reset(w);
	write_control(w, MBX_VFU);
	put_word(w, 0, 5);
	put_word(w, 1, 4000);
	write_control(w, MBX_VFU | MBX_REQ);
	assert_int_equal(w->result, 0);
	assert_int_equal(w->pf.frame_max, PF_FRAME_STD);
	write_control(w, 0);
	assert_int_equal(w->pf.frame_max, 4000);
	assert_true(vf_client_bit(&w->vf, VFMBX_PFACK));
	assert_int_equal(w->mailbox.word[0], 5 | ACK | CTS);
}

/* --- addresses --- */

static void the_guest_may_change_its_mac_until_the_next_reset(void **state)
{
	struct world *w = *state;
	static const uint8_t chosen[6] = { 2, 0, 0, 0, 0, 9 };

	say_reset(w);
	assert_int_equal(ask_mac(w, 0, "02:00:00:00:00:09"), 2 | ACK | CTS);
	assert_memory_equal(w->pf.mac, chosen, 6);
	igb_pf_vf_gone(&w->pf, w->now);
	assert_memory_equal(w->pf.mac, normal.mac, 6);
}

static void multicast_and_zero_are_no_station_addresses(void **state)
{
	struct world *w = *state;

	say_reset(w);
	assert_int_equal(ask_mac(w, 0, "01:00:5e:00:00:01"), 2 | NACK | CTS);
	assert_int_equal(ask_mac(w, 0, "00:00:00:00:00:00"), 2 | NACK | CTS);
	assert_int_equal(ask_mac(w, VF_MAC_ADD, "ff:ff:ff:ff:ff:ff"), 2 | VF_MAC_ADD | NACK | CTS);
	assert_int_equal(ask_mac(w, 3u << 16, "02:00:00:00:00:09"), 2 | 3u << 16 | NACK | CTS);
	assert_memory_equal(w->pf.mac, normal.mac, 6);
	assert_int_equal(w->pf.addresses, 0);
}

static void a_mac_of_the_administrator_stays_unless_the_guest_is_trusted(void **state)
{
	struct igb_vf_policy policy = normal;

	policy.mac_fixed = true;
	struct world *w = make(state, &policy);
	say_reset(w);
	assert_int_equal(ask_mac(w, 0, "02:00:00:00:00:09"), 2 | NACK | CTS);
	assert_int_equal(ask_mac(w, VF_MAC_ADD, "02:00:00:00:00:09"), 2 | VF_MAC_ADD | NACK | CTS);
	assert_memory_equal(w->pf.mac, normal.mac, 6);
	assert_int_equal(ask_mac(w, 0, "52:54:00:01:02:03"), 2 | ACK | CTS);
	policy.trusted = true;
	w = make(state, &policy);
	say_reset(w);
	assert_int_equal(ask_mac(w, 0, "02:00:00:00:00:09"), 2 | ACK | CTS);
	assert_int_equal(ask_mac(w, VF_MAC_ADD, "02:00:00:00:00:0a"), 2 | VF_MAC_ADD | ACK | CTS);
}

static void further_addresses_are_added_until_there_is_no_room_and_cleared_together(void **state)
{
	struct world *w = *state;
	char text[MAC_TEXT];
	uint8_t mac[6] = { 2, 0, 0, 0, 1, 0 };

	say_reset(w);
	for (unsigned i = 0; i < PF_ADDRESSES; i++) {
		mac[5] = (uint8_t)i;
		assert_int_equal(ask_mac(w, VF_MAC_ADD, mac_format(mac, text)),
				 2 | VF_MAC_ADD | ACK | CTS);
	}
	assert_int_equal(ask_mac(w, VF_MAC_ADD, "02:00:00:00:01:00"), 2 | VF_MAC_ADD | ACK | CTS);
	assert_int_equal(ask_mac(w, VF_MAC_ADD, "02:00:00:00:02:00"), 2 | VF_MAC_ADD | NACK | CTS);
	assert_int_equal(ask(w, 2 | VF_MAC_CLEAR, 0, 0), 2 | VF_MAC_CLEAR | ACK | CTS);
	assert_int_equal(w->pf.addresses, 0);
}

static void addresses_and_hashes_reach_the_filter(void **state)
{
	struct world *w = *state;
	struct intel_filter f;
	uint32_t msg[MAILBOX_WORDS] = { 3 | 3u << 16, 0x0fff0041, 0xf123 };

	say_reset(w);
	assert_int_equal(ask_mac(w, VF_MAC_ADD, "02:00:00:00:00:09"), 2 | VF_MAC_ADD | ACK | CTS);
	assert_true(vf_client_write(&w->vf, msg, MAILBOX_WORDS));
	assert_int_equal(w->mailbox.word[0], 3 | 3u << 16 | ACK | CTS);
	uint32_t rctl = igb_pf_fill_filter(&w->pf, &f);
	assert_int_equal(f.ra[0].low, 0x01005452);
	assert_int_equal(f.ra[0].high, 0x80000302);
	assert_int_equal(f.ra[1].high, 0x80000900);
	assert_int_equal(f.ra[2].high, 0);
	assert_int_equal(f.mta[2], 1u << 1);
	assert_int_equal(f.mta[127], 1u << 31);
	assert_int_equal(f.mta[9], 1u << 3); /* 0x123: hashes have 12 bits */
	assert_int_equal(f.mta[0], 0);
	assert_int_equal(rctl & (RCTL_MPE | RCTL_UPE), 0);
	assert_true(rctl & RCTL_BAM);
}

static void more_hashes_than_fit_mean_all_multicast(void **state)
{
	struct world *w = *state;
	struct intel_filter f;
	uint32_t msg[MAILBOX_WORDS] = { 3 | 30u << 16 };

	say_reset(w);
	assert_true(vf_client_write(&w->vf, msg, MAILBOX_WORDS));
	assert_false(igb_pf_fill_filter(&w->pf, &f) & RCTL_MPE);
	msg[0] = 3 | 31u << 16;
	assert_true(vf_client_write(&w->vf, msg, MAILBOX_WORDS));
	assert_true(igb_pf_fill_filter(&w->pf, &f) & RCTL_MPE);
	msg[0] = 3 | 0xffu << 16;
	assert_true(vf_client_write(&w->vf, msg, MAILBOX_WORDS));
	assert_true(igb_pf_fill_filter(&w->pf, &f) & RCTL_MPE);
	msg[0] = 3;
	assert_true(vf_client_write(&w->vf, msg, MAILBOX_WORDS));
	assert_false(igb_pf_fill_filter(&w->pf, &f) & RCTL_MPE);
}

static void promiscuous_is_for_multicast_alone(void **state)
{
	struct world *w = *state;
	struct intel_filter f;

	say_reset(w);
	assert_int_equal(ask(w, 6 | 2u << 16, 0, 0), 6 | ACK | CTS);
	assert_true(igb_pf_fill_filter(&w->pf, &f) & RCTL_MPE);
	/* both: multicast is granted, the rest is not, and the answer says so */
	assert_int_equal(ask(w, 6 | 3u << 16, 0, 0), 6 | 1u << 16 | NACK | CTS);
	assert_true(igb_pf_fill_filter(&w->pf, &f) & RCTL_MPE);
	assert_int_equal(ask(w, 6 | 1u << 16, 0, 0), 6 | 1u << 16 | NACK | CTS);
	assert_false(igb_pf_fill_filter(&w->pf, &f) & (RCTL_MPE | RCTL_UPE));
	assert_int_equal(ask(w, 6, 0, 0), 6 | ACK | CTS);
}

/* --- frame length and VLANs --- */

static void the_longest_frame_is_what_the_guest_says_within_the_register(void **state)
{
	struct world *w = *state;

	say_reset(w);
	assert_int_equal(ask(w, 5, 9238, 0), 5 | ACK | CTS);
	assert_int_equal(w->pf.frame_max, 9238);
	assert_int_equal(ask(w, 5, 0, 0), 5 | NACK | CTS);
	assert_int_equal(ask(w, 5, 0x4000, 0), 5 | NACK | CTS);
	assert_int_equal(ask(w, 5, 0xffffffffu, 0), 5 | NACK | CTS);
	assert_int_equal(w->pf.frame_max, 9238);
	say_reset(w);
	assert_int_equal(w->pf.frame_max, PF_FRAME_STD);
}

static void vlans_come_and_go_and_tags_are_stripped_while_there_is_one(void **state)
{
	struct world *w = *state;
	struct intel_filter f;

	say_reset(w);
	assert_false(igb_pf_strips(&w->pf));
	assert_true(igb_pf_has_vlan(&w->pf, 0));
	assert_int_equal(ask(w, 4 | 1u << 16, 0, 0), 4 | 1u << 16 | ACK | CTS);
	assert_false(igb_pf_strips(&w->pf));
	assert_int_equal(ask(w, 4 | 1u << 16, 100, 0), 4 | 1u << 16 | ACK | CTS);
	assert_int_equal(ask(w, 4 | 1u << 16, 4095, 0), 4 | 1u << 16 | ACK | CTS);
	assert_true(igb_pf_strips(&w->pf));
	assert_true(igb_pf_fill_filter(&w->pf, &f) & RCTL_VFE);
	assert_int_equal(f.vfta[0], 1);
	assert_int_equal(f.vfta[3], 1u << 4);
	assert_int_equal(f.vfta[127], 1u << 31);
	assert_int_equal(ask(w, 4, 100, 0), 4 | ACK | CTS);
	assert_false(igb_pf_has_vlan(&w->pf, 100));
	assert_true(igb_pf_has_vlan(&w->pf, 4095));
	assert_int_equal(ask(w, 4, 4095, 0), 4 | ACK | CTS);
	assert_int_equal(ask(w, 4, 77, 0), 4 | ACK | CTS); /* was not there: fine */
	assert_int_equal(ask(w, 4, 0, 0), 4 | ACK | CTS);  /* VLAN 0 stays all the same */
	assert_true(igb_pf_has_vlan(&w->pf, 0));
	assert_false(igb_pf_strips(&w->pf));
}

static void the_vlan_table_has_32_entries(void **state)
{
	struct world *w = *state;

	say_reset(w);
	for (uint32_t vid = 1; vid < PF_VLANS; vid++)
		assert_int_equal(ask(w, 4 | 1u << 16, vid, 0), 4 | 1u << 16 | ACK | CTS);
	assert_int_equal(ask(w, 4 | 1u << 16, 500, 0), 4 | NACK | CTS);
	assert_int_equal(ask(w, 4 | 1u << 16, 31, 0), 4 | 1u << 16 | ACK | CTS);
	assert_int_equal(ask(w, 4, 7, 0), 4 | ACK | CTS);
	assert_int_equal(ask(w, 4 | 1u << 16, 500, 0), 4 | 1u << 16 | ACK | CTS);
	say_reset(w);
	assert_int_equal(w->pf.vlans, 1);
}

static void a_port_vlan_is_the_only_one(void **state)
{
	struct igb_vf_policy policy = normal;

	policy.vlan = 42;
	struct world *w = make(state, &policy);
	say_reset(w);
	assert_int_equal(ask(w, 4 | 1u << 16, 100, 0), 4 | NACK | CTS);
	assert_int_equal(ask(w, 4, 42, 0), 4 | NACK | CTS);
	assert_true(igb_pf_has_vlan(&w->pf, 42));
	assert_false(igb_pf_has_vlan(&w->pf, 0));
	assert_true(igb_pf_strips(&w->pf));
}

/* --- link notices --- */

static void a_link_change_is_told_with_cts(void **state)
{
	struct world *w = *state;
	uint32_t msg[1];

	assert_int_equal(igb_pf_link_changed(&w->pf, &w->mailbox), PF_TOLD);
	assert_int_equal(w->mailbox.word[0], 0x0100); /* not yet clear to send */
	say_reset(w);
	assert_int_equal(igb_pf_link_changed(&w->pf, &w->mailbox), PF_TOLD);
	assert_true(vf_client_bit(&w->vf, VFMBX_PFSTS));
	assert_true(vf_client_read(&w->vf, msg, 1));
	assert_int_equal(msg[0], 0x0100 | CTS);
}

static void a_link_notice_waits_while_the_vf_holds_the_buffer(void **state)
{
	struct world *w = *state;

	say_reset(w);
	write_control(w, MBX_VFU);
	put_word(w, 0, 5);
	put_word(w, 1, 2000);
	assert_int_equal(igb_pf_link_changed(&w->pf, &w->mailbox), 0);
	assert_int_equal(w->mailbox.word[0], 5);
	write_control(w, MBX_REQ);
	/* the reply interrupts and says CTS: it is the notice too */
	assert_int_equal(w->mailbox.word[0], 5 | ACK | CTS);
	assert_false(w->pf.notice_due);
	write_control(w, MBX_VFU);
	assert_int_equal(igb_pf_link_changed(&w->pf, &w->mailbox), 0);
	w->result = 0;
	write_control(w, MBX_ACK);
	assert_int_equal(w->result, PF_TOLD);
	assert_int_equal(w->mailbox.word[0], 0x0100 | CTS);
}

static void a_link_notice_overwrites_no_reply_that_is_still_to_be_read(void **state)
{
	struct world *w = *state;
	uint32_t msg[3] = { 1 };

	assert_true(vf_client_write(&w->vf, msg, 1));
	assert_int_equal(igb_pf_link_changed(&w->pf, &w->mailbox), PF_TOLD);
	assert_true(vf_client_bit(&w->vf, VFMBX_PFSTS));
	assert_int_equal(igb_pf_link_changed(&w->pf, &w->mailbox), PF_TOLD);
	assert_true(vf_client_read(&w->vf, msg, 3));
	assert_int_equal(msg[0], 1 | ACK);
	assert_int_equal(msg[2], 0x0302);
	assert_int_equal(igb_pf_link_changed(&w->pf, &w->mailbox), PF_TOLD);
	assert_int_equal(w->mailbox.word[0], 0x0100 | CTS);
}

/* --- what the switch says to sent frames --- */

static enum drop_reason check(struct world *w, const char *from, int vid)
{
	uint8_t frame[18] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	assert_int_equal(mac_parse(from, frame + 6), 0);
	put_be16(frame + 12, vid < 0 ? 0x0800 : 0x8100);
	put_be16(frame + 14, (uint16_t)(vid < 0 ? 0x4500 : 0xe000 | vid));
	return igb_pf_check_sent(&w->pf, frame, sizeof(frame));
}

static void frames_with_a_foreign_source_or_vlan_are_not_sent(void **state)
{
	struct world *w = *state;

	say_reset(w);
	assert_int_equal(check(w, "52:54:00:01:02:03", -1), DROP_NONE);
	assert_int_equal(check(w, "52:54:00:01:02:04", -1), DROP_SPOOFED);
	assert_int_equal(check(w, "52:54:00:01:02:03", 0), DROP_NONE);
	assert_int_equal(check(w, "52:54:00:01:02:03", 9), DROP_SPOOFED);
	ask(w, 4 | 1u << 16, 9, 0);
	assert_int_equal(check(w, "52:54:00:01:02:03", 9), DROP_NONE);
	ask_mac(w, VF_MAC_ADD, "52:54:00:01:02:04");
	assert_int_equal(check(w, "52:54:00:01:02:04", 9), DROP_NONE);
	w->pf.policy.spoof_check = false;
	assert_int_equal(check(w, "52:54:00:01:02:05", 8), DROP_NONE);
	assert_int_equal(igb_pf_check_sent(&w->pf, (const uint8_t *)"", 1), DROP_RUNT);
}

static void a_tag_behind_a_port_vlan_is_not_sent(void **state)
{
	struct igb_vf_policy policy = normal;

	policy.vlan = 42;
	struct world *w = make(state, &policy);
	say_reset(w);
	assert_int_equal(check(w, "52:54:00:01:02:03", -1), DROP_NONE);
	assert_int_equal(check(w, "52:54:00:01:02:03", 42), DROP_SPOOFED);
	assert_int_equal(check(w, "52:54:00:01:02:03", 0), DROP_SPOOFED);
}

/* --- saved state --- */

static void what_is_saved_is_loaded(void **state)
{
	struct world *w = *state;
	uint32_t msg[MAILBOX_WORDS] = { 3 | 30u << 16, 0x00010002 };
	struct buffer out = { 0 };

	say_reset(w);
	ask_mac(w, 0, "02:00:00:00:00:09");
	ask_mac(w, VF_MAC_ADD, "02:00:00:00:00:0a");
	ask(w, 4 | 1u << 16, 9, 0);
	ask(w, 5, 4000, 0);
	assert_true(vf_client_write(&w->vf, msg, MAILBOX_WORDS));
	write_control(w, MBX_VFU);
	igb_pf_link_changed(&w->pf, &w->mailbox);
	igb_pf_save(&w->pf, w->now, &out);

	struct igb_pf other;
	igb_pf_init(&other, &normal, 5);
	struct reader in = reader_of(out.data, out.length);
	assert_true(igb_pf_load(&other, 5, &in));
	assert_true(reader_at_end(&in));
	assert_int_equal(w->now - w->pf.refused_ns, 5 - other.refused_ns);
	other.refused_ns = w->pf.refused_ns;
	struct buffer again = { 0 };
	igb_pf_save(&other, w->now, &again);
	assert_int_equal(again.length, out.length);
	assert_memory_equal(again.data, out.data, out.length);
	assert_true(other.notice_due);
	for (size_t cut = 0; cut < out.length; cut++) {
		in = reader_of(out.data, cut);
		assert_false(igb_pf_load(&other, 5, &in));
	}
	buffer_finish(&again);
	buffer_finish(&out);
}

static void counts_beyond_the_tables_are_refused_at_load(void **state)
{
	struct world *w = *state;
	struct buffer out = { 0 };
	struct igb_pf other = w->pf;

	igb_pf_save(&w->pf, w->now, &out);
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = { { 9, PF_ADDRESSES + 1 }, { 9, 255 }, { 10, 0 }, { 10, PF_VLANS + 1 } };
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t was = out.data[bad[i].at];
		out.data[bad[i].at] = bad[i].value;
		struct reader in = reader_of(out.data, out.length);
		assert_false(igb_pf_load(&other, 0, &in));
		out.data[bad[i].at] = was;
	}
	struct reader in = reader_of(out.data, out.length);
	assert_true(igb_pf_load(&other, 0, &in));
	buffer_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_buffer_belongs_to_who_takes_it_first, setup),
		cmocka_unit_test_setup(reading_clears_what_the_pf_told_and_nothing_else, setup),
		cmocka_unit_test_setup(signals_are_not_stored_and_give_the_buffer_back, setup),
		cmocka_unit_test_setup(a_reset_is_answered_with_the_ports_mac_and_without_cts,
				       setup),
		cmocka_unit_test_setup(a_vf_without_a_mac_is_told_to_choose_one, setup),
		cmocka_unit_test_setup(requests_before_the_reset_are_refused_but_not_too_often,
				       setup),
		cmocka_unit_test_setup(a_reset_with_information_is_no_reset, setup),
		cmocka_unit_test_setup(a_reply_sent_back_is_taken_and_not_answered, setup),
		cmocka_unit_test_setup(unknown_requests_are_refused_with_cts, setup),
		cmocka_unit_test_setup(a_vf_that_missed_its_reset_is_told_so_when_it_reads, setup),
		cmocka_unit_test_setup(a_request_made_while_holding_the_buffer_waits_for_it, setup),
		cmocka_unit_test_setup(the_guest_may_change_its_mac_until_the_next_reset, setup),
		cmocka_unit_test_setup(multicast_and_zero_are_no_station_addresses, setup),
		cmocka_unit_test_setup(a_mac_of_the_administrator_stays_unless_the_guest_is_trusted,
				       setup),
		cmocka_unit_test_setup(
			further_addresses_are_added_until_there_is_no_room_and_cleared_together,
			setup),
		cmocka_unit_test_setup(addresses_and_hashes_reach_the_filter, setup),
		cmocka_unit_test_setup(more_hashes_than_fit_mean_all_multicast, setup),
		cmocka_unit_test_setup(promiscuous_is_for_multicast_alone, setup),
		cmocka_unit_test_setup(the_longest_frame_is_what_the_guest_says_within_the_register,
				       setup),
		cmocka_unit_test_setup(vlans_come_and_go_and_tags_are_stripped_while_there_is_one,
				       setup),
		cmocka_unit_test_setup(the_vlan_table_has_32_entries, setup),
		cmocka_unit_test_setup(a_port_vlan_is_the_only_one, setup),
		cmocka_unit_test_setup(a_link_change_is_told_with_cts, setup),
		cmocka_unit_test_setup(a_link_notice_waits_while_the_vf_holds_the_buffer, setup),
		cmocka_unit_test_setup(a_link_notice_overwrites_no_reply_that_is_still_to_be_read,
				       setup),
		cmocka_unit_test_setup(frames_with_a_foreign_source_or_vlan_are_not_sent, setup),
		cmocka_unit_test_setup(a_tag_behind_a_port_vlan_is_not_sent, setup),
		cmocka_unit_test_setup(what_is_saved_is_loaded, setup),
		cmocka_unit_test_setup(counts_beyond_the_tables_are_refused_at_load, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
