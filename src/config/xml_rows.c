#include "config/xml_rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const yes_no[] = { "yes", "no" }, *const on_off[] = { "on", "off" };

const struct xml_element *xml_element_find(const struct xml_table *table, const char *path)
{
	for (unsigned i = 0; i < table->element_count; i++)
		if (strcmp(table->elements[i].path, path) == 0)
			return &table->elements[i];
	return NULL;
}

const struct xml_attribute *xml_attribute_find(const struct xml_table *table, const char *element,
					       const char *name)
{
	for (unsigned i = 0; i < table->attribute_count; i++) {
		const struct xml_attribute *row = &table->attributes[i];

		if (strcmp(row->element, element) != 0)
			continue;
		if (name ? row->name && strcmp(row->name, name) == 0 : !row->name)
			return row;
	}
	return NULL;
}

static const void *field(const struct xml_attribute *row, const void *item)
{
	return (const char *)item + row->at;
}

static uint32_t field_number(const struct xml_attribute *row, const void *item)
{
	uint16_t small;
	uint32_t number;

	if (row->room == sizeof(small)) {
		memcpy(&small, field(row, item), sizeof(small));
		return small;
	}
	memcpy(&number, field(row, item), sizeof(number));
	return number;
}

static void set_number(const struct xml_attribute *row, void *item, uint32_t number)
{
	uint16_t small = (uint16_t)number;

	if (row->room == sizeof(small))
		memcpy((char *)item + row->at, &small, sizeof(small));
	else
		memcpy((char *)item + row->at, &number, sizeof(number));
}

static bool field_bool(const struct xml_attribute *row, const void *item)
{
	return *(const bool *)field(row, item);
}

bool xml_attribute_is_set(const struct xml_attribute *row, const void *item)
{
	static const uint8_t no_mac[MAC_LEN];

	switch (row->kind) {
	case XML_TEXT:
	case XML_IFNAME:
	case XML_PATH:
	case XML_WORD:
		return *(const char *)field(row, item) != '\0';
	case XML_NAME: /* a value without a word is none that a file could say */
		return field_number(row, item) < row->name_count &&
		       row->names[field_number(row, item)][0] != '\0';
	case XML_YES_NO:
	case XML_ON_OFF:
		return field_number(row, item) != TRISTATE_DEFAULT;
	case XML_YES:
	case XML_NO:
	case XML_ON:
		return field_bool(row, item);
	case XML_NUMBER:
		return field_number(row, item) != row->unsaid;
	case XML_MAC:
		return memcmp(field(row, item), no_mac, MAC_LEN) != 0;
	default:
		return false;
	}
}

static void words(const char *const *names, unsigned count, char to[XML_VALUE])
{
	size_t at = 0;

	to[0] = '\0';
	for (unsigned i = 0; i < count && at < XML_VALUE; i++)
		if (names[i][0])
			at += (size_t)snprintf(to + at, XML_VALUE - at, "%s'%s'", at ? ", " : "",
					       names[i]);
}

void xml_attribute_legal(const struct xml_attribute *row, char to[XML_VALUE])
{
	switch (row->kind) {
	case XML_WORD:
	case XML_NAME:
	case XML_IGNORED:
		words(row->names, row->name_count, to);
		break;
	case XML_YES_NO:
	case XML_YES:
	case XML_NO:
		str_copy(to, XML_VALUE, "'yes' or 'no'");
		break;
	case XML_ON_OFF:
	case XML_ON:
		str_copy(to, XML_VALUE, "'on' or 'off'");
		break;
	case XML_NUMBER:
		snprintf(to, XML_VALUE, "a number from %u to %u", row->min, row->max);
		break;
	case XML_IFNAME:
		str_copy(to, XML_VALUE, "the name of a network interface, at most 15 characters");
		break;
	case XML_PATH:
		snprintf(to, XML_VALUE, "a path that begins with /, at most %u characters",
			 row->room - 1);
		break;
	case XML_MAC:
		str_copy(to, XML_VALUE, "a unicast MAC address such as 52:54:00:12:34:56");
		break;
	default:
		snprintf(to, XML_VALUE, "a text of 1 to %u characters without control characters",
			 row->room ? row->room - 1 : 0);
	}
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static bool is_ifname(const char *text)
{
	return text[strcspn(text, "/ :%")] == '\0' && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

static int read_text(const struct xml_attribute *row, void *item, const char *text)
{
	size_t len = strlen(text);

	if (len == 0 && row->empty)
		return 0;
	if (len == 0 || len >= row->room || !is_plain(text) ||
	    (row->kind == XML_PATH && text[0] != '/') ||
	    (row->kind == XML_IFNAME && !is_ifname(text)) ||
	    (row->kind == XML_WORD && name_find(row->names, row->name_count, text) < 0))
		return -EINVAL;
	memcpy((char *)item + row->at, text, len + 1);
	return 0;
}

static int read_switch(const struct xml_attribute *row, void *item, const char *text)
{
	bool on = row->kind == XML_ON || row->kind == XML_ON_OFF;
	int found = name_find(on ? on_off : yes_no, 2, text);

	if (found < 0)
		return -EINVAL;
	if (row->kind == XML_YES_NO || row->kind == XML_ON_OFF)
		set_number(row, item, found == 0 ? TRISTATE_ON : TRISTATE_OFF);
	else
		*(bool *)((char *)item + row->at) = (found == 0) != (row->kind == XML_NO);
	return 0;
}

static int read_name(const struct xml_attribute *row, void *item, const char *text)
{
	int found = text[0] ? name_find(row->names, row->name_count, text) : -1;

	if (found < 0)
		return -EINVAL;
	set_number(row, item, (uint32_t)found);
	return 0;
}

static int read_number(const struct xml_attribute *row, void *item, const char *text)
{
	uint64_t number;

	if (parse_u64(text, row->min, row->max, &number) < 0)
		return -EINVAL;
	set_number(row, item, (uint32_t)number);
	return 0;
}

static int read_mac(const struct xml_attribute *row, void *item, const char *text)
{
	uint8_t mac[MAC_LEN];

	if (mac_parse(text, mac) < 0 || mac_is_multicast(mac))
		return -EINVAL;
	memcpy((char *)item + row->at, mac, MAC_LEN);
	return 0;
}

int xml_attribute_read(const struct xml_attribute *row, void *item, const char *text,
		       char legal[XML_VALUE])
{
	int rc = 0;

	switch (row->kind) {
	case XML_TEXT:
	case XML_IFNAME:
	case XML_PATH:
	case XML_WORD:
		rc = read_text(row, item, text);
		break;
	case XML_NAME:
		rc = read_name(row, item, text);
		break;
	case XML_YES_NO:
	case XML_ON_OFF:
	case XML_YES:
	case XML_NO:
	case XML_ON:
		rc = read_switch(row, item, text);
		break;
	case XML_NUMBER:
		rc = read_number(row, item, text);
		break;
	case XML_MAC:
		rc = read_mac(row, item, text);
		break;
	case XML_IGNORED:
		if (row->names && name_find(row->names, row->name_count, text) < 0)
			rc = -EINVAL;
		break;
	default:
		break;
	}
	if (rc < 0)
		xml_attribute_legal(row, legal);
	return rc;
}

const char *xml_attribute_write(const struct xml_attribute *row, const void *item,
				char to[XML_VALUE])
{
	switch (row->kind) {
	case XML_TEXT:
	case XML_IFNAME:
	case XML_PATH:
	case XML_WORD:
		return field(row, item);
	case XML_NAME:
		return row->names[field_number(row, item)];
	case XML_YES_NO:
		return yes_no[field_number(row, item) != TRISTATE_ON];
	case XML_ON_OFF:
		return on_off[field_number(row, item) != TRISTATE_ON];
	case XML_YES:
		return "yes";
	case XML_NO:
		return "no";
	case XML_ON:
		return "on";
	case XML_NUMBER:
		snprintf(to, XML_VALUE, "%u", field_number(row, item));
		return to;
	case XML_MAC:
		return mac_format(field(row, item), to);
	default:
		return "";
	}
}

static bool holds(const struct xml_attribute *row, const void *item)
{
	uint32_t number;

	switch (row->kind) {
	case XML_TEXT:
	case XML_IFNAME:
	case XML_PATH:
	case XML_WORD:
		return memchr(field(row, item), '\0', row->room) != NULL &&
		       is_plain(field(row, item));
	case XML_NAME:
		return field_number(row, item) < row->name_count;
	case XML_YES_NO:
	case XML_ON_OFF:
		return field_number(row, item) < TRISTATE_COUNT;
	case XML_YES:
	case XML_NO:
	case XML_ON:
		return *(const uint8_t *)field(row, item) <= 1;
	case XML_NUMBER:
		number = field_number(row, item);
		return number == row->unsaid || (number >= row->min && number <= row->max);
	default:
		return true;
	}
}

static bool option_holds(const struct card_option *row, const struct card_options *o)
{
	const char *at = (const char *)o + row->at;
	uint32_t number;
	uint16_t small;

	if (row->kind == CARD_TEXT)
		return memchr(at, '\0', row->room) != NULL && is_plain(at);
	if (row->kind == CARD_POWER_OF_TWO) {
		memcpy(&small, at, sizeof(small));
		return small == 0 || (small >= row->min && small <= row->max);
	}
	memcpy(&number, at, sizeof(number));
	if (row->kind == CARD_NUMBER)
		return number <= row->max;
	return number < (row->kind == CARD_TXMODE ? (uint32_t)CARD_TXMODE_COUNT : TRISTATE_COUNT);
}

bool xml_table_holds(const struct xml_table *table, const void *item)
{
	const struct interface_spec *spec = item;

	for (unsigned i = 0; i < table->attribute_count; i++)
		if (!holds(&table->attributes[i], item))
			return false;
	for (unsigned i = 0; table->card_options && i < card_option_count; i++)
		if (!option_holds(&card_options[i], &spec->port.nic[0].options))
			return false;
	return true;
}
