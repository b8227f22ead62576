/* <portForward> of passt, as libvirt has it: ports of this host that are the guest's. A range becomes a hostfwd=; ports that are excluded from
 * one part it. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "config/xml_reading.h"

/* passt listens there: "ADDRESS", "ADDRESS%DEV", "%DEV", or nothing. */
#define FORWARD_PLACE 64

static void forward_place(const xmlNode *node, char place[FORWARD_PLACE])
{
	char address[INET6_ADDRSTRLEN] = "", dev[IFNAMSIZ] = "";

	xml_value(node, "address", address, sizeof(address));
	xml_value(node, "dev", dev, sizeof(dev));
	(void)snprintf(place, FORWARD_PLACE, "%s%s%s", address, dev[0] ? "%" : "", dev);
}

static int add_forward(struct xml_reading *r, const xmlNode *range, const char *ports)
{
	struct interface_spec *s = r->item;
	struct backend_spec *b = &s->port.backend;
	char proto[16], place[FORWARD_PLACE];

	if (b->hostfwds == HOSTFWD_MAX)
		return xml_fail(r, range, -ENOTSUP,
				"<portForward>: more than %d ranges are not carried out; next: "
				"longer ranges",
				HOSTFWD_MAX);
	xml_value(range->parent, "proto", proto, sizeof(proto));
	forward_place(range->parent, place);
	(void)snprintf(b->hostfwd[b->hostfwds++], sizeof(b->hostfwd[0]), "%.3s:%s:%s", proto, place,
		       ports);
	return 0;
}

static bool excludes(const xmlNode *range)
{
	char text[8];

	return xml_value(range, "exclude", text, sizeof(text)) && strcmp(text, "yes") == 0;
}

static bool is_range(const xmlNode *node)
{
	return node->type == XML_ELEMENT_NODE && !node->ns &&
	       strcmp((const char *)node->name, "range") == 0;
}

/* Without one, or with excluded ones only, all ports would be meant. */
static bool has_range(const xmlNode *node)
{
	for (const xmlNode *c = node->children; c; c = c->next)
		if (is_range(c) && !excludes(c))
			return true;
	return false;
}

/* With no character that has a meaning in passt's words. */
static bool is_device(const char *name)
{
	return name[0] && strlen(name) < IFNAMSIZ && !strpbrk(name, "/:,%~ ");
}

int xml_read_port_forward(struct xml_reading *r, const xmlNode *node)
{
	char proto[16], address[64], dev[64];
	struct in6_addr in;

	if (!xml_value(node, "proto", proto, sizeof(proto)) ||
	    (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0))
		return xml_fail(
			r, node, -EINVAL,
			"<portForward proto='%s'>: the value is not legal; it is 'tcp' or 'udp'",
			proto);
	if (xml_value(node, "dev", dev, sizeof(dev)) && !is_device(dev))
		return xml_fail(r, node, -EINVAL,
				"<portForward dev='%s'> is no name of a network interface", dev);
	if (xml_value(node, "address", address, sizeof(address)) &&
	    inet_pton(AF_INET, address, &in) != 1 && inet_pton(AF_INET6, address, &in) != 1)
		return xml_fail(r, node, -EINVAL, "<portForward address='%s'> is no IP address",
				address);
	if (!has_range(node))
		return xml_fail(r, node, -ENOTSUP,
				"<portForward> of all ports is not carried out; next: <range "
				"start='22'/>, or a longer one with end=");
	return 0;
}

static int read_port(struct xml_reading *r, const xmlNode *node, const char *name, uint64_t unsaid,
		     uint64_t *port)
{
	char text[16];

	*port = unsaid;
	if (!xml_value(node, name, text, sizeof(text)))
		return 0;
	if (parse_u64(text, 1, 65535, port) == 0)
		return 0;
	return xml_fail(r, node, -EINVAL,
			"<range %s='%s'>: the value is not legal; it is a number from 1 to 65535",
			name, text);
}

/* Ports of the host; of one that is not to be forwarded `to` is of no interest. */
struct port_range {
	uint64_t start, end, to;
};

static int read_bounds(struct xml_reading *r, const xmlNode *node, struct port_range *range)
{
	if (!xmlHasProp(node, (const xmlChar *)"start"))
		return xml_fail(r, node, -EINVAL, "<range> needs start=, a port of this host");
	int rc = read_port(r, node, "start", 0, &range->start);
	if (rc == 0)
		rc = read_port(r, node, "end", range->start, &range->end);
	if (rc == 0)
		rc = read_port(r, node, "to", range->start, &range->to);
	if (rc < 0)
		return rc;
	if (range->end < range->start || range->to + (range->end - range->start) > 65535)
		return xml_fail(r, node, -EINVAL,
				"<range start='%u' end='%u' to='%u'>: the range ends before it "
				"begins, or above 65535",
				(unsigned)range->start, (unsigned)range->end, (unsigned)range->to);
	return 0;
}

/* The excluded range with the lowest port that is not below `start`, up to `end`. */
static int find_hole(struct xml_reading *r, const xmlNode *forward, const struct port_range *in,
		     struct port_range *hole)
{
	struct port_range one = { 0 };

	*hole = (struct port_range){ .start = in->end + 1, .end = in->end };
	for (const xmlNode *c = forward->children; c; c = c->next) {
		if (!is_range(c) || !excludes(c))
			continue;
		int rc = read_bounds(r, c, &one);
		if (rc < 0)
			return rc;
		if (one.end >= in->start && MAX(one.start, in->start) < hole->start)
			*hole = (struct port_range){ .start = MAX(one.start, in->start),
						     .end = one.end };
	}
	return 0;
}

static int add_range(struct xml_reading *r, const xmlNode *node, const struct port_range *range)
{
	char ports[32], last[8] = "";

	if (range->end > range->start)
		(void)snprintf(last, sizeof(last), "..%u", (unsigned)range->end);
	(void)snprintf(ports, sizeof(ports), "%u%s-:%u", (unsigned)range->start, last,
		       (unsigned)range->to);
	return add_forward(r, node, ports);
}

/* What is left of it between the excluded ones. */
int xml_read_port_range(struct xml_reading *r, const xmlNode *node)
{
	struct port_range left = { 0 }, piece, hole = { 0 };
	char exclude[8];

	if (xml_value(node, "exclude", exclude, sizeof(exclude)) && strcmp(exclude, "no") != 0 &&
	    strcmp(exclude, "yes") != 0)
		return xml_fail(r, node, -EINVAL,
				"<range exclude='%s'>: the value is not legal; it is 'yes' or 'no'",
				exclude);
	int rc = read_bounds(r, node, &left);
	while (rc == 0 && !excludes(node) && left.start <= left.end) {
		rc = find_hole(r, node->parent, &left, &hole);
		piece = left;
		piece.end = hole.start - 1;
		if (rc == 0 && hole.start > left.start)
			rc = add_range(r, node, &piece);
		left.to += hole.end + 1 - left.start;
		left.start = hole.end + 1;
	}
	return rc;
}
