/* The card as a driver meets it: identity, features, status, interrupts, configuration, what is told about its driver. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "nic/virtio/virtio_net.h"
#include "virtio_driver.h"

#define BASIC (F(VD_VERSION_1) | F(VD_MAC) | F(VD_STATUS))
#define OS    (BASIC | F(VD_CSUM) | F(VD_MRG_RXBUF) | F(VD_CTRL_VQ) | F(VD_EVENT_IDX) | F(VD_INDIRECT))

static struct vd *make(int rev, unsigned queues, bool packed, uint16_t mtu)
{
	struct nic_spec spec = { .rev = rev,
				 .queues = (uint16_t)queues,
				 .packed = packed,
				 .mtu = mtu,
				 .bootindex = -1 };
	struct error err = { 0 };
	struct vd *d = vd_create(&spec, &err);

	if (!d)
		fail_msg("%s", err.text);
	return d;
}

static void expect_status(struct vd *d, enum driver_state state, enum driver_phase phase,
			  const char *word)
{
	nic_update_status(d->nic);
	const struct driver_report *now = &d->nic->status.now;
	if (now->state != state || now->phase != phase || !strstr(now->evidence, word))
		fail_msg("status %s (%s): %s; wanted %s (%s) with '%s'",
			 driver_state_names[now->state], driver_phase_names[now->phase],
			 now->evidence, driver_state_names[state], driver_phase_names[phase], word);
}

static void register_maps_are_sound(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(reg_space_prepare(&virtio_modern_space, &err), 0);
	assert_int_equal(reg_space_prepare(&virtio_legacy_space, &err), 0);
	/* every register is found at its own address, once */
	for (unsigned i = 0; i < virtio_modern_space.count; i++) {
		const struct reg *row = &virtio_modern_space.rows[i];
		unsigned count = row->count ? row->count : 1, index;
		uint32_t stride = row->stride ? row->stride : row->width ? row->width : 4;
		for (unsigned k = 0; k < count; k++) {
			assert_ptr_equal(
				reg_find(&virtio_modern_space, row->offset + k * stride, &index),
				row);
			assert_int_equal(index, k);
		}
	}
}

static void a_card_is_transitional_by_default_and_modern_with_rev_1(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	assert_int_equal(pci_config_read(&d->nic->pci, 0, 4), 0x10001af4);
	assert_int_equal(pci_config_read(&d->nic->pci, 8, 4), 0x02000000);
	assert_int_equal(pci_config_read(&d->nic->pci, 0x2e, 2), 1);
	assert_int_equal(d->nic->pci.bar[0].kind, BAR_IO);
	assert_int_equal(pci_irq_count(&d->nic->pci, PCI_MSIX), 4);
	vd_destroy(d);

	d = make(1, 8, false, 0);
	assert_int_equal(pci_config_read(&d->nic->pci, 0, 4), 0x10411af4);
	assert_int_equal(pci_config_read(&d->nic->pci, 8, 1), 1);
	assert_true(pci_config_read(&d->nic->pci, 0x2e, 2) >= 0x40);
	assert_int_equal(d->nic->pci.bar[0].kind, BAR_NONE);
	assert_int_equal(pci_irq_count(&d->nic->pci, PCI_MSIX), 18);
	vd_destroy(d);
}

static void every_structure_has_its_capability(void **state)
{
	struct vd *d = make(1, 0, false, 0);

	(void)state;
	assert_true(d->common.length >= 0x38);
	assert_true(d->notify.length >= 3 * 4);
	assert_int_equal(d->notify_multiplier, 4);
	assert_int_equal(d->isr.length, 1);
	assert_true(d->device.length >= 12);
	assert_true(d->window_cap != 0);
	assert_true(d->nic->pci.pm && d->nic->pci.pcie && d->nic->pci.msix);
	vd_destroy(d);
}

static void a_bad_specification_is_refused_in_words(void **state)
{
	struct nic_spec spec = { .rev = -1, .queues = 9, .bootindex = -1 };
	struct error err = { 0 };

	(void)state;
	assert_null(vd_create(&spec, &err));
	assert_non_null(strstr(err.text, "queue"));
	spec = (struct nic_spec){ .rev = -1, .mtu = 67, .bootindex = -1 };
	assert_null(vd_create(&spec, &err));
	assert_non_null(strstr(err.text, "mtu"));
}

static void features_follow_the_specification_of_the_card(void **state)
{
	struct vd *d = make(-1, 0, false, 0);
	uint64_t optional = F(VD_MTU) | F(VD_MQ) | F(VD_PACKED) | F(VD_STANDBY);

	(void)state;
	assert_int_equal(vd_offered(d) & optional, 0);
	assert_int_equal(vd_offered(d) & OS, OS);
	vd_common_write(d, 0, 4, 2); /* features above 63: none */
	assert_int_equal(vd_common_read(d, 4, 4), 0);
	vd_destroy(d);

	struct nic_spec spec = {
		.rev = 1, .queues = 4, .packed = true, .standby = true, .mtu = 9000, .bootindex = -1
	};
	d = vd_create(&spec, NULL);
	assert_int_equal(vd_offered(d) & optional, optional);
	assert_int_equal(vd_config_read(d, 8, 2), 4);
	assert_int_equal(vd_config_read(d, 10, 2), 9000);
	assert_int_equal(vd_common_read(d, 0x12, 2), 9);
	vd_destroy(d);
}

static void features_ok_does_not_stick_when_a_dependency_is_missing(void **state)
{
	static const struct {
		uint64_t wanted;
		const char *word;
	} bad[] = {
		{ BASIC | F(VD_GUEST_TSO4), "guest_tso4 needs guest_csum" },
		{ BASIC | F(VD_GUEST_CSUM) | F(VD_GUEST_ECN), "guest_ecn needs" },
		{ BASIC | F(VD_HOST_TSO6), "host_tso6 needs csum" },
		{ BASIC | F(VD_HOST_USO), "host_uso needs csum" },
		{ BASIC | F(VD_GUEST_USO6), "guest_uso6 needs" },
		{ BASIC | F(VD_CTRL_RX), "ctrl_rx needs ctrl_vq" },
		{ BASIC | F(VD_CTRL_VLAN), "ctrl_vlan needs" },
		{ BASIC | F(VD_GUEST_ANNOUNCE), "guest_announce needs" },
		{ BASIC | F(VD_CTRL_MAC_ADDR), "ctrl_mac_addr needs" },
		{ BASIC | F(VD_MQ) | F(VD_CTRL_VQ), "not offered" },
		{ BASIC | F(41), "feature 41" },
		{ F(VD_MAC), "version_1 is missing" },
	};
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(vd_begin(d, bad[i].wanted));
		expect_status(d, DRIVER_FAILED, PHASE_UNKNOWN, bad[i].word);
	}
	assert_true(vd_begin(d, OS));
	expect_status(d, DRIVER_INITIALIZING, PHASE_OS, "no DRIVER_OK");
	vd_destroy(d);
}

static void features_are_settled_once_they_are_ok(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	assert_true(vd_begin(d, BASIC));
	vd_common_write(d, 8, 4, 0);
	vd_common_write(d, 12, 4, 0xffffffff);
	assert_int_equal(vd_common_read(d, 12, 4), (uint32_t)BASIC);
	vd_common_write(d, 8, 4, 7);
	vd_common_write(d, 12, 4, 0xffffffff);
	assert_int_equal(vd_common_read(d, 12, 4), 0);
	vd_destroy(d);
}

static void a_driver_is_ready_when_it_gave_receive_buffers(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	expect_status(d, DRIVER_NONE, PHASE_UNKNOWN, "status 0");
	vd_set_status(d, 0);
	vd_set_status(d, VD_ACKNOWLEDGE);
	expect_status(d, DRIVER_NONE, PHASE_UNKNOWN, "no driver took it");
	vd_set_status(d, VD_ACKNOWLEDGE | VD_DRIVER);
	expect_status(d, DRIVER_INITIALIZING, PHASE_UNKNOWN, "0x03");
	vd_use_msix(d);
	vd_up(d, OS);
	expect_status(d, DRIVER_INITIALIZING, PHASE_OS, "no receive buffers");
	assert_int_equal(d->nic->status.ready_edges, 0);
	vd_give(d, 0, 10, 2048);
	expect_status(d, DRIVER_READY, PHASE_OS, "10 receive buffers, MSI-X");
	assert_int_equal(d->nic->status.ready_edges, 1);

	uint32_t resets = d->nic->status.resets;
	vd_set_status(d, 0);
	expect_status(d, DRIVER_NONE, PHASE_UNKNOWN, "reset by the driver");
	assert_int_equal(d->nic->status.resets, resets + 1);
	vd_destroy(d);
}

static void buffers_given_before_driver_ok_count(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	assert_true(vd_begin(d, OS));
	vd_setup_queue(d, 0, 0);
	vd_setup_queue(d, 1, 0);
	vd_give(d, 0, 4, 2048);
	expect_status(d, DRIVER_INITIALIZING, PHASE_OS, "no DRIVER_OK");
	vd_driver_ok(d);
	expect_status(d, DRIVER_READY, PHASE_OS, "4 receive buffers, INTx");
	vd_destroy(d);
}

static void few_features_and_no_vectors_are_firmware(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	vd_up(d, BASIC);
	vd_give(d, 0, 8, 2048);
	expect_status(d, DRIVER_READY, PHASE_FIRMWARE, "INTx");
	vd_use_msix(d);
	vd_up(d, BASIC); /* the same with vectors: an operating system */
	vd_give(d, 0, 8, 2048);
	expect_status(d, DRIVER_READY, PHASE_OS, "MSI-X");
	vd_destroy(d);
}

static void a_driver_that_gives_up_has_failed(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	assert_true(vd_begin(d, OS));
	vd_set_status(d, vd_status(d) | VD_FAILED);
	expect_status(d, DRIVER_FAILED, PHASE_OS, "FAILED");
	vd_destroy(d);
}

static void a_bus_reset_and_an_flr_clear_everything(void **state)
{
	struct vd *d = make(-1, 0, false, 0);
	struct pci_device *dev = &d->nic->pci;

	(void)state;
	vd_up(d, OS);
	vd_give(d, 0, 4, 2048);
	nic_reset(d->nic, RESET_PCI);
	expect_status(d, DRIVER_NONE, PHASE_UNKNOWN, "status 0");
	assert_int_equal(d->nic->status.bus_resets, 1);
	vd_bus_master(d, true);
	vd_up(d, OS);
	assert_int_equal(vd_status(d) & VD_DRIVER_OK, VD_DRIVER_OK);
	pci_config_write(dev, dev->pcie + 8u, 2, pci_config_read(dev, dev->pcie + 8u, 2) | 0x8000);
	assert_int_equal(vd_status(d), 0);
	assert_int_equal(d->nic->status.bus_resets, 2);
	assert_int_equal(d->nic->rx_offloads, 0);
	vd_destroy(d);
}

static void a_queue_that_does_not_exist_has_size_0(void **state)
{
	struct vd *d = make(-1, 2, false, 0);

	(void)state;
	assert_true(vd_begin(d, BASIC));
	for (unsigned i = 0; i < 5; i++) {
		vd_common_write(d, 0x16, 2, i);
		assert_true(vd_common_read(d, 0x18, 2) > 0);
		assert_int_equal(vd_common_read(d, 0x1e, 2), i);
		assert_int_equal(vd_common_read(d, 0x1a, 2), 0xffff);
	}
	static const uint16_t beyond[] = { 5, 17, 0x7fff, 0xffff };
	for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++) {
		vd_common_write(d, 0x16, 2, beyond[i]);
		assert_int_equal(vd_common_read(d, 0x18, 2), 0);
		for (uint32_t at = 0x18; at < 0x3c; at += 2)
			vd_common_write(d, at, 2, 1);
		assert_int_equal(vd_common_read(d, 0x18, 2), 0);
		assert_int_equal(vd_common_read(d, 0x1c, 2), 0);
	}
	vd_destroy(d);
}

static void a_queue_size_that_cannot_be_keeps_the_old_one(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	assert_true(vd_begin(d, BASIC));
	vd_common_write(d, 0x16, 2, 0);
	unsigned most = vd_common_read(d, 0x18, 2);
	vd_common_write(d, 0x18, 2, 0);
	assert_int_equal(vd_common_read(d, 0x18, 2), most);
	vd_common_write(d, 0x18, 2, most + 1);
	assert_int_equal(vd_common_read(d, 0x18, 2), most);
	vd_common_write(d, 0x18, 2, 64);
	assert_int_equal(vd_common_read(d, 0x18, 2), 64);
	vd_set_status(d, 0); /* a reset shows the largest again */
	vd_common_write(d, 0x16, 2, 0);
	assert_int_equal(vd_common_read(d, 0x18, 2), most);
	vd_destroy(d);
}

static void a_vector_that_does_not_exist_reads_no_vector(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	vd_common_write(d, 0x10, 2, 3);
	assert_int_equal(vd_common_read(d, 0x10, 2), 3);
	vd_common_write(d, 0x10, 2, 4);
	assert_int_equal(vd_common_read(d, 0x10, 2), 0xffff);
	vd_common_write(d, 0x16, 2, 1);
	vd_common_write(d, 0x1a, 2, 2);
	assert_int_equal(vd_common_read(d, 0x1a, 2), 2);
	vd_common_write(d, 0x1a, 2, 40);
	assert_int_equal(vd_common_read(d, 0x1a, 2), 0xffff);
	vd_destroy(d);
}

static void the_link_shows_in_the_configuration_with_an_interrupt(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	vd_use_msix(d);
	vd_up(d, OS);
	assert_int_equal(vd_config_read(d, 6, 2) & 1, 1);
	uint32_t generation = vd_common_read(d, 0x15, 1);
	vd_interrupts(d, d->vector_fd[0]);
	nic_set_link(d->nic, false);
	assert_int_equal(vd_config_read(d, 6, 2) & 1, 0);
	assert_int_equal(vd_interrupts(d, d->vector_fd[0]), 1);
	assert_int_not_equal(vd_common_read(d, 0x15, 1), generation);
	nic_set_link(d->nic, true);
	assert_int_equal(vd_config_read(d, 6, 2) & 1, 1);
	assert_int_equal(vd_interrupts(d, d->vector_fd[0]), 1);
	vd_set_status(d, 0); /* stays over a reset of the device */
	assert_int_equal(vd_config_read(d, 6, 2) & 1, 1);
	nic_set_link(d->nic, false);
	assert_int_equal(vd_interrupts(d, d->vector_fd[0]), 0); /* nobody to tell */
	vd_destroy(d);
}

static void intx_is_a_level_that_the_isr_clears(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	vd_up(d, BASIC);
	nic_set_link(d->nic, false);
	assert_int_equal(vd_interrupts(d, d->intx_fd), 1);
	assert_true(d->nic->pci.intx_level);
	nic_set_link(d->nic, true); /* the level is up already */
	assert_int_equal(vd_interrupts(d, d->intx_fd), 0);
	assert_int_equal(vd_isr(d), 2);
	assert_false(d->nic->pci.intx_level);
	assert_int_equal(vd_isr(d), 0);
	vd_give(d, 0, 1, 2048);
	vd_say(d, "a frame that is long enough", 27);
	assert_int_equal(vd_interrupts(d, d->intx_fd), 1);
	assert_int_equal(vd_isr(d), 1);
	vd_destroy(d);
}

static void the_announcement_is_asked_for_and_acknowledged(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	vd_up(d, OS);
	assert_false(virtio_net_announce(d->nic)); /* not negotiated */
	vd_up(d, OS | F(VD_GUEST_ANNOUNCE));
	assert_false(vd_control(d, 3, 0, NULL, 0)); /* nothing to acknowledge */
	assert_true(virtio_net_announce(d->nic));
	assert_int_equal(vd_config_read(d, 6, 2), 3);
	assert_int_equal(vd_isr(d) & 2, 2);
	assert_true(vd_control(d, 3, 0, NULL, 0));
	assert_int_equal(vd_config_read(d, 6, 2), 1);
	vd_destroy(d);
}

static void the_configuration_window_reaches_every_structure(void **state)
{
	struct vd *d = make(-1, 0, false, 0);
	struct pci_device *dev = &d->nic->pci;
	uint32_t cap = d->window_cap, data = cap + 16;

	(void)state;
	pci_config_write(dev, cap + 4, 1, d->device.bar);
	pci_config_write(dev, cap + 8, 4, d->device.at);
	pci_config_write(dev, cap + 12, 4, 4);
	assert_int_equal(pci_config_read(dev, data, 4), 0x12005452);
	pci_config_write(dev, cap + 12, 4, 1);
	assert_int_equal(pci_config_read(dev, data, 1), 0x52);

	pci_config_write(dev, cap + 8, 4, d->common.at + 0x14);
	pci_config_write(dev, data, 1, VD_ACKNOWLEDGE);
	assert_int_equal(vd_status(d), VD_ACKNOWLEDGE);

	/* what points nowhere does nothing */
	static const uint32_t bad[][3] = { { 4, 0xfffffffc, 4 }, { 4, 2, 4 }, { 4, 0, 3 },
					   { 4, 0, 8 },		 { 0, 0, 4 }, { 9, 0, 4 } };
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		pci_config_write(dev, cap + 4, 1, bad[i][0]);
		pci_config_write(dev, cap + 8, 4, bad[i][1]);
		pci_config_write(dev, cap + 12, 4, bad[i][2]);
		pci_config_write(dev, data, 4, 0);
		pci_config_read(dev, data, 4);
	}
	assert_int_equal(vd_status(d), VD_ACKNOWLEDGE);
	vd_destroy(d);
}

static void the_legacy_interface_masks_what_it_cannot_refuse(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	d->legacy = true;
	assert_int_equal(vd_offered(d) & (F(VD_ANY_LAYOUT) | F(VD_CSUM) | F(VD_MRG_RXBUF)),
			 F(VD_ANY_LAYOUT) | F(VD_CSUM) | F(VD_MRG_RXBUF));
	vd_begin(d, F(VD_GUEST_TSO4) | F(VD_GUEST_ECN) | F(VD_CTRL_RX) | F(VD_CSUM) | F(30));
	vd_setup_queue(d, 0, 0);
	vd_setup_queue(d, 1, 0);
	vd_driver_ok(d);
	assert_int_equal(virtio_of(d->nic)->state.features, F(VD_CSUM));
	assert_int_equal(d->nic->rx_offloads, 0);
	vd_destroy(d);
}

static void the_legacy_configuration_moves_with_msix(void **state)
{
	struct vd *d = make(-1, 0, false, 0);
	struct pci_device *dev = &d->nic->pci;

	(void)state;
	assert_int_equal(pci_bar_read(dev, 0, 20, 4), 0x12005452);
	vd_use_msix(d);
	assert_int_equal(pci_bar_read(dev, 0, 20, 4), 0xffffffff);
	assert_int_equal(pci_bar_read(dev, 0, 24, 4), 0x12005452);
	pci_bar_write(dev, 0, 20, 2, 1);
	assert_int_equal(pci_bar_read(dev, 0, 20, 2), 1);
	pci_bar_write(dev, 0, 20, 2, 0x100);
	assert_int_equal(pci_bar_read(dev, 0, 20, 2), 0xffff);
	pci_bar_write(dev, 0, 14, 2, 1);
	pci_bar_write(dev, 0, 22, 2, 3);
	assert_int_equal(pci_bar_read(dev, 0, 22, 2), 3);
	/* byte by byte, as a legacy driver sets its address */
	for (unsigned i = 0; i < 6; i++)
		pci_bar_write(dev, 0, 24 + i, 1, 0x10 + i);
	assert_int_equal(pci_bar_read(dev, 0, 24, 4), 0x13121110);
	assert_int_equal(virtio_of(d->nic)->state.mac[5], 0x15);
	vd_destroy(d);
}

static void a_legacy_driver_that_forgot_bus_mastering_gets_it(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	d->legacy = true;
	vd_bus_master(d, false);
	vd_up(d, 0);
	assert_true(pci_bus_master(&d->nic->pci));
	vd_give(d, 0, 1, 2048);
	expect_status(d, DRIVER_READY, PHASE_FIRMWARE, "1 receive buffer,");
	vd_destroy(d);
}

static void a_queue_reset_starts_a_queue_anew(void **state)
{
	struct vd *d = make(-1, 0, false, 0);
	uint8_t frame[60] = { 1 };

	(void)state;
	vd_up(d, OS | F(VD_RING_RESET));
	vd_send(d, 0, frame, sizeof(frame));
	vd_kick(d, 1);
	assert_int_equal(d->frames, 1);
	vd_common_write(d, 0x16, 2, 1);
	vd_common_write(d, 0x3a, 2, 1);
	assert_int_equal(vd_common_read(d, 0x3a, 2), 0);
	assert_int_equal(vd_common_read(d, 0x1c, 2), 0);
	vd_poke(d, 1); /* nobody home */
	vd_setup_queue(d, 1, 32);
	vd_send(d, 0, frame, sizeof(frame));
	vd_kick(d, 1);
	assert_int_equal(d->frames, 2);
	assert_true(vd_get(d, 1, NULL, NULL));
	vd_destroy(d);
}

static void a_queue_reset_that_was_not_negotiated_does_nothing(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	vd_up(d, OS);
	vd_common_write(d, 0x16, 2, 1);
	vd_common_write(d, 0x3a, 2, 1);
	assert_int_equal(vd_common_read(d, 0x1c, 2), 1);
	vd_destroy(d);
}

static void an_enabled_queue_keeps_its_addresses(void **state)
{
	struct vd *d = make(-1, 0, false, 0);

	(void)state;
	vd_up(d, OS);
	vd_common_write(d, 0x16, 2, 1);
	uint32_t desc = vd_common_read(d, 0x20, 4);
	vd_common_write(d, 0x20, 4, 0x1000);
	assert_int_equal(vd_common_read(d, 0x20, 4), desc);
	vd_common_write(d, 0x18, 2, 16);
	assert_int_equal(vd_common_read(d, 0x18, 2), 256);
	vd_destroy(d);
}

static void writes_anywhere_harm_nothing(void **state)
{
	struct vd *d = make(-1, 8, true, 0);
	struct pci_device *dev = &d->nic->pci;

	(void)state;
	for (unsigned round = 0; round < 4; round++)
		for (uint64_t at = 0; at < 0x1010; at++)
			for (unsigned size = 1; size <= 8; size *= 2) {
				pci_bar_write(dev, 4, at, size,
					      0x0123456789abcdefull << (round * 16));
				pci_bar_read(dev, 4, at, size);
				if (at < 80) {
					pci_bar_write(dev, 0, at, size, ~(uint64_t)round);
					pci_bar_read(dev, 0, at, size);
				}
				vd_run(d);
			}
	vd_up(d, OS);
	vd_give(d, 0, 3, 2048);
	expect_status(d, DRIVER_READY, PHASE_OS, "3 receive buffers");
	vd_destroy(d);
}

static void an_idle_card_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct virtio_net) < 12 * 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(register_maps_are_sound),
		cmocka_unit_test(a_card_is_transitional_by_default_and_modern_with_rev_1),
		cmocka_unit_test(every_structure_has_its_capability),
		cmocka_unit_test(a_bad_specification_is_refused_in_words),
		cmocka_unit_test(features_follow_the_specification_of_the_card),
		cmocka_unit_test(features_ok_does_not_stick_when_a_dependency_is_missing),
		cmocka_unit_test(features_are_settled_once_they_are_ok),
		cmocka_unit_test(a_driver_is_ready_when_it_gave_receive_buffers),
		cmocka_unit_test(buffers_given_before_driver_ok_count),
		cmocka_unit_test(few_features_and_no_vectors_are_firmware),
		cmocka_unit_test(a_driver_that_gives_up_has_failed),
		cmocka_unit_test(a_bus_reset_and_an_flr_clear_everything),
		cmocka_unit_test(a_queue_that_does_not_exist_has_size_0),
		cmocka_unit_test(a_queue_size_that_cannot_be_keeps_the_old_one),
		cmocka_unit_test(a_vector_that_does_not_exist_reads_no_vector),
		cmocka_unit_test(the_link_shows_in_the_configuration_with_an_interrupt),
		cmocka_unit_test(intx_is_a_level_that_the_isr_clears),
		cmocka_unit_test(the_announcement_is_asked_for_and_acknowledged),
		cmocka_unit_test(the_configuration_window_reaches_every_structure),
		cmocka_unit_test(the_legacy_interface_masks_what_it_cannot_refuse),
		cmocka_unit_test(the_legacy_configuration_moves_with_msix),
		cmocka_unit_test(a_legacy_driver_that_forgot_bus_mastering_gets_it),
		cmocka_unit_test(a_queue_reset_starts_a_queue_anew),
		cmocka_unit_test(a_queue_reset_that_was_not_negotiated_does_nothing),
		cmocka_unit_test(an_enabled_queue_keeps_its_addresses),
		cmocka_unit_test(writes_anywhere_harm_nothing),
		cmocka_unit_test(an_idle_card_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
