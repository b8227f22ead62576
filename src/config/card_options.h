/* card_options.h - what libvirt's XML can set on a card of QEMU's own: one row for each property. The reader and the writer of XML go by
 * these rows, and so does what makes QEMU's -device of them (qemu/cards.c). Source: libvirt's formatdomain; QEMU's `-device NAME,help`.
 */
#ifndef ANYNIC_CONFIG_CARD_OPTIONS_H
#define ANYNIC_CONFIG_CARD_OPTIONS_H

#include "base/error.h"
#include "config/spec.h"

enum card_option_kind {
	CARD_ON_OFF,	   /* XML "on" and "off"; enum tristate */
	CARD_YES_NO,	   /* XML "yes" and "no"; enum tristate */
	CARD_POWER_OF_TWO, /* uint16_t, 0 = not said */
	CARD_NUMBER,	   /* uint32_t, 0 = not said */
	CARD_TXMODE,	   /* "iothread", "timer"; enum card_txmode */
	CARD_TEXT,	   /* char[], "" = not said */
	CARD_OPTION_KIND_COUNT
};

struct card_option {
	const char *element;   /* within <interface>: "driver", "driver/host" */
	const char *attribute; /* "tso4" */
	const char *
		property; /* of QEMU's device: "host_tso4"; NULL = it becomes something else (cards.c) */
	enum card_option_kind kind;
	bool virtio;	   /* only virtio cards have it */
	uint16_t at, room; /* the field in struct card_options */
	uint32_t min, max; /* of numbers; of texts the length */
};

/* In the order in which libvirt writes the properties. */
extern const struct card_option card_options[];
extern const unsigned card_option_count;

/* NULL: there is none of this name. */
const struct card_option *card_option_find(const char *element, const char *attribute);

bool card_option_is_set(const struct card_option *row, const struct card_options *o);

/* From and to XML's text. -EINVAL names the attribute and its legal values. */
int card_option_read(const struct card_option *row, struct card_options *o, const char *text,
		     struct error *err);

#define CARD_OPTION_TEXT 64

const char *card_option_write(const struct card_option *row, const struct card_options *o,
			      char to[CARD_OPTION_TEXT]); /* NULL: it is not set */

/* The field's value: of a tristate 1 = on, 0 = off; of a txmode its enum. Not of texts. */
uint32_t card_option_number(const struct card_option *row, const struct card_options *o);
const char *card_option_string(const struct card_option *row, const struct card_options *o);

#endif
