/* blame.h - says of a failure which port it is about. What is wrong with a port is found long after its words were read, and said in those
 * of --nic; to whom wrote XML it is said in XML's, with file and line. */
#ifndef ANYNIC_CONFIG_BLAME_H
#define ANYNIC_CONFIG_BLAME_H

#include "base/error.h"
#include "config/spec.h"

/* err->where becomes "port net0", or "FILE:LINE" of a port of XML, whose text is translated. `err` may be NULL. */
void error_of_port(struct error *err, const struct port_spec *port);

/* "driver=vhost cannot be had" becomes "<driver name='vhost'/> cannot be had". Words behind --nic stay, as do unknown ones. */
void words_of_xml(const char *text, char *to, size_t size);

#endif
