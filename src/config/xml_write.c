/* The same document with what was chosen: attributes in their normal form, MAC, model and alias of each interface, and <anynic:actual>. What
 * the rows do not know stays as it is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/xml.h"
#include "config/xml_reading.h"
#include "config/xml_writing.h"

static xmlNs *our_namespace(xmlNode *node)
{
	xmlNs *ns = xmlSearchNsByHref(node->doc, node, (const xmlChar *)ANYNIC_XML_NAMESPACE);

	return ns ? ns
		  : xmlNewNs(node, (const xmlChar *)ANYNIC_XML_NAMESPACE,
			     (const xmlChar *)"anynic");
}

static xmlNode *find_child(const xmlNode *node, const char *name)
{
	char own[XML_ELEMENT_PATH];

	for (xmlNode *c = node->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE && strcmp(xml_element_name(c, own), name) == 0)
			return c;
	return NULL;
}

static unsigned depth_of(const xmlNode *node)
{
	unsigned depth = 0;

	for (const xmlNode *p = node->parent; p && p->type == XML_ELEMENT_NODE; p = p->parent)
		depth++;
	return depth;
}

static xmlNode *new_blank(const xmlNode *node, unsigned depth)
{
	char blank[64];

	(void)snprintf(blank, sizeof(blank), "\n%*s", (int)MIN(2 * depth, 40u), "");
	return xmlNewDocText(node->doc, (const xmlChar *)blank);
}

/* A new child, on a line of its own as the others are. */
static xmlNode *add_child(xmlNode *node, const char *name)
{
	const char *local = strncmp(name, "anynic:", 7) == 0 ? name + 7 : name;
	unsigned depth = depth_of(node);
	xmlNode *last = node->last;

	if (last && last->type == XML_TEXT_NODE) {
		xmlUnlinkNode(last);
		xmlFreeNode(last);
	}
	xmlAddChild(node, new_blank(node, depth + 1));
	xmlNode *child = xmlNewChild(node, local != name ? our_namespace(node) : NULL,
				     (const xmlChar *)local, NULL);
	xmlAddChild(node, new_blank(node, depth));
	/* xmlNewChild gives a child without a namespace that of its parent */
	if (child && local == name)
		child->ns = NULL;
	return child;
}

static xmlNode *child_for(xmlNode *node, const char *path)
{
	char name[XML_ELEMENT_PATH];

	while (path[0]) {
		size_t len = strcspn(path, "/");

		(void)snprintf(name, sizeof(name), "%.*s", (int)len, path);
		xmlNode *child = find_child(node, name);
		node = child ? child : add_child(node, name);
		if (!node)
			return NULL;
		path += len + (path[len] == '/');
	}
	return node;
}

static void set(xmlNode *node, const char *element, const char *name, const char *value)
{
	xmlNode *at = child_for(node, element);

	if (!at)
		return;
	if (!name)
		xmlNodeSetContent(at, (const xmlChar *)value);
	else if (strncmp(name, "anynic:", 7) == 0)
		xmlSetNsProp(at, our_namespace(node), (const xmlChar *)name + 7,
			     (const xmlChar *)value);
	else
		xmlSetProp(at, (const xmlChar *)name, (const xmlChar *)value);
}

static bool belongs(const struct xml_attribute *row, const struct interface_spec *spec)
{
	unsigned on = spec->hostdev_element ? XML_ON_HOSTDEV : XML_ON_INTERFACE;
	const struct xml_element *element = xml_element_find(&xml_interface_table, row->element);

	return element && (element->on & on) && (!row->types || (row->types & BIT(spec->type))) &&
	       (!element->types || (element->types & BIT(spec->type)));
}

static void write_rows(xmlNode *node, const struct interface_spec *spec)
{
	const struct card_options *o = &spec->port.nic[0].options;
	char value[XML_VALUE], number[CARD_OPTION_TEXT];

	for (unsigned i = 0; i < xml_interface_table.attribute_count; i++) {
		const struct xml_attribute *row = &xml_interface_table.attributes[i];

		if (belongs(row, spec) && xml_attribute_is_set(row, spec))
			set(node, row->element, row->name, xml_attribute_write(row, spec, value));
	}
	for (unsigned i = 0; i < card_option_count; i++) {
		const char *text = card_option_write(&card_options[i], o, number);

		if (text)
			set(node, card_options[i].element, card_options[i].attribute, text);
	}
	/* file='' was the older word for enabled='no', and libvirt takes one of them */
	if (o->rom == TRISTATE_OFF && !spec->port.nic[0].romfile[0])
		xmlUnsetProp(child_for(node, "rom"), (const xmlChar *)"file");
}

static void write_actual(xmlNode *node, const struct interface_result *r)
{
	const struct {
		const char *name, *value;
	} parts[] = {
		{ "type", r->type },   { "bridge", r->bridge }, { "dev", r->dev },
		{ "mode", r->mode },   { "pci", r->pci },	{ "model", r->model },
		{ "place", r->place }, { "driver", r->driver }, { "reason", r->reason },
	};
	xmlNode *old = find_child(node, "anynic:actual");

	if (!old)
		old = add_child(node, "anynic:actual");
	for (unsigned i = 0; old && i < ARRAY_SIZE(parts); i++) {
		if (parts[i].value[0])
			xmlSetProp(old, (const xmlChar *)parts[i].name,
				   (const xmlChar *)parts[i].value);
		else
			xmlUnsetProp(old, (const xmlChar *)parts[i].name);
	}
}

int xml_write_document(xmlDoc *doc, const struct interface_list *list,
		       const struct interface_result *result, struct error *err)
{
	for (unsigned i = 0; i < list->count; i++) {
		const struct interface_spec *spec = &list->item[i];
		xmlNode *node = xml_item_node(doc, i);

		if (!node)
			return error_set(err, -EIO, "the file changed while it was in use");
		write_rows(node, spec);
		if (!spec->hostdev_element && result[i].mac[0])
			set(node, "mac", "address", result[i].mac);
		if (!spec->model[0] && result[i].chosen_model[0])
			set(node, "model", "type", result[i].chosen_model);
		if (result[i].alias[0])
			set(node, "alias", "name", result[i].alias);
		write_actual(node, &result[i]);
	}
	return 0;
}
