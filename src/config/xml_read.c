/* From a tree of libxml2 to structs, by the rows. Runs in the process of xml_process.c, which holds no privilege. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/xml_reading.h"

#define DEPTH_MAX   16 /* of what we look into: the deepest row has three */
#define BY_HAND_MAX 63 /* characters of what readers by hand take: addresses, ports, words */

static unsigned line_of(const xmlNode *node)
{
	long line = xmlGetLineNo(node);

	return line > 0 ? (unsigned)line : 0;
}

int xml_fail(struct xml_reading *r, const xmlNode *node, int code, const char *fmt, ...)
{
	char text[sizeof(r->err->text)];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	error_set(r->err, code, "%s", text);
	error_place(r->err, r->file, line_of(node));
	return code;
}

int xml_warn(struct xml_reading *r, const xmlNode *node, const char *fmt, ...)
{
	char text[sizeof(r->list->note[0].text)];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (r->strict)
		return xml_fail(r, node, -EINVAL, "%s; with anynic:strict='yes' this is an error",
				text);
	if (r->list)
		interface_warn(r->list, line_of(node), "%s", text);
	return 0;
}

static bool is_ours(const xmlNs *ns)
{
	return ns && ns->href && strcmp((const char *)ns->href, ANYNIC_XML_NAMESPACE) == 0;
}

const char *xml_element_name(const xmlNode *node, char to[XML_ELEMENT_PATH])
{
	const char *prefix = is_ours(node->ns) ? "anynic:" : "";

	(void)snprintf(to, XML_ELEMENT_PATH, "%s%.40s", prefix, (const char *)node->name);
	return to;
}

static void attribute_name(const xmlAttr *attr, char to[XML_ELEMENT_PATH])
{
	(void)snprintf(to, XML_ELEMENT_PATH, "%s%.40s", is_ours(attr->ns) ? "anynic:" : "",
		       (const char *)attr->name);
}

/* Of another namespace, which is somebody else's business (xmlns:qemu of <domain>, metadata). */
static bool is_foreign(const xmlNs *ns)
{
	return ns && !is_ours(ns);
}

/* One that does not fit ends in dots, so that it is nothing legal, and a person knows it again. */
static void take_text(xmlChar *text, char *to, size_t size)
{
	const char *from = text ? (const char *)text : "";

	if (!str_copy(to, size, from))
		(void)snprintf(to, size, "%.*s...", (int)MIN(size - 4, 40u), from);
	xmlFree(text);
}

bool xml_value(const xmlNode *node, const char *name, char *to, size_t size)
{
	to[0] = '\0';
	if (name && !xmlHasProp(node, (const xmlChar *)name))
		return false;
	take_text(name ? xmlGetNoNsProp(node, (const xmlChar *)name) : xmlNodeGetContent(node), to,
		  size);
	return true;
}

void xml_type_words(uint32_t types, char *to, size_t size)
{
	size_t at = 0;

	to[0] = '\0';
	for (unsigned i = 0; i < INTERFACE_TYPE_COUNT && at < size; i++)
		if (types & BIT(i))
			at += (size_t)snprintf(to + at, size - at, "%s'%s'", at ? ", " : "",
					       interface_type_names[i]);
}

/* --- attributes ---------------------------------------------------------------------------------------------------- */

/* What the element is called that is read: one table is of two. */
static const char *root_name(const struct xml_reading *r)
{
	return r->on == XML_ON_HOSTDEV ? "hostdev" : r->table->root;
}

static int fail_value(struct xml_reading *r, const xmlNode *node, const char *element,
		      const char *name, const char *value, const char *legal)
{
	const char *wrong = value[0] ? "is not legal" : "is empty";

	if (name)
		return xml_fail(r, node, -EINVAL, "<%s %s='%.60s'>: the value %s; it is %s",
				element[0] ? element : root_name(r), name, value, wrong, legal);
	return xml_fail(r, node, -EINVAL, "<%s>%.60s</%s>: the text %s; it is %s", element, value,
			element, wrong, legal);
}

/* Longer than anything that is legal anywhere: the element is not looked at. */
static int check_length(struct xml_reading *r, const xmlNode *node, const char *path,
			const char *name, const xmlChar *text, size_t most)
{
	const char *element = path[0] ? path : root_name(r);
	size_t length = text ? strlen((const char *)text) : 0;

	if (length <= most)
		return 0;
	return xml_fail(r, node, -EINVAL,
			name ? "<%s%s%s='%.30s...'>: %zu characters are too many"
			     : "<%s%s%s>%.30s...: %zu characters are too many",
			element, name ? " " : "", name ? name : "", (const char *)text, length);
}

static int read_card_option(struct xml_reading *r, const xmlNode *node,
			    const struct card_option *row, const char *value)
{
	struct interface_spec *spec = r->item;
	struct error err = { 0 };

	if (card_option_read(row, &spec->port.nic[0].options, value, &err) == 0)
		return 0;
	return xml_fail(r, node, -EINVAL, "<%s>: %s", row->element, err.text);
}

static int read_row(struct xml_reading *r, const xmlNode *node, const struct xml_attribute *row,
		    const char *value)
{
	char legal[XML_VALUE];

	if (row->kind == XML_BY_HAND)
		return 0;
	if (row->types && !(row->types & BIT(r->type)))
		return r->strict ? xml_warn(r, node, "<%s %s=...> has no meaning for type='%s'",
					    row->element, row->name, interface_type_names[r->type])
				 : 0;
	if (xml_attribute_read(row, r->item, value, legal) < 0)
		return fail_value(r, node, row->element, row->name, value, legal);
	if (row->kind == XML_IGNORED)
		return row->legal ? xml_warn(r, node, "<%s %s=...> %s; it is ignored", row->element,
					     row->name, row->legal)
				  : 0;
	return 0;
}

static int read_attribute(struct xml_reading *r, const xmlNode *node, const char *path,
			  const xmlAttr *attr)
{
	char name[XML_ELEMENT_PATH], element[XML_ELEMENT_PATH], value[XML_VALUE];

	if (is_foreign(attr->ns))
		return 0;
	attribute_name(attr, name);
	const struct xml_attribute *row = xml_attribute_find(r->table, path, name);
	const struct card_option *option =
		!row && r->table->card_options ? card_option_find(path, name) : NULL;
	xmlChar *text = xmlNodeListGetString(node->doc, attr->children, 1);
	bool by_hand = row && row->kind == XML_BY_HAND;
	int rc = row || option ? check_length(r, node, path, name, text,
					      by_hand ? BY_HAND_MAX : sizeof(value) - 1)
			       : 0;
	take_text(text, value, sizeof(value));
	if (rc < 0)
		return rc;
	if (row)
		return read_row(r, node, row, value);
	if (option)
		return read_card_option(r, node, option, value);
	if (is_ours(attr->ns) || is_ours(node->ns))
		return xml_fail(r, node, -EINVAL, "<%s %s=...>: there is no such attribute",
				xml_element_name(node, element), name);
	return xml_warn(r, node,
			"<%s %s=...>: there is no such attribute; it is ignored, as libvirt does",
			path[0] ? path : root_name(r), name);
}

static int read_text(struct xml_reading *r, const xmlNode *node, const char *path)
{
	const struct xml_attribute *row = xml_attribute_find(r->table, path, NULL);
	char value[XML_VALUE];

	if (!row)
		return 0;
	xmlChar *text = xmlNodeGetContent(node);
	int rc = check_length(r, node, path, NULL, text, sizeof(value) - 1);
	take_text(text, value, sizeof(value));
	return rc < 0 ? rc : read_row(r, node, row, value);
}

static int read_attributes(struct xml_reading *r, const xmlNode *node, const char *path)
{
	int rc = 0;

	for (const xmlAttr *a = node->properties; a && rc == 0; a = a->next)
		rc = read_attribute(r, node, path, a);
	return rc == 0 ? read_text(r, node, path) : rc;
}

/* --- elements ------------------------------------------------------------------------------------------------------ */

static int check_seen(struct xml_reading *r, const xmlNode *node, const struct xml_element *row)
{
	unsigned n = (unsigned)(row - r->table->elements);
	uint64_t bit = 1ull << (n % 64);

	if (row->many)
		return 0;
	if (r->seen[n / 64] & bit)
		return xml_fail(r, node, -EINVAL, "<%s> is there twice; leave one", row->path);
	r->seen[n / 64] |= bit;
	return 0;
}

static int read_children(struct xml_reading *r, const xmlNode *node, const char *path,
			 unsigned depth);

/* 1: the element is not read. */
static int check_element(struct xml_reading *r, const xmlNode *node, const struct xml_element *row)
{
	const char *type = interface_type_names[r->type];
	char words[160];

	if (row->deed == XML_PASSED_OVER)
		return 1;
	if (row->types && r->on && !(row->types & BIT(r->type))) {
		xml_type_words(row->types, words, sizeof(words));
		if (!row->lenient)
			return xml_fail(
				r, node, -EINVAL,
				"<%s> does not belong to type='%s'; remove it, or use type %s",
				row->path, type, words);
		int rc = xml_warn(
			r, node,
			"<%s> has no meaning for type='%s'; it is ignored, as libvirt does",
			row->path, type);
		return rc < 0 ? rc : 1;
	}
	if (row->deed == XML_REFUSED)
		return xml_fail(r, node, -ENOTSUP, "<%s> is not carried out: %s", row->path,
				row->why);
	if (row->deed == XML_NO_MEANING) {
		int rc = xml_warn(r, node, "<%s> %s; it is ignored", row->path, row->why);

		return rc < 0 ? rc : 1;
	}
	return check_seen(r, node, row);
}

/* For what is found wrong with it when it is not read any more. */
static void note_line(struct xml_reading *r, const xmlNode *node, const struct xml_element *row)
{
	if (r->table == &xml_interface_table)
		((struct interface_spec *)r->item)->element_line[row - r->table->elements] =
			line_of(node);
}

static int read_element(struct xml_reading *r, const xmlNode *node, const char *parent,
			unsigned depth)
{
	char name[XML_ELEMENT_PATH], path[2 * XML_ELEMENT_PATH];

	if (is_foreign(node->ns))
		return 0;
	(void)snprintf(path, sizeof(path), "%s%s%s", parent, parent[0] ? "/" : "",
		       xml_element_name(node, name));
	const struct xml_element *row = xml_element_find(r->table, path);
	if (!row && is_ours(node->ns)) /* libvirt ignores what it does not know, we know our own */
		return xml_fail(r, node, -EINVAL,
				"<%s>: there is no such element; there are anynic:auto, "
				"anynic:team, anynic:place",
				name);
	if (!row || (r->on && !(row->on & r->on)))
		return xml_warn(
			r, node,
			"<%s>: there is no such element in <%s>; it is ignored, as libvirt does",
			path, root_name(r));
	note_line(r, node, row);
	int rc = check_element(r, node, row);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = row->reader == XML_PORTGROUP ? 0 : read_attributes(r, node, path);
	if (rc == 0)
		rc = xml_read_by_hand(r, row, node);
	return rc == 0 && row->reader != XML_PORTGROUP ? read_children(r, node, path, depth + 1)
						       : rc;
}

static int read_children(struct xml_reading *r, const xmlNode *node, const char *path,
			 unsigned depth)
{
	int rc = 0;

	if (depth > DEPTH_MAX)
		return xml_fail(r, node, -EINVAL, "elements are nested deeper than %d", DEPTH_MAX);
	for (const xmlNode *c = node->children; c && rc == 0; c = c->next)
		if (c->type == XML_ELEMENT_NODE)
			rc = read_element(r, c, path, depth);
	return rc;
}

int xml_read_item(struct xml_reading *r, const xmlNode *node)
{
	int rc = read_attributes(r, node, "");

	return rc == 0 ? read_children(r, node, "", 0) : rc;
}

/* --- documents ----------------------------------------------------------------------------------------------------- */

static bool is_named(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && !node->ns &&
	       strcmp((const char *)node->name, name) == 0;
}

static bool is_item(const xmlNode *node)
{
	char type[16];

	if (is_named(node, "interface"))
		return true;
	if (!is_named(node, "hostdev"))
		return false;
	/* USB, SCSI and mediated devices are no network functions */
	return xml_value(node, "type", type, sizeof(type)) && strcmp(type, "pci") == 0;
}

/* Other host devices are not ours to read, but none of them is one of a team: T9. */
static int check_other_device(struct xml_reading *r, const xmlNode *node)
{
	char type[16];

	if (!is_named(node, "hostdev"))
		return 0;
	xml_value(node, "type", type, sizeof(type));
	for (const xmlNode *c = node->children; c; c = c->next)
		if (is_named(c, "teaming"))
			return xml_fail(r, c, -EINVAL,
					"<teaming> of <hostdev type='%s'>: only a PCI function can "
					"be the transient one of a team",
					type);
	return 0;
}

static void empty_interface(struct interface_spec *spec)
{
	struct nic_spec *nic = spec->port.nic;

	*spec = (struct interface_spec){ .port = { .policy = POLICY_SINGLE,
						   .link = LINK_AUTO,
						   .legacy_delay_ms = 500,
						   .hold_count = 6,
						   .hold_seconds = 60,
						   .nics = 1 } };
	for (unsigned i = 0; i < QUEUES_MAX; i++)
		spec->port.backend.fds[i] = -1;
	for (unsigned i = 0; i < PORT_NICS; i++)
		nic[i].rev = nic[i].bootindex = nic[i].vlan = nic[i].qos = -1;
	spec->host.vlan.native = -1;
	spec->host.sndbuf = SNDBUF_UNSAID;
}

static int read_interface(struct xml_reading *r, const xmlNode *node)
{
	struct interface_list *list = r->list;

	if (list->count == INTERFACES_MAX)
		return xml_fail(r, node, -ERANGE,
				"more than %d interfaces; a guest has at most that many",
				INTERFACES_MAX);
	struct interface_spec *spec = &list->item[list->count];
	empty_interface(spec);
	spec->line = line_of(node);
	spec->hostdev_element = is_named(node, "hostdev");
	r->table = &xml_interface_table;
	r->item = spec;
	r->on = spec->hostdev_element ? XML_ON_HOSTDEV : XML_ON_INTERFACE;
	r->strict = false;
	memset(r->seen, 0, sizeof(r->seen));
	int rc = xml_read_root(r, node);
	if (rc == 0)
		rc = xml_read_item(r, node);
	if (rc == 0)
		rc = xml_check_interface(r, node);
	list->count += rc == 0;
	return rc;
}

static int read_network(struct xml_reading *r, const xmlNode *node)
{
	struct network_list *list = r->networks;

	if (list->count == NETWORKS_MAX)
		return xml_fail(r, node, -ERANGE, "more than %d networks", NETWORKS_MAX);
	struct network_spec *spec = &list->item[list->count];
	*spec = (struct network_spec){ .line = line_of(node), .port.vlan.native = -1 };
	r->table = &xml_network_table;
	r->item = spec;
	r->on = 0;
	memset(r->seen, 0, sizeof(r->seen));
	int rc = xml_read_item(r, node);
	if (rc == 0)
		rc = xml_check_network(r, node);
	list->count += rc == 0;
	return rc;
}

static const xmlNode *child_named(const xmlNode *node, const char *name)
{
	for (const xmlNode *c = node->children; c; c = c->next)
		if (is_named(c, name))
			return c;
	return NULL;
}

/* Where its cards are put: <os><type arch='x86_64' machine='pc-q35-7.2'>. */
static void read_machine(struct interface_list *list, const xmlNode *domain)
{
	const xmlNode *os = child_named(domain, "os"), *type = os ? child_named(os, "type") : NULL;
	char text[XML_VALUE];

	if (!type)
		return;
	if (xml_value(type, "arch", text, sizeof(text)) &&
	    !str_copy(list->arch, sizeof(list->arch), text))
		list->arch[0] = '\0';
	if (xml_value(type, "machine", text, sizeof(text)) &&
	    !str_copy(list->machine, sizeof(list->machine), text))
		list->machine[0] = '\0';
}

/* libvirt boots from the first card where <os> says <boot dev='network'/>; its place there is the card's. */
static int read_boot(struct xml_reading *r, const xmlNode *domain)
{
	const xmlNode *os = child_named(domain, "os");
	char dev[16];
	unsigned n = 0;

	for (const xmlNode *c = os ? os->children : NULL; c && n < BOOTS_MAX; c = c->next) {
		if (!is_named(c, "boot"))
			continue;
		n++;
		if (!xml_value(c, "dev", dev, sizeof(dev)) || strcmp(dev, "network") != 0)
			continue;
		r->list->boot = n;
		if (n > 1)
			return xml_warn(r, c,
					"<boot dev='network'>: the first card has bootindex=%u, as "
					"with libvirt; what boots before it needs its bootindex= "
					"on QEMU's line",
					n);
		return 0;
	}
	return 0;
}

/* A <domain>'s own words. */
static int read_domain(struct xml_reading *r, const xmlNode *node)
{
	char type[16], name[XML_VALUE];
	const xmlNode *given = child_named(node, "name");

	xml_value(node, "type", type, sizeof(type));
	if (strcmp(type, "kvm") != 0 && strcmp(type, "qemu") != 0)
		return xml_fail(r, node, -EINVAL,
				"<domain type='%s'>: anynic runs QEMU; the type is 'kvm' or 'qemu'",
				type);
	r->list->kvm = type[0] == 'k';
	read_machine(r->list, node);
	if (given) {
		xml_value(given, NULL, name, sizeof(name));
		(void)str_copy(r->list->name, sizeof(r->list->name), name);
	}
	return read_boot(r, node);
}

static bool boots_by_os(const xmlNode *domain)
{
	const xmlNode *os = child_named(domain, "os");

	return os && child_named(os, "boot");
}

static const xmlNode *holder_of(const xmlNode *root)
{
	return is_named(root, "domain") ? child_named(root, "devices") : root;
}

static bool is_holder(const xmlNode *root)
{
	return is_named(root, "domain") || is_named(root, "devices") ||
	       is_named(root, "interfaces") || is_named(root, "networks");
}

static int read_interfaces(struct xml_reading *r, const xmlNode *root)
{
	const xmlNode *holder = holder_of(root);
	int rc = is_named(root, "domain") ? read_domain(r, root) : 0;

	if (rc < 0)
		return rc;
	if (is_item(root))
		return read_interface(r, root);
	rc = check_other_device(r, root);
	if (rc < 0)
		return rc;
	if (!is_holder(root) || is_named(root, "networks"))
		return xml_fail(
			r, root, -EINVAL,
			"<%.40s> is none of <interface>, <hostdev type='pci'>, <devices>, <domain>",
			root->name);
	for (const xmlNode *c = holder ? holder->children : NULL; c && rc == 0; c = c->next) {
		rc = is_item(c) ? read_interface(r, c) : check_other_device(r, c);
		if (rc == 0 && is_item(c) && is_named(root, "domain") && boots_by_os(root) &&
		    r->list->item[r->list->count - 1].port.nic[0].bootindex >= 0)
			rc = xml_fail(r, c, -EINVAL,
				      "<boot order=...> of a device and <boot dev=...> of <os> "
				      "exclude each other; leave one");
	}
	if (rc == 0 && r->list->count == 0)
		rc = xml_fail(r, root, -EINVAL, "there is no <interface> in it");
	return rc;
}

static int read_networks(struct xml_reading *r, const xmlNode *root)
{
	int rc = 0;

	if (is_named(root, "network"))
		return read_network(r, root);
	if (!is_holder(root))
		return xml_fail(r, root, -EINVAL, "<%.40s> is none of <network>, <networks>",
				root->name);
	for (const xmlNode *c = root->children; c && rc == 0; c = c->next)
		if (is_named(c, "network"))
			rc = read_network(r, c);
	if (rc == 0 && r->networks->count == 0)
		rc = xml_fail(r, root, -EINVAL, "there is no <network> in it");
	return rc;
}

int xml_read_document(struct xml_reading *r, xmlDoc *doc)
{
	const xmlNode *root = xmlDocGetRootElement(doc);

	if (!root)
		return error_set(r->err, -EINVAL, "%.80s: no element in it", r->file);
	if (r->networks)
		return read_networks(r, root);
	r->list->kvm = true;
	return read_interfaces(r, root);
}

xmlNode *xml_item_node(xmlDoc *doc, unsigned n)
{
	xmlNode *root = xmlDocGetRootElement(doc);

	if (!root)
		return NULL;
	if (is_item(root))
		return n == 0 ? root : NULL;
	const xmlNode *holder = holder_of(root);
	for (xmlNode *c = holder ? holder->children : NULL; c; c = c->next)
		if (is_item(c) && n-- == 0)
			return c;
	return NULL;
}
