#include "config/card_options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FIELD(name)                                                                                \
	.at = offsetof(struct card_options, name), .room = sizeof(((struct card_options *)0)->name)
#define SWITCH(e, a, p, name)                                                                      \
	{                                                                                          \
		.element = e, .attribute = a, .property = p, .kind = CARD_ON_OFF, .virtio = true,  \
		FIELD(name)                                                                        \
	}
#define QUEUE_SIZE(a, name)                                                                        \
	{                                                                                          \
		.element = "driver", .attribute = a, .property = a, .kind = CARD_POWER_OF_TWO,     \
		.virtio = true, .min = 256, .max = 1024, FIELD(name)                               \
	}

/* The sizes of queues are those that QEMU's virtio-net takes; libvirt leaves it to QEMU to refuse others. */
const struct card_option card_options[] = {
	SWITCH("driver", "iommu", "iommu_platform", iommu),
	SWITCH("driver", "ats", "ats", ats),
	SWITCH("driver", "packed", "packed", packed),
	SWITCH("driver", "page_per_vq", "page-per-vq", page_per_vq),
	{ .element = "driver",
	  .attribute = "txmode",
	  .property = "tx",
	  .kind = CARD_TXMODE,
	  .virtio = true,
	  FIELD(txmode) },
	SWITCH("driver", "ioeventfd", "ioeventfd", ioeventfd),
	SWITCH("driver", "event_idx", "event_idx", event_idx),
	SWITCH("driver/host", "csum", "csum", csum),
	SWITCH("driver/host", "gso", "gso", gso),
	SWITCH("driver/host", "tso4", "host_tso4", host_tso4),
	SWITCH("driver/host", "tso6", "host_tso6", host_tso6),
	SWITCH("driver/host", "ecn", "host_ecn", host_ecn),
	SWITCH("driver/host", "ufo", "host_ufo", host_ufo),
	SWITCH("driver/host", "mrg_rxbuf", "mrg_rxbuf", mrg_rxbuf),
	SWITCH("driver/guest", "csum", "guest_csum", guest_csum),
	SWITCH("driver/guest", "tso4", "guest_tso4", guest_tso4),
	SWITCH("driver/guest", "tso6", "guest_tso6", guest_tso6),
	SWITCH("driver/guest", "ecn", "guest_ecn", guest_ecn),
	SWITCH("driver/guest", "ufo", "guest_ufo", guest_ufo),
	QUEUE_SIZE("rx_queue_size", rx_queue_size),
	QUEUE_SIZE("tx_queue_size", tx_queue_size),
	SWITCH("driver", "rss", "rss", rss),
	SWITCH("driver", "rss_hash_report", "hash", rss_hash_report),
	{ .element = "address",
	  .attribute = "multifunction",
	  .property = "multifunction",
	  .kind = CARD_ON_OFF,
	  FIELD(multifunction) },
	{ .element = "acpi",
	  .attribute = "index",
	  .property = "acpi-index",
	  .kind = CARD_NUMBER,
	  .min = 1,
	  .max = 16 * 1024 - 1, /* QEMU: what systemd can show */
	  FIELD(acpi_index) },
	{ .element = "rom",
	  .attribute = "bar",
	  .property = "rombar",
	  .kind = CARD_ON_OFF,
	  FIELD(rombar) },
	{ .element = "rom", .attribute = "enabled", .kind = CARD_YES_NO, FIELD(rom) },
	/* only cards on s390's channels have the property, and no card on PCI */
	{ .element = "boot",
	  .attribute = "loadparm",
	  .kind = CARD_TEXT,
	  .min = 1,
	  .max = 8,
	  FIELD(loadparm) },
};
const unsigned card_option_count = ARRAY_SIZE(card_options);

static const char *const on_off[] = { "on", "off" }, *const yes_no[] = { "yes", "no" };
static const char *const txmodes[] = {
	[TXMODE_DEFAULT] = "", [TXMODE_IOTHREAD] = "iothread", [TXMODE_TIMER] = "timer"
};
NAMES_MATCH(txmodes, CARD_TXMODE_COUNT);

const struct card_option *card_option_find(const char *element, const char *attribute)
{
	for (unsigned i = 0; i < card_option_count; i++)
		if (strcmp(card_options[i].element, element) == 0 &&
		    strcmp(card_options[i].attribute, attribute) == 0)
			return &card_options[i];
	return NULL;
}

static const void *field(const struct card_option *row, const struct card_options *o)
{
	return (const char *)o + row->at;
}

static int32_t field_enum(const struct card_option *row, const struct card_options *o)
{
	int32_t value;

	memcpy(&value, field(row, o), sizeof(value));
	return value;
}
_Static_assert(sizeof(enum tristate) == 4 && sizeof(enum card_txmode) == 4, "as field_enum copies");

uint32_t card_option_number(const struct card_option *row, const struct card_options *o)
{
	uint16_t small;
	uint32_t number;

	switch (row->kind) {
	case CARD_ON_OFF:
	case CARD_YES_NO:
		return field_enum(row, o) == TRISTATE_ON;
	case CARD_TXMODE:
		return (uint32_t)field_enum(row, o);
	case CARD_POWER_OF_TWO:
		memcpy(&small, field(row, o), sizeof(small));
		return small;
	case CARD_NUMBER:
		memcpy(&number, field(row, o), sizeof(number));
		return number;
	case CARD_TEXT:
	case CARD_OPTION_KIND_COUNT:
		break;
	}
	return 0;
}

const char *card_option_string(const struct card_option *row, const struct card_options *o)
{
	return row->kind == CARD_TEXT ? field(row, o) : "";
}

bool card_option_is_set(const struct card_option *row, const struct card_options *o)
{
	switch (row->kind) {
	case CARD_ON_OFF:
	case CARD_YES_NO:
		return field_enum(row, o) != TRISTATE_DEFAULT;
	case CARD_TEXT:
		return card_option_string(row, o)[0] != '\0';
	default:
		return card_option_number(row, o) != 0;
	}
}

static void set_field(const struct card_option *row, struct card_options *o, const void *value,
		      size_t size)
{
	memcpy((char *)o + row->at, value, MIN(size, (size_t)row->room));
}

static int read_words(const struct card_option *row, struct card_options *o, const char *text,
		      const char *const words[2], struct error *err)
{
	static const enum tristate value[] = { TRISTATE_ON, TRISTATE_OFF };
	int found = name_find(words, 2, text);

	if (found < 0)
		return error_set(err, -EINVAL, "%s='%s' is not legal; it is '%s' or '%s'",
				 row->attribute, text, words[0], words[1]);
	set_field(row, o, &value[found], sizeof(value[found]));
	return 0;
}

static int read_number(const struct card_option *row, struct card_options *o, const char *text,
		       struct error *err)
{
	bool power = row->kind == CARD_POWER_OF_TWO;
	uint64_t number;

	if (parse_u64(text, row->min, row->max, &number) < 0 ||
	    (power && (number & (number - 1)) != 0))
		return error_set(err, -EINVAL, "%s='%s' is not legal; it is %s from %u to %u",
				 row->attribute, text, power ? "a power of two" : "a number",
				 row->min, row->max);
	uint16_t small = (uint16_t)number;
	uint32_t wide = (uint32_t)number;
	if (power)
		set_field(row, o, &small, sizeof(small));
	else
		set_field(row, o, &wide, sizeof(wide));
	return 0;
}

static int read_txmode(const struct card_option *row, struct card_options *o, const char *text,
		       struct error *err)
{
	int found = text[0] ? name_find(txmodes, CARD_TXMODE_COUNT, text) : -1;
	enum card_txmode mode;

	if (found < 0)
		return error_set(err, -EINVAL, "%s='%s' is not legal; it is 'iothread' or 'timer'",
				 row->attribute, text);
	mode = (enum card_txmode)found;
	set_field(row, o, &mode, sizeof(mode));
	return 0;
}

/* loadparm's letters, the only text: s390's firmware reads these in EBCDIC. */
static int read_text(const struct card_option *row, struct card_options *o, const char *text,
		     struct error *err)
{
	static const char legal[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789. ";
	size_t len = strlen(text);

	if (len < row->min || len > row->max || strspn(text, legal) != len)
		return error_set(err, -EINVAL,
				 "%s='%s' is not legal; it is up to %u letters, digits, dots and "
				 "blanks",
				 row->attribute, text, row->max);
	set_field(row, o, text, len + 1);
	return 0;
}

int card_option_read(const struct card_option *row, struct card_options *o, const char *text,
		     struct error *err)
{
	switch (row->kind) {
	case CARD_ON_OFF:
		return read_words(row, o, text, on_off, err);
	case CARD_YES_NO:
		return read_words(row, o, text, yes_no, err);
	case CARD_TXMODE:
		return read_txmode(row, o, text, err);
	case CARD_TEXT:
		return read_text(row, o, text, err);
	default:
		return read_number(row, o, text, err);
	}
}

const char *card_option_write(const struct card_option *row, const struct card_options *o,
			      char to[CARD_OPTION_TEXT])
{
	uint32_t number = card_option_number(row, o);

	if (!card_option_is_set(row, o))
		return NULL;
	switch (row->kind) {
	case CARD_ON_OFF:
		return on_off[!number];
	case CARD_YES_NO:
		return yes_no[!number];
	case CARD_TXMODE:
		return name_of(txmodes, CARD_TXMODE_COUNT, number);
	case CARD_TEXT:
		return card_option_string(row, o);
	default:
		snprintf(to, CARD_OPTION_TEXT, "%u", number);
		return to;
	}
}
