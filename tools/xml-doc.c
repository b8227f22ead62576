/* xml-doc: prints docs/xml-tables.md or, with `schema`, schema/anynic.rng from the rows by which XML is read. Tests compare:
 *     build/tools/xml-doc >docs/xml-tables.md
 *     build/tools/xml-doc schema >schema/anynic.rng
 */
#include <stdio.h>
#include <string.h>

#include "config/xml_rows.h"

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static const char *local_name(const char *name)
{
	return begins(name, "anynic:") ? name + 7 : name;
}

static void print_ns(const char *name)
{
	if (begins(name, "anynic:"))
		printf(" ns=\"%s\"", ANYNIC_XML_NAMESPACE);
}

/* --- the schema ----------------------------------------------------------------------------------------------------- */

#define HEX	 "(0x)?[0-9a-fA-F]{1,4}"
#define YES_NO	 "yes|no"
#define PORT_NUM "[1-9][0-9]{0,4}"

/* What the readers behind XML_BY_HAND take. */
static const struct {
	const char *element, *name, *pattern;
} by_hand[] = {
	{ "mac", "address", "[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}" },
	{ "driver", "name", "vhost|qemu|vfio" },
	{ "source/reconnect", "enabled", YES_NO },
	{ "source/address", "domain", HEX },
	{ "source/address", "bus", "(0x)?[0-9a-fA-F]{1,3}" },
	{ "source/address", "slot", "0x[01]?[0-9a-fA-F]|[0-9]|[12][0-9]|3[01]" },
	{ "source/address", "function", "(0x)?[0-7]" },
	{ "address", "domain", HEX },
	{ "address", "bus", "(0x)?[0-9a-fA-F]{1,3}" },
	{ "address", "slot", "0x[01]?[0-9a-fA-F]|[0-9]|[12][0-9]|3[01]" },
	{ "address", "function", "(0x)?[0-7]" },
	{ "vlan/tag", "id", "[0-9]{1,3}|[1-3][0-9]{3}|40[0-8][0-9]|409[0-5]" },
	{ "vlan/tag", "nativeMode", "tagged|untagged" },
	{ "ip", "prefix", "[4-9]|1[0-9]|2[0-7]|64" },
	{ "portForward", "proto", "tcp|udp" },
	{ "portForward/range", "start", PORT_NUM },
	{ "portForward/range", "end", PORT_NUM },
	{ "portForward/range", "to", PORT_NUM },
	{ "portForward/range", "exclude", YES_NO },
	{ "portForward", "dev", "[^/:,%~ ]{1,15}" },
	{ "anynic:auto", "hold", "off|[0-9]+/[0-9]+" },
	{ "anynic:team", "hold", "off|[0-9]+/[0-9]+" },
	{ "forward/address", "type", "pci" },
	{ "", "type",
	  "network|bridge|direct|ethernet|user|vhostuser|vdpa|hostdev|server|client|mcast|udp|"
	  "internal" },
	{ "", "mode", "subsystem" },
};

static void print_pattern(const char *pattern)
{
	printf("<data type=\"string\"><param name=\"pattern\">%s</param></data>", pattern);
}

static void print_words(const char *const *words, unsigned count)
{
	printf("<choice>");
	for (unsigned i = 0; i < count; i++)
		if (words[i][0])
			printf("<value>%s</value>", words[i]);
	printf("</choice>");
}

static void print_number(uint32_t min, uint32_t max)
{
	/* parse_u64 takes hex as well */
	printf("<choice><data type=\"unsignedInt\"><param name=\"minInclusive\">%u</param><param "
	       "name=\"maxInclusive\">%u</param></data>",
	       min, max);
	print_pattern("0x[0-9a-fA-F]{1,8}");
	printf("</choice>");
}

static void print_length(unsigned least, unsigned room)
{
	printf("<data type=\"string\"><param name=\"minLength\">%u</param><param "
	       "name=\"maxLength\">%u</param></data>",
	       least, room - 1);
}

static void print_by_hand(const char *element, const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(by_hand); i++)
		if (strcmp(by_hand[i].element, element) == 0 &&
		    strcmp(by_hand[i].name, name) == 0) {
			print_pattern(by_hand[i].pattern);
			return;
		}
	printf("<text/>");
}

static void print_value(const struct xml_attribute *row)
{
	static const char *const yes_no[] = { "yes", "no" }, *const on_off[] = { "on", "off" };

	switch (row->kind) {
	case XML_WORD:
	case XML_NAME:
		print_words(row->names, row->name_count);
		break;
	case XML_YES_NO:
	case XML_YES:
	case XML_NO:
		print_words(yes_no, 2);
		break;
	case XML_ON_OFF:
	case XML_ON:
		print_words(on_off, 2);
		break;
	case XML_NUMBER:
		print_number(row->min, row->max);
		break;
	case XML_IFNAME:
		print_pattern("[^/ :%]{1,15}");
		break;
	case XML_PATH:
		print_pattern("/.*");
		break;
	case XML_TEXT:
		print_length(!row->empty, row->room);
		break;
	case XML_BY_HAND:
		print_by_hand(row->element, row->name);
		break;
	case XML_IGNORED:
		if (row->names) {
			print_words(row->names, row->name_count);
			break;
		}
		printf("<text/>");
		break;
	default:
		printf("<text/>");
	}
}

static void print_option_value(const struct card_option *row)
{
	switch (row->kind) {
	case CARD_ON_OFF:
		print_pattern("on|off");
		break;
	case CARD_YES_NO:
		print_pattern(YES_NO);
		break;
	case CARD_TXMODE:
		print_pattern("iothread|timer");
		break;
	case CARD_POWER_OF_TWO:
		printf("<choice>");
		for (uint32_t n = row->min; n <= row->max; n *= 2)
			printf("<value>%u</value>", n);
		printf("</choice>");
		break;
	case CARD_NUMBER:
		print_number(row->min, row->max);
		break;
	default:
		print_length(1, row->max + 1);
	}
}

static void open_attribute(const char *name)
{
	printf("<optional><attribute name=\"%s\"", local_name(name));
	print_ns(name);
	printf(">");
}

/* The root's type= of <hostdev> is in the rule that tells PCI from USB; mode= is of <hostdev> alone. */
static bool is_of_other_root(const struct xml_attribute *row, unsigned on)
{
	if (row->element[0] || row->kind != XML_BY_HAND)
		return false;
	return strcmp(row->name, on == XML_ON_HOSTDEV ? "type" : "mode") == 0;
}

static void print_attributes(const struct xml_table *t, const char *path, unsigned on)
{
	for (unsigned i = 0; i < t->attribute_count; i++) {
		const struct xml_attribute *row = &t->attributes[i];

		if (strcmp(row->element, path) != 0 || !row->name || is_of_other_root(row, on))
			continue;
		open_attribute(row->name);
		print_value(row);
		printf("</attribute></optional>\n");
	}
	for (unsigned i = 0; t->card_options && i < card_option_count; i++) {
		if (strcmp(card_options[i].element, path) != 0)
			continue;
		open_attribute(card_options[i].attribute);
		print_option_value(&card_options[i]);
		printf("</attribute></optional>\n");
	}
}

/* "driver/host" is a child of "driver". */
static bool is_child(const char *path, const char *parent)
{
	size_t len = strlen(parent);

	if (len == 0)
		return path[0] && !strchr(path, '/');
	return begins(path, parent) && path[len] == '/' && !strchr(path + len + 1, '/');
}

static void print_content(const struct xml_table *t, const char *path, unsigned on);

static void print_element(const struct xml_table *t, const struct xml_element *e, unsigned on)
{
	const char *slash = strrchr(e->path, '/'), *name = slash ? slash + 1 : e->path;
	bool open = e->deed == XML_NO_MEANING || e->deed == XML_PASSED_OVER;

	printf("<%s><element name=\"%s\"", e->many ? "zeroOrMore" : "optional", local_name(name));
	print_ns(name);
	printf(">\n");
	if (e->reader == XML_PORTGROUP)
		printf("<ref name=\"portgroup\"/>\n");
	else if (open)
		printf("<ref name=\"anything\"/>\n");
	else
		print_content(t, e->path, on);
	printf("</element></%s>\n", e->many ? "zeroOrMore" : "optional");
}

static void print_content(const struct xml_table *t, const char *path, unsigned on)
{
	const struct xml_attribute *text = xml_attribute_find(t, path, NULL);

	print_attributes(t, path, on);
	if (text) {
		print_value(text);
		printf("\n");
		return;
	}
	printf("<interleave>\n");
	for (unsigned i = 0; i < t->element_count; i++) {
		const struct xml_element *e = &t->elements[i];

		if (is_child(e->path, path) && e->deed != XML_REFUSED && (!on || (e->on & on)))
			print_element(t, e, on);
	}
	printf("<ref name=\"foreign\"/></interleave>\n");
}

static void print_define(const char *name, const struct xml_table *t, unsigned on, const char *more)
{
	printf("<define name=\"%s\">\n%s", name, more);
	print_content(t, "", on);
	printf("</define>\n");
}

static void print_schema(void)
{
	printf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	       "<!-- Made by tools/xml-doc.c from the rows by which anynic reads XML; a test keeps "
	       "it true. -->\n"
	       "<grammar xmlns=\"http://relaxng.org/ns/structure/1.0\" "
	       "datatypeLibrary=\"http://www.w3.org/2001/XMLSchema-datatypes\">\n"
	       "<start><choice>\n"
	       "<ref name=\"interface\"/><ref name=\"hostdev\"/><ref name=\"network\"/>\n"
	       "<element name=\"interfaces\"><ref name=\"items\"/></element>\n"
	       "<element name=\"devices\"><ref name=\"items\"/></element>\n"
	       "<element name=\"networks\"><zeroOrMore><ref "
	       "name=\"network\"/></zeroOrMore></element>\n"
	       "<element name=\"domain\"><zeroOrMore><choice>\n"
	       "<attribute><anyName/></attribute>\n"
	       "<element name=\"devices\"><ref name=\"items\"/></element>\n"
	       "<element><anyName><except><name>devices</name></except></anyName><ref "
	       "name=\"anything\"/></element>\n"
	       "</choice></zeroOrMore></element>\n"
	       "</choice></start>\n"
	       "<define name=\"items\"><zeroOrMore><choice>\n"
	       "<ref name=\"interface\"/><ref name=\"hostdev\"/>\n"
	       "<element><anyName><except><name>interface</name><name>hostdev</name></except></"
	       "anyName><ref "
	       "name=\"anything\"/></element>\n"
	       "</choice></zeroOrMore></define>\n"
	       "<define "
	       "name=\"anything\"><zeroOrMore><choice><attribute><anyName/></attribute><text/>"
	       "<element><anyName/><ref "
	       "name=\"anything\"/></element></choice></zeroOrMore></define>\n"
	       "<define name=\"foreign\"><zeroOrMore><element><anyName><except><nsName "
	       "ns=\"\"/><nsName "
	       "ns=\"" ANYNIC_XML_NAMESPACE
	       "\"/></except></anyName><ref name=\"anything\"/></element></zeroOrMore>"
	       "</define>\n"
	       "<define name=\"interface\"><element name=\"interface\"><ref "
	       "name=\"interface.content\"/></element></define>\n"
	       "<define name=\"hostdev\"><element name=\"hostdev\"><choice>\n"
	       "<group><attribute name=\"type\"><value>pci</value></attribute><ref "
	       "name=\"hostdev.content\"/></group>\n"
	       "<group><attribute name=\"type\"><data "
	       "type=\"string\"><except><value>pci</value></except></data></attribute>\n"
	       "<zeroOrMore><choice><attribute><anyName><except><name>type</name></except></"
	       "anyName></attribute><text/>"
	       "<element><anyName/><ref "
	       "name=\"anything\"/></element></choice></zeroOrMore></group>\n"
	       "</choice></element></define>\n"
	       "<define name=\"network\"><element name=\"network\"><ref "
	       "name=\"network.content\"/></element></define>\n");
	print_define("interface.content", &xml_interface_table, XML_ON_INTERFACE, "");
	print_define("hostdev.content", &xml_interface_table, XML_ON_HOSTDEV, "");
	print_define("network.content", &xml_network_table, 0, "");
	print_define("portgroup", &xml_portgroup_table, 0, "");
	printf("</grammar>\n");
}

/* --- the page ------------------------------------------------------------------------------------------------------- */

static void print_types(uint32_t types)
{
	bool first = true;

	if (!types)
		printf("all");
	for (unsigned i = 0; i < INTERFACE_TYPE_COUNT; i++)
		if (types & BIT(i)) {
			printf("%s%s", first ? "" : ", ", interface_type_names[i]);
			first = false;
		}
}

static const char *deed_of(const struct xml_element *e)
{
	switch (e->deed) {
	case XML_REFUSED:
		return "**refused**: ";
	case XML_NO_MEANING:
		return "ignored with a warning: ";
	case XML_PASSED_OVER:
		return "not looked into";
	default:
		return "";
	}
}

static void print_attribute_words(const struct xml_table *t, const char *path)
{
	char legal[XML_VALUE];
	bool any = false;

	for (unsigned i = 0; i < t->attribute_count; i++) {
		const struct xml_attribute *row = &t->attributes[i];

		if (strcmp(row->element, path) != 0 || row->kind == XML_IGNORED)
			continue;
		xml_attribute_legal(row, legal);
		printf("%s%s%s%s", any ? "; " : "", row->name ? "`" : "text",
		       row->name ? row->name : "", row->name ? "`" : "");
		if (row->kind != XML_BY_HAND && row->kind != XML_TEXT)
			printf(": %s", legal);
		any = true;
	}
	for (unsigned i = 0; t->card_options && i < card_option_count; i++)
		if (strcmp(card_options[i].element, path) == 0) {
			printf("%s`%s`", any ? "; " : "", card_options[i].attribute);
			any = true;
		}
}

static void print_table(const struct xml_table *t)
{
	printf("\n## `<%s>`\n\n| element | of types | attributes | |\n|---|---|---|---|\n",
	       t->root);
	for (unsigned i = 0; i < t->element_count; i++) {
		const struct xml_element *e = &t->elements[i];

		if (e->path[0])
			printf("| `%s` | ", e->path);
		else
			printf("| *the element itself* | ");
		print_types(e->types);
		printf("%s | ", e->lenient ? " (elsewhere ignored with a warning)" : "");
		print_attribute_words(t, e->path);
		printf(" | %s%s |\n", deed_of(e), e->why ? e->why : "");
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "schema") == 0) {
		print_schema();
		return 0;
	}
	printf("# What anynic reads of libvirt's XML\n\n"
	       "Made by `tools/xml-doc.c` from the rows that read it; a test keeps it true. "
	       "[xml.md](xml.md) tells how to use it.\n\n"
	       "An element on a type that is not listed is an error that names its line. What is "
	       "not in these tables is ignored with a\n"
	       "warning that names its line, as libvirt ignores it; with `anynic:strict='yes'` it "
	       "is an error.\n");
	print_table(&xml_interface_table);
	print_table(&xml_network_table);
	print_table(&xml_portgroup_table);
	return 0;
}
