/* <virtualport>, which interface, portgroup and network say alike: what libvirt wants of its parameters. The rows keep what is carried out; what
 * is not is refused later, but a wrong one is told first. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/xml_reading.h"

static const xmlNode *child(const xmlNode *node, const char *name)
{
	for (const xmlNode *c = node->children; c; c = c->next)
		if (c->type == XML_ELEMENT_NODE && !c->ns &&
		    strcmp((const char *)c->name, name) == 0)
			return c;
	return NULL;
}

#define QBG	 BIT(VIRTUALPORT_8021QBG)
#define QBH	 BIT(VIRTUALPORT_8021QBH)
#define OVS	 BIT(VIRTUALPORT_OPENVSWITCH)
#define MIDONET	 BIT(VIRTUALPORT_MIDONET)
#define ANY_TYPE BIT(VIRTUALPORT_UNTYPED) /* which it is, the network says */

/* Types that do without an `instanceid` or an `interfaceid`, get one made. */
static const struct parameter {
	const char *name;
	uint32_t types, needed;
	uint32_t max;  /* of numbers; 0 = a UUID, or with `length` a text */
	size_t length; /* of texts */
} parameters[] = {
	{ "managerid", QBG | MIDONET | ANY_TYPE, QBG, .max = 0xff },
	{ "typeid", QBG | MIDONET | ANY_TYPE, QBG, .max = 0xffffff },
	{ "typeidversion", QBG | MIDONET | ANY_TYPE, QBG, .max = 0xff },
	{ "instanceid", QBG | MIDONET | ANY_TYPE, 0 },
	{ "profileid", QBH | OVS | MIDONET | ANY_TYPE, QBH, .length = 39 },
	{ "interfaceid", OVS | MIDONET | ANY_TYPE, MIDONET },
};

/* As libvirt reads them: 32 hex digits, dashes anywhere between two of a byte each. */
static bool is_uuid(const char *text)
{
	unsigned digits = 0;

	for (; *text; text++) {
		if (*text == '-' ? digits % 2 != 0 : !isxdigit((unsigned char)*text))
			return false;
		digits += *text != '-';
	}
	return digits == 32;
}

/* As libvirt writes them: OVN finds its port by the very letters. */
static void put_uuid(char *to, size_t size, const char *text)
{
	char digit[33] = "";
	unsigned n = 0;

	for (; *text && n < sizeof(digit) - 1; text++)
		if (*text != '-')
			digit[n++] = (char)tolower((unsigned char)*text);
	(void)snprintf(to, size, "%.8s-%.4s-%.4s-%.4s-%.12s", digit, digit + 8, digit + 12,
		       digit + 16, digit + 20);
}

static int check_value(struct xml_reading *r, const xmlNode *node, const struct parameter *p,
		       const char *value)
{
	uint64_t number;
	char legal[48] = "a UUID";
	bool good = p->max	? parse_u64(value, 0, p->max, &number) == 0
		    : p->length ? strlen(value) <= p->length
				: is_uuid(value);

	if (good)
		return 0;
	if (p->max)
		(void)snprintf(legal, sizeof(legal), "a number from 0 to 0x%x", (unsigned)p->max);
	else if (p->length)
		(void)snprintf(legal, sizeof(legal), "a text of at most %zu characters", p->length);
	return xml_fail(r, node, -EINVAL,
			"<virtualport/parameters %s='%.60s'>: the value is not legal; it is %s",
			p->name, value, legal);
}

/* `complete`: nothing else adds parameters, as a network does. */
static int check_parameter(struct xml_reading *r, const xmlNode *node, enum virtualport_kind kind,
			   const struct parameter *p, bool complete)
{
	const xmlNode *at = child(node, "parameters");
	char value[64];
	bool said = at && xml_value(at, p->name, value, sizeof(value));

	if (!said)
		return complete && (p->needed & BIT(kind))
			       ? xml_fail(r, at ? at : node, -EINVAL,
					  "<virtualport type='%s'> needs <parameters %s='...'/>",
					  virtualport_names[kind], p->name)
			       : 0;
	if (!(p->types & BIT(kind)))
		return xml_fail(r, at, -EINVAL,
				"<virtualport/parameters %s=...> does not belong to type='%s'; "
				"remove it",
				p->name, virtualport_names[kind]);
	return check_value(r, at, p, value);
}

int xml_read_virtualport(struct xml_reading *r, const xmlNode *node)
{
	const struct xml_attribute *row = xml_attribute_find(r->table, "virtualport", "type");
	bool interface = r->table == &xml_interface_table;
	bool complete = interface && r->type != INTERFACE_NETWORK;
	uint32_t kind = VIRTUALPORT_UNTYPED;
	int rc = 0;

	if (xmlHasProp(node, (const xmlChar *)"type"))
		memcpy(&kind, (const char *)r->item + row->at, sizeof(kind));
	else if (complete || r->table == &xml_network_table)
		return xml_fail(r, node, -EINVAL,
				"<virtualport> needs type=, as in type='openvswitch'");
	else
		memcpy((char *)r->item + row->at, &kind, sizeof(kind));
	for (unsigned i = 0; i < ARRAY_SIZE(parameters) && rc == 0; i++)
		rc = check_parameter(r, node, (enum virtualport_kind)kind, &parameters[i],
				     complete);
	return rc;
}

/* It was found to be one before. */
void xml_read_virtualport_ids(struct xml_reading *r)
{
	const struct xml_attribute *row =
		xml_attribute_find(r->table, "virtualport/parameters", "interfaceid");
	char *id = (char *)r->item + row->at, written[XML_VALUE];

	str_copy(written, sizeof(written), id);
	if (is_uuid(written))
		put_uuid(id, row->room, written);
}
