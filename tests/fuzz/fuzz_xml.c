/* Files of XML, as the process reads them that holds no privilege: <interface> and <network>, what comes of them, and what is written. */
#include <stdlib.h>
#include <string.h>

#include "config/interface_port.h"
#include "config/xml.h"
#include "config/xml_reading.h"
#include "config/xml_writing.h"
#include "known_for_tests.h"

static struct interface_list list, again;
static struct network_list networks;
static struct interface_result nothing[INTERFACES_MAX];
static struct interface_origin origin[INTERFACES_MAX];
static struct port_spec ports[PORTS_MAX];

static void must(bool held)
{
	if (!held)
		abort();
}

static void must_explain(int rc, const struct error *err)
{
	must(rc == 0 || (rc < 0 && err->code == rc && err->text[0]));
}

static void make_ports(bool kvm)
{
	struct interface_rules rules = {
		.file = "f.xml", .target = "x86_64", .kvm = kvm, .known = &test_known
	};
	struct error err = { 0 };
	unsigned count = 0;
	int rc = interfaces_to_ports(&list, &rules, ports, &count, origin, &err);

	must_explain(rc, &err);
	must(count <= PORTS_MAX);
	for (unsigned i = 0; rc == 0 && i < list.count; i++)
		must(list.item[i].unassigned ? origin[i].port == INTERFACE_NO_PORT
					     : origin[i].port < count &&
						       origin[i].nic < ports[origin[i].port].nics);
}

/* What is written is read again, and is still legal. */
static void write_and_read(const char *text, size_t size)
{
	struct error err = { 0 };
	xmlDoc *doc = xml_parse(text, size, "f.xml", &err);
	xmlChar *out = NULL;
	int length = 0;

	must(doc != NULL);
	must_explain(xml_write_document(doc, &list, nothing, &err), &err);
	xmlDocDumpMemoryEnc(doc, &out, &length, "UTF-8");
	xmlFreeDoc(doc);
	memset(&again, 0, sizeof(again));
	if (out && (unsigned)length <= XML_FILE_MAX)
		must(xml_read_text((const char *)out, (size_t)length, "f.xml", &again, NULL,
				   &err) == 0 &&
		     again.count == list.count);
	xmlFree(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct error err = { 0 };

	memset(&list, 0, sizeof(list));
	int rc = xml_read_text(text, size, "f.xml", &list, NULL, &err);
	must_explain(rc, &err);
	must(xml_interfaces_hold(&list));
	if (rc == 0) {
		write_and_read(text, size);
		make_ports(size % 2);
	}
	memset(&networks, 0, sizeof(networks));
	err = (struct error){ 0 };
	must_explain(xml_read_text(text, size, "f.xml", NULL, &networks, &err), &err);
	must(xml_networks_hold(&networks));
	return 0;
}
