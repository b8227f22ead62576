/* libvirt_network.h - what a virtual network of libvirt stands for: the few words of its file that say where frames go. */
#ifndef ANYNIC_HOST_LIBVIRT_NETWORK_H
#define ANYNIC_HOST_LIBVIRT_NETWORK_H

#include "base/error.h"

#define LIBVIRT_NETWORKS "/etc/libvirt/qemu/networks"

#define LIBVIRT_NETWORK_FUNCTIONS 64

struct libvirt_network {
	char bridge[16]; /* <bridge name=>; empty = none */
	char forward
		[16]; /* <forward mode=>: nat, route, open, bridge, vepa, private, passthrough, hostdev; empty = isolated */
	char dev[16]; /* the first device that it forwards to; empty = none */
	char pci[LIBVIRT_NETWORK_FUNCTIONS]
		[16]; /* of forward mode hostdev: "0000:03:10.2" of each <address type='pci'> */
	unsigned pcis;
};

/* FOLDER/NAME.xml. -ENOENT when there is none, -EACCES when it may not be read, -EBADMSG when it is no network. */
int libvirt_network_read(const char *folder, const char *name, struct libvirt_network *out,
			 struct error *err);

/* The same of text. */
int libvirt_network_parse(const char *text, struct libvirt_network *out);

#endif
