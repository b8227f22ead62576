/* known.h - which models and backends exist, as far as text and checks need it.
 *
 * config/ does not know the models: whoever assembles the program (cli/known.c) fills this from nic_models[] and backends[].
 */
#ifndef ANYNIC_CONFIG_KNOWN_H
#define ANYNIC_CONFIG_KNOWN_H

#include "base/error.h"

#define KNOWN_REVS 4

struct known_model {
	const char *name;
	const char *summary;
	bool legacy;		  /* may be the legacy card of a switch port */
	bool performant;	  /* may be the performant card */
	bool express;		  /* a PCI Express card */
	bool packed;		  /* takes packed=on */
	bool vf_policy;		  /* a virtual function: takes vlan=, qos=, trust=, spoofchk= */
	uint16_t queues_max;	  /* queue pairs; 1 = takes no other number */
	uint16_t mtu_max;	  /* 0 = takes no mtu= */
	uint8_t revs[KNOWN_REVS]; /* what rev= may be, ends with 0; none = takes no rev= */
	bool rev_zero;		  /* rev= may be 0, too */
	uint8_t express_rev; /* the revision behind a PCI Express port unless rev= says another; 0 = as elsewhere */
	bool msix;     /* has MSI-X */
	bool io_ports; /* has I/O ports, but not as express_rev */
};

struct known_backend {
	const char *name;
	const char *summary;
	const char *keys; /* of --nic that mean something for it, blanks around each; NULL = none */
	int (*missing)(struct error *err); /* 0 = it can be had on this host; NULL = always */
	bool xml_only;			   /* what --nic does not offer */
};

struct known {
	const struct known_model *models;
	unsigned model_count;
	const struct known_backend *backends;
	unsigned backend_count;
	void (*bridge_names)(char *to, size_t size); /* "br0, br1": of this host; NULL = unknown */
};

/* By name, or NULL. */
const struct known_model *known_model_find(const struct known *known, const char *name);

/* Whether rev=REV means something for this card. */
bool known_model_has_rev(const struct known_model *model, int rev);

const struct known_backend *known_backend_find(const struct known *known, const char *name);

/* "rtl8139, virtio-net" */
void known_model_names(const struct known *known, char *to, size_t size);
void known_backend_names(const struct known *known, char *to, size_t size);

/* The entry of `names` that a person who typed `text` most likely meant, or NULL when none is near. */
const char *nearest_name(const char *text, const char *const *names, size_t count);

#endif
