#include "cli/port_card.h"

#include <string.h>

#include "cli/guest.h"
#include "cli/service.h"

static bool is_usb(const struct nic_spec *nic)
{
	const char *device = card_device_name(nic);

	return device && strncmp(device, "usb-", 4) == 0;
}

static enum qemu_bus bus_of(const struct service *s)
{
	const struct qemu_line *line = &s->options.guest->line;

	return qemu_machine_bus(line->target, line->machine);
}

bool port_card_needs_root_port(const struct service *s, const struct nic_spec *nic)
{
	return bus_of(s) == QEMU_BUS_PCIE && !nic->options.bus[0] && !is_usb(nic);
}

static const char *bus_for(const struct service *s, unsigned i, unsigned n)
{
	const struct nic_spec *nic = &s->spec[i].nic[n];

	if (is_usb(nic))
		return NULL;
	if (nic->options.bus[0])
		return nic->options.bus;
	return bus_of(s) == QEMU_BUS_PCIE ? s->changes.port[i].bus[n] : "pci.0";
}

static const char *addr_for(const struct service *s, const struct nic_spec *nic)
{
	if (is_usb(nic))
		return NULL;
	return port_card_needs_root_port(s, nic) ? "0x0" : nic->options.addr;
}

/* What QEMU is given of the host for it. */
static void take_fds(struct service *s, unsigned i, unsigned n)
{
	const struct opened_backend *b = &s->port[i].backend[n];
	struct qemu_card_fds *fds = &s->changes.port[i].fds[n];

	*fds = (struct qemu_card_fds){ .taps = b->nfds, .vhosts = b->vhosts };
	str_copy(fds->nic, sizeof(fds->nic), s->spec[i].nic[n].id);
	memcpy(fds->tap, b->fds, sizeof(fds->tap));
	memcpy(fds->vhost, b->vhost, sizeof(fds->vhost));
}

int port_card_put_in(struct service *s, unsigned i, unsigned n, struct error *err)
{
	struct port_change *c = &s->changes.port[i];
	const struct guest *guest = s->options.guest;
	const struct port_spec *port = &s->spec[i];
	const struct nic_spec *nic = &port->nic[n];
	struct plug_card card = { .port = port,
				  .nic = nic,
				  .bus = bus_for(s, i, n),
				  .addr = addr_for(s, nic),
				  .link_down = nic->netdev != NETDEV_VHOST_USER &&
					       nic->role != ROLE_TRANSIENT &&
					       !s->control.port[i].wanted[n] };

	take_fds(s, i, n);
	card.way = (struct card_way){ .program = guest->has_program ? &guest->program : NULL,
				      .fds = &c->fds[n],
				      .fdset = (PORTS_MAX + i) * PORT_NICS + n };
	card.way.no_msix =
		qemu_msix_kills(card.way.program, &guest->line, port, nic, c->fds[n].vhosts > 0);
	if (service_nic_socket(s, nic, c->socket[n]))
		card.way.socket = c->socket[n];
	if (nic->netdev == NETDEV_NONE) {
		json_object_put(c->device[n]);
		c->device[n] = card_hosted_json(nic, c->socket[n], card.bus, card.addr);
		card.device = c->device[n];
	}
	return plug_in(&c->card[n], s->monitor, &card, err);
}

void port_card_expect(struct service *s, unsigned i, unsigned n)
{
	const struct guest *guest = s->options.guest;
	const struct nic_spec *nic = &s->spec[i].nic[n];
	const struct card_way way = { .program = guest->has_program ? &guest->program : NULL,
				      .fds = &s->changes.port[i].fds[n] };

	transient_expect(
		s, i, card_device_json(&s->spec[i], nic, &way, bus_for(s, i, n), addr_for(s, nic)));
}
