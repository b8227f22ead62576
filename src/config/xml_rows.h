/* xml_rows.h - the tables of XML: which elements and attributes there are, what is done with them, and the field that each goes to. Reader,
 * writer, schema and docs/xml.md come from these rows (with those of card_options.c); no row knows libxml2.
 */
#ifndef ANYNIC_CONFIG_XML_ROWS_H
#define ANYNIC_CONFIG_XML_ROWS_H

#include "config/card_options.h"
#include "config/interface.h"
#include "config/network.h"

#define ANYNIC_XML_NAMESPACE "https://anynic.org/xml/1"

enum xml_kind {
	XML_TEXT,    /* char[] */
	XML_IFNAME,  /* char[]: the name of a network interface */
	XML_PATH,    /* char[]: begins with a slash */
	XML_WORD,    /* char[]: one of names[] */
	XML_NAME,    /* an enum by names[] */
	XML_YES_NO,  /* enum tristate */
	XML_ON_OFF,  /* enum tristate */
	XML_YES,     /* bool: yes is true */
	XML_NO,	     /* bool: no is true */
	XML_ON,	     /* bool: on is true */
	XML_NUMBER,  /* min..max; 2 or 4 bytes, by room */
	XML_MAC,     /* 6 bytes */
	XML_BY_HAND, /* the element's own reader takes it */
	XML_IGNORED, /* legal, one of names[] where it has them, and without meaning here */
	XML_KIND_COUNT
};

struct xml_attribute {
	const char
		*element; /* path below the root of the table: "source/reconnect"; "" = the root */
	const char *name; /* "anynic:strict" is of our namespace; NULL = the text inside */
	enum xml_kind kind;
	uint32_t at, room;
	const char *const *names;
	unsigned name_count;
	uint32_t min, max;
	const char
		*legal;	 /* in words; NULL: follows from the kind. XML_IGNORED: why there is none */
	uint32_t unsaid; /* of numbers: the value of a field that nobody set */
	bool empty;	 /* of texts: may be empty, which sets nothing */
	uint32_t
		types; /* of enum interface_type that have it; others ignore it, as libvirt does. 0 = all */
	uint32_t needed; /* types that cannot be without */
};

enum xml_deed {
	XML_CARRIED_OUT,
	XML_NO_MEANING,	 /* forgotten, with a warning: `why` says whose it is */
	XML_PASSED_OVER, /* somebody else's: not looked into, and nothing is said */
	XML_REFUSED,	 /* an error: `why` says the reason and the next step */
};

enum xml_reader {
	XML_PLAIN,
	XML_MAC_OF_CARD,
	XML_MODEL_WORD,
	XML_ROM,
	XML_SOURCE_PCI,
	XML_GUEST_PCI,
	XML_DRIVER,
	XML_VLAN_TAG,
	XML_GUEST_IP,
	XML_FORWARD,
	XML_FORWARD_RANGE,
	XML_AUTO,
	XML_TEAM,
	XML_RECONNECT,
	XML_VIRTUALPORT,
	XML_VIRTUALPORT_IDS,
	XML_NETWORK_FORWARD,
	XML_NETWORK_DEVICE,
	XML_NETWORK_PCI,
	XML_PORTGROUP,
	XML_READER_COUNT
};

#define XML_ON_INTERFACE BIT(0)
#define XML_ON_HOSTDEV	 BIT(1)

struct xml_element {
	const char *path;
	unsigned on; /* XML_ON_INTERFACE ... */
	enum xml_deed deed;
	bool many;
	enum xml_reader reader; /* after the attributes that have rows; it may look at its own */
	uint32_t types;		/* of enum interface_type that have it; 0 = all */
	bool lenient;		/* on others libvirt ignores it: a warning. Else an error */
	const char *why;
};

struct xml_table {
	const char *root; /* "interface" */
	const struct xml_element *elements;
	unsigned element_count;
	const struct xml_attribute *attributes;
	unsigned attribute_count;
	bool card_options; /* the rows of card_options.c belong to it: they are of the first card */
	uint32_t vlan_at;  /* its struct vlan_tags */
};

extern const struct xml_table
	xml_interface_table; /* also <hostdev>; fields of struct interface_spec */
extern const struct xml_table xml_network_table; /* fields of struct network_spec */
extern const struct xml_table
	xml_portgroup_table; /* <portgroup> in it; fields of struct portgroup_spec */

const struct xml_element *xml_element_find(const struct xml_table *table, const char *path);
const struct xml_attribute *xml_attribute_find(const struct xml_table *table, const char *element,
					       const char *name);

/* Whether a field holds something that a file said. */
bool xml_attribute_is_set(const struct xml_attribute *row, const void *item);

#define XML_VALUE 400

/* From and to text. 0, or -EINVAL with what is legal in `legal`. */
int xml_attribute_read(const struct xml_attribute *row, void *item, const char *text,
		       char legal[XML_VALUE]);
const char *xml_attribute_write(const struct xml_attribute *row, const void *item,
				char to[XML_VALUE]);

/* What is legal, in words. */
void xml_attribute_legal(const struct xml_attribute *row, char to[XML_VALUE]);

/* A struct that another process sent holds only what its rows could have put there. */
bool xml_table_holds(const struct xml_table *table, const void *item);

#endif
