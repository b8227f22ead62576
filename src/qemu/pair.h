/* pair.h - which cards of a running QEMU make a port: those that a person named, or two that share what is behind them. */
#ifndef ANYNIC_QEMU_PAIR_H
#define ANYNIC_QEMU_PAIR_H

#include "config/known.h"
#include "qemu/found.h"

#define PAIR_WHY 160

struct found_port {
	struct port_spec spec;
	const struct found_card *card[PORT_NICS]; /* in the order of spec.nic; borrowed */
	char why[PAIR_WHY];			  /* why these two are a pair; "" = no pair */
};

/* `names`: what --nic said, "ID" or "LEGACY,PERFORMANT"; none = all cards. Fills at most PORTS_MAX ports. -ENOENT for a name that is
 * none, -EINVAL for two cards that cannot be a pair. `known` lists the models from the oldest to the fastest. */
int qemu_pair_cards(struct found_port *ports, unsigned *count, const struct found_guest *g,
		    const char *const *names, unsigned name_count, const struct known *known,
		    struct error *err);

#endif
