/* xml_writing.h - inside the writer of XML: from what was chosen into the tree of the document that was read. */
#ifndef ANYNIC_CONFIG_XML_WRITING_H
#define ANYNIC_CONFIG_XML_WRITING_H

#include <libxml/tree.h>

#include "config/xml.h"

int xml_write_document(xmlDoc *doc, const struct interface_list *list,
		       const struct interface_result *result, struct error *err);

#endif
