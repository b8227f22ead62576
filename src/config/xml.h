/* xml.h - libvirt's XML from files to structs and back. A file is read by a child process that holds no privilege (xml_process.c): it gets
 * the open file and nothing else, and what it answers is checked against the rows.
 *
 * Errors name file and line (err->where), the element, why, and the next step. Codes: -EINVAL the file is wrong; -ENOTSUP it asks for what
 * this version does not do; -ENOENT there is no such file.
 */
#ifndef ANYNIC_CONFIG_XML_H
#define ANYNIC_CONFIG_XML_H

#include "base/error.h"
#include "config/interface.h"
#include "config/network.h"

#define XML_FILE_MAX (1u << 20)
#define XML_OUT_MAX  (4u << 20)

/* An <interface>, a <hostdev>, several of both in <devices> or <interfaces>, or a <domain>. */
int xml_read_interfaces(const char *path, struct interface_list *out, struct error *err);

/* A <network>, or several in <networks>; added to those that are there. */
int xml_read_networks(const char *path, struct network_list *out, struct error *err);

/* What an interface became, for the one who writes it back. */
struct interface_result {
	char alias[ID_MAX];
	char mac[MAC_TEXT];
	char model[40];	       /* in words: "rtl8139 + virtio-net" */
	char chosen_model[40]; /* <model type=>, where none was given */
	char place[16];
	char driver[16], reason[160]; /* of vhost; empty = nothing to say */
	char type[16], bridge[16], dev[64], mode[16], pci[16]; /* of the actual backend */
};

/* The same document with aliases, MACs and what was chosen; `result` has one for each interface of `list`, in their order. Everything
 * else in the document stays as it is. *text is allocated. */
int xml_write_interfaces(const char *path, const struct interface_list *list,
			 const struct interface_result *result, char **text, struct error *err);

/* Whether the file is what schema/interface.rng and network.rng describe. */
int xml_validate(const char *path, const char *schema, struct error *err);

#endif
