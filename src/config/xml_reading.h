/* xml_reading.h - inside the reader of XML: a document that is being read. Only files that know libxml2 include it. */
#ifndef ANYNIC_CONFIG_XML_READING_H
#define ANYNIC_CONFIG_XML_READING_H

#include <libxml/tree.h>

#include "base/error.h"
#include "config/xml_rows.h"

#define XML_ELEMENT_PATH 64

struct xml_reading {
	const char *file;	       /* for people */
	struct interface_list *list;   /* what is filled; also takes the notes */
	struct network_list *networks; /* or this */
	struct error *err;
	/* of the item that is read */
	const struct xml_table *table;
	void *item;
	unsigned on; /* XML_ON_INTERFACE or XML_ON_HOSTDEV; 0 of networks */
	enum interface_type type;
	bool strict;
	uint64_t seen[2]; /* a bit for each row of elements that is not `many` */
};

/* "FILE:LINE" goes to err->where. Returns `code`. */
int xml_fail(struct xml_reading *r, const xmlNode *node, int code, const char *fmt, ...)
	PRINTF(4, 5);

/* A note, or with strict an error. */
int xml_warn(struct xml_reading *r, const xmlNode *node, const char *fmt, ...) PRINTF(3, 4);

/* An attribute's value, or the text inside with name NULL. False when it is not there; one that does not fit is cut, and ends in "...". */
bool xml_value(const xmlNode *node, const char *name, char *to, size_t size);

/* "source", "anynic:auto" */
const char *xml_element_name(const xmlNode *node, char to[XML_ELEMENT_PATH]);

/* Reads the children of `node` and its attributes into r->item by r->table. */
int xml_read_item(struct xml_reading *r, const xmlNode *node);

/* The readers behind enum xml_reader; `row` is that of the element. */
int xml_read_by_hand(struct xml_reading *r, const struct xml_element *row, const xmlNode *node);

/* type=, and what has meaning with another attribute only: before the rows. */
int xml_read_root(struct xml_reading *r, const xmlNode *node);

/* What only the whole element shows. */
int xml_check_interface(struct xml_reading *r, const xmlNode *node);
int xml_check_network(struct xml_reading *r, const xmlNode *node);
int xml_check_bandwidth(struct xml_reading *r, const xmlNode *node, bool floor);

/* Its parameters, by type; and limits that libvirt refuses wherever they stand. */
int xml_read_virtualport(struct xml_reading *r, const xmlNode *node);
void xml_read_virtualport_ids(struct xml_reading *r);

/* <portForward>, and a <range> in it: into the backend's hostfwd. */
int xml_read_port_forward(struct xml_reading *r, const xmlNode *node);
int xml_read_port_range(struct xml_reading *r, const xmlNode *node);

/* Where the elements of a network or a portgroup are, for checks that come later. */
void xml_note_lines(struct network_port *port, const xmlNode *node);

/* "type='bridge', type='network'" */
void xml_type_words(uint32_t types, char *to, size_t size);

/* A whole document: fills r->list or r->networks. */
int xml_read_document(struct xml_reading *r, xmlDoc *doc);

/* The nth <interface> or <hostdev> that the reader takes, NULL at the end. */
xmlNode *xml_item_node(xmlDoc *doc, unsigned n);

/* --- xml_parse.c: documents, in the process that calls; only the child of xml.h does so, and tests ---------------------------------- */

/* NULL with the parser's words; no DTD, no entities, no network. To be freed with xmlFreeDoc. */
xmlDoc *xml_parse(const char *text, size_t size, const char *file, struct error *err);

int xml_read_text(const char *text, size_t size, const char *file, struct interface_list *list,
		  struct network_list *networks, struct error *err);

/* Against a RelaxNG schema. -EINVAL: the document does not follow it, -EIO: the schema itself is none. */
int xml_validate_text(const char *text, size_t size, const char *file, const char *schema,
		      size_t schema_size, struct error *err);

/* Whether structs that another process sent hold only what a reader could have put there. */
bool xml_interfaces_hold(const struct interface_list *list);
bool xml_networks_hold(const struct network_list *list);

#endif
