/* The rows of <interface> and <hostdev>. Source: libvirt's formatdomain; what libvirt makes of them: qemu_command.c and
 * virDomainNetDefParseXML of libvirt 11.3. */
#include "config/xml_rows.h"

#define SPEC(f)                                                                                    \
	.at = offsetof(struct interface_spec, f), .room = sizeof(((struct interface_spec *)0)->f)
#define CARD(f)	 SPEC(port.nic[0].f)
#define BACK(f)	 SPEC(port.backend.f)
#define NAMES(t) .names = t, .name_count = ARRAY_SIZE(t)

static const char *const driver_words[] = {
	[DRIVER_DEFAULT] = "", [DRIVER_VHOST] = "vhost", [DRIVER_QEMU] = "qemu"
};
static const char *const link_words[] = {
	[LINK_AUTO] = "", [LINK_UP] = "up", [LINK_DOWN] = "down"
};
static const char *const place_words[] = {
	[PLACE_AUTO] = "", [PLACE_HOSTED] = "hosted", [PLACE_QEMU] = "qemu"
};
static const char *const teaming_words[] = {
	[TEAMING_NONE] = "", [TEAMING_PERSISTENT] = "persistent", [TEAMING_TRANSIENT] = "transient"
};
static const char *const virtualport_words[] = {
	[VIRTUALPORT_NONE] = "",
	[VIRTUALPORT_UNTYPED] = "",
	[VIRTUALPORT_8021QBG] = "802.1Qbg",
	[VIRTUALPORT_8021QBH] = "802.1Qbh",
	[VIRTUALPORT_OPENVSWITCH] = "openvswitch",
	[VIRTUALPORT_MIDONET] = "midonet",
};
static const char *const forward_words[] = {
	[FORWARD_NONE] = "none",       [FORWARD_NAT] = "nat",
	[FORWARD_ROUTE] = "route",     [FORWARD_OPEN] = "open",
	[FORWARD_BRIDGE] = "bridge",   [FORWARD_PRIVATE] = "private",
	[FORWARD_VEPA] = "vepa",       [FORWARD_PASSTHROUGH] = "passthrough",
	[FORWARD_HOSTDEV] = "hostdev",
};
NAMES_MATCH(driver_words, BACKEND_DRIVER_COUNT);
NAMES_MATCH(link_words, LINK_WISH_COUNT);
NAMES_MATCH(place_words, NIC_PLACE_COUNT);
NAMES_MATCH(teaming_words, TEAMING_KIND_COUNT);
NAMES_MATCH(virtualport_words, VIRTUALPORT_KIND_COUNT);
NAMES_MATCH(forward_words, FORWARD_MODE_COUNT);

static const char *const modes[] = {
	"vepa", "bridge", "private", "passthrough", "client", "server"
};
static const char *const backends[] = { "passt" };
static const char *const mac_types[] = { "generated", "static" };
static const char *const yes_or_no[] = { "yes", "no" };
static const char *const vfio[] = { "vfio" };

/* Types that are a tap on this host. */
#define TAPS                                                                                       \
	(BIT(INTERFACE_NETWORK) | BIT(INTERFACE_BRIDGE) | BIT(INTERFACE_DIRECT) |                  \
	 BIT(INTERFACE_ETHERNET))
#define SOCKETS                                                                                    \
	(BIT(INTERFACE_SERVER) | BIT(INTERFACE_CLIENT) | BIT(INTERFACE_MCAST) | BIT(INTERFACE_UDP))
#define ETHERNET BIT(INTERFACE_ETHERNET)

#define BOTH (XML_ON_INTERFACE | XML_ON_HOSTDEV)
#define HERE XML_ON_INTERFACE

static const struct xml_element elements[] = {
	{ "", BOTH },
	{ "mac", HERE, .reader = XML_MAC_OF_CARD },
	{ "source", BOTH },
	{ "source/address", BOTH, .reader = XML_SOURCE_PCI, .types = BIT(INTERFACE_HOSTDEV) },
	{ "source/local", HERE, .types = BIT(INTERFACE_UDP) },
	{ "source/reconnect", HERE, .reader = XML_RECONNECT, .types = BIT(INTERFACE_VHOSTUSER) },
	{ "source/ip", HERE, XML_REFUSED, .many = true, .types = ETHERNET,
	  .why = "addresses on the host's side are not set by anynic; give the tap its address "
		 "yourself, and name it with <target dev='...' managed='no'/>" },
	{ "source/route", HERE, XML_REFUSED, .many = true, .types = ETHERNET,
	  .why = "routes on the host's side are not set by anynic; set them yourself" },
	{ "target", HERE },
	{ "guest", HERE, XML_NO_MEANING, .why = "is for containers" },
	{ "backenddomain", HERE, XML_NO_MEANING, .why = "is for Xen" },
	{ "model", HERE, .reader = XML_MODEL_WORD },
	{ "driver", BOTH, .reader = XML_DRIVER },
	{ "driver/host", HERE },
	{ "driver/guest", HERE },
	{ "backend", HERE },
	{ "script", HERE, .types = ETHERNET },
	{ "downscript", HERE, .types = ETHERNET },
	{ "ip", HERE, .many = true, .reader = XML_GUEST_IP,
	  .types = BIT(INTERFACE_USER) | BIT(INTERFACE_VHOSTUSER) },
	{ "route", HERE, XML_REFUSED, .many = true,
	  .why = "routes in the guest are not set by anynic; the guest's own network settings do "
		 "it" },
	{ "portForward", HERE, .many = true, .reader = XML_FORWARD,
	  .types = BIT(INTERFACE_USER) | BIT(INTERFACE_VHOSTUSER) },
	{ "portForward/range", HERE, .many = true, .reader = XML_FORWARD_RANGE },
	{ "virtualport", HERE, .reader = XML_VIRTUALPORT,
	  .types = BIT(INTERFACE_NETWORK) | BIT(INTERFACE_BRIDGE) | BIT(INTERFACE_DIRECT) |
		   BIT(INTERFACE_HOSTDEV) },
	{ "virtualport/parameters", HERE, .reader = XML_VIRTUALPORT_IDS },
	{ "filterref", HERE, XML_REFUSED, .types = TAPS & ~BIT(INTERFACE_DIRECT),
	  .why = "anynic sets no packet filters, and a guest without its filter is not what was "
		 "asked for; remove it, or filter on the bridge with nftables" },
	{ "tune", HERE },
	{ "tune/sndbuf", HERE, .types = TAPS, .lenient = true },
	{ "teaming", BOTH },
	{ "link", HERE },
	{ "mtu", HERE,
	  .types = BIT(INTERFACE_NETWORK) | BIT(INTERFACE_BRIDGE) | BIT(INTERFACE_ETHERNET) |
		   BIT(INTERFACE_VHOSTUSER) | BIT(INTERFACE_USER) },
	{ "coalesce", HERE, XML_REFUSED, .types = BIT(INTERFACE_NETWORK) | BIT(INTERFACE_BRIDGE),
	  .why = "anynic does not set how a tap gathers frames; remove it, or use ethtool -C on "
		 "the tap" },
	{ "bandwidth", HERE, .types = TAPS | BIT(INTERFACE_HOSTDEV), .lenient = true },
	{ "bandwidth/inbound", HERE },
	{ "bandwidth/outbound", HERE },
	{ "vlan", HERE,
	  .types = BIT(INTERFACE_NETWORK) | BIT(INTERFACE_BRIDGE) | BIT(INTERFACE_DIRECT) |
		   BIT(INTERFACE_HOSTDEV) },
	{ "vlan/tag", HERE, .many = true, .reader = XML_VLAN_TAG },
	{ "port", HERE, .types = BIT(INTERFACE_NETWORK) | BIT(INTERFACE_BRIDGE) },
	{ "rom", BOTH, .reader = XML_ROM },
	{ "boot", BOTH },
	{ "alias", BOTH },
	{ "address", BOTH, .reader = XML_GUEST_PCI },
	{ "acpi", BOTH },
	{ "anynic:auto", HERE, .reader = XML_AUTO },
	{ "anynic:team", HERE, .reader = XML_TEAM },
	{ "anynic:place", HERE },
	{ "anynic:actual", HERE,
	  XML_CARRIED_OUT }, /* what `anynic xml` writes; said again each time */
};

_Static_assert(ARRAY_SIZE(elements) <= INTERFACE_ELEMENTS_MAX, "each has a line");

#define BY_HAND(e, n)                                                                              \
	{                                                                                          \
		e, n, XML_BY_HAND                                                                  \
	}
#define LIMIT(s, p, side)                                                                          \
	{ "bandwidth/" #side, "average", XML_NUMBER, s(p.side.average), .max = UINT32_MAX },       \
		{ "bandwidth/" #side, "peak", XML_NUMBER, s(p.side.peak), .max = UINT32_MAX },     \
	{                                                                                          \
		"bandwidth/" #side, "burst", XML_NUMBER, s(p.side.burst), .max = UINT32_MAX        \
	}
/* What interface, portgroup and network say alike. */
#define PORT_ROWS(s, p)                                                                            \
	{ "", "trustGuestRxFilters", XML_YES_NO, s(p.trust_rx) },                                  \
		{ "vlan", "trunk", XML_YES, s(p.vlan.trunk) }, BY_HAND("vlan/tag", "id"),          \
		BY_HAND("vlan/tag", "nativeMode"),                                                 \
		{ "port", "isolated", XML_YES_NO, s(p.isolated) },                                 \
		{ "virtualport", "type", XML_NAME, s(p.virtualport.kind),                          \
		  NAMES(virtualport_words) },                                                      \
		{ "virtualport/parameters", "interfaceid", XML_TEXT,                               \
		  s(p.virtualport.interface_id) },                                                 \
		{ "virtualport/parameters", "profileid", XML_TEXT, s(p.virtualport.profile) },     \
		{ "virtualport/parameters", "managerid", XML_IGNORED },                            \
		{ "virtualport/parameters", "typeid", XML_IGNORED },                               \
		{ "virtualport/parameters", "typeidversion", XML_IGNORED },                        \
		{ "virtualport/parameters", "instanceid", XML_IGNORED }, LIMIT(s, p, inbound),     \
		LIMIT(s, p, outbound)

static const struct xml_attribute attributes[] = {
	BY_HAND("", "type"),
	BY_HAND("", "mode"), /* of <hostdev> */
	{ "", "managed", XML_YES, SPEC(hostdev.managed) },
	{ "", "anynic:strict", XML_YES, SPEC(anynic.strict) },
	PORT_ROWS(SPEC, host),
	{ "bandwidth/inbound", "floor", XML_NUMBER, SPEC(host.inbound.floor), .max = UINT32_MAX },

	BY_HAND("mac", "address"),
	{ "mac", "type", XML_IGNORED, NAMES(mac_types), .legal = "is for VMware" },
	{ "mac", "check", XML_IGNORED, NAMES(yes_or_no), .legal = "is for VMware" },

	{ "source", "network", XML_TEXT, SPEC(network), .types = BIT(INTERFACE_NETWORK),
	  .needed = BIT(INTERFACE_NETWORK) },
	{ "source", "portgroup", XML_TEXT, SPEC(portgroup), .types = BIT(INTERFACE_NETWORK) },
	{ "source", "portid", XML_IGNORED },
	{ "source", "bridge", XML_IFNAME, BACK(br), .types = BIT(INTERFACE_BRIDGE),
	  .needed = BIT(INTERFACE_BRIDGE) },
	{ "source", "dev", XML_TEXT, BACK(dev),
	  .types = BIT(INTERFACE_DIRECT) | BIT(INTERFACE_VDPA) | BIT(INTERFACE_USER) |
		   BIT(INTERFACE_VHOSTUSER),
	  .needed = BIT(INTERFACE_DIRECT) | BIT(INTERFACE_VDPA) },
	{ "source", "mode", XML_WORD, BACK(mode), NAMES(modes),
	  .types = BIT(INTERFACE_DIRECT) | BIT(INTERFACE_VHOSTUSER),
	  .needed = BIT(INTERFACE_VHOSTUSER) },
	BY_HAND("source", "type"), /* "unix" of vhostuser */
	{ "source", "path", XML_PATH, BACK(path), .types = BIT(INTERFACE_VHOSTUSER),
	  .needed = BIT(INTERFACE_VHOSTUSER) },
	{ "source", "name", XML_TEXT, BACK(address), .types = BIT(INTERFACE_INTERNAL),
	  .needed = BIT(INTERFACE_INTERNAL) }, /* of internal */
	{ "source", "address", XML_TEXT, BACK(address), .types = SOCKETS,
	  .needed = SOCKETS & ~BIT(INTERFACE_SERVER) },
	{ "source", "port", XML_NUMBER, BACK(port), .min = 1, .max = 65535, .types = SOCKETS,
	  .needed = SOCKETS },
	{ "source/local", "address", XML_TEXT, BACK(local_address), .types = BIT(INTERFACE_UDP),
	  .needed = BIT(INTERFACE_UDP) },
	{ "source/local", "port", XML_NUMBER, BACK(local_port), .min = 1, .max = 65535,
	  .types = BIT(INTERFACE_UDP), .needed = BIT(INTERFACE_UDP) },
	{ "source/reconnect", "enabled", XML_YES_NO, BACK(reconnect) },
	{ "source/reconnect", "timeout", XML_NUMBER, BACK(reconnect_s), .min = 1, .max = 3600 },
	BY_HAND("source/address", "type"),
	BY_HAND("source/address", "domain"),
	BY_HAND("source/address", "bus"),
	BY_HAND("source/address", "slot"),
	BY_HAND("source/address", "function"),

	{ "target", "dev", XML_IFNAME, BACK(ifname) },
	{ "target", "managed", XML_NO, SPEC(host.target_managed_off) },
	{ "guest", "dev", XML_IGNORED, .legal = "is for containers" },
	{ "guest", "actual", XML_IGNORED, .legal = "is for containers" },
	{ "backenddomain", "name", XML_IGNORED, .legal = "is for Xen" },
	{ "model", "type", XML_TEXT, SPEC(model) },
	BY_HAND("driver", "name"), /* of a card, or of vfio */
	{ "driver", "model", XML_TEXT, SPEC(hostdev.variant) },
	{ "driver", "queues", XML_NUMBER, CARD(queues), .max = QUEUES_MAX },
	{ "backend", "type", XML_WORD, BACK(type), NAMES(backends) },
	{ "backend", "tap", XML_PATH, SPEC(host.tap_node) },
	{ "backend", "vhost", XML_PATH, SPEC(host.vhost_node) },
	{ "script", "path", XML_PATH, SPEC(host.script) },
	{ "downscript", "path", XML_PATH, SPEC(host.downscript) },
	{ "backend", "logFile", XML_IGNORED,
	  .legal = "has no meaning here: anynic tells what passt says" },

	BY_HAND("ip", "family"),
	BY_HAND("ip", "address"),
	BY_HAND("ip", "prefix"),
	BY_HAND("ip", "netmask"),
	BY_HAND("ip", "peer"),
	BY_HAND("portForward", "proto"),
	BY_HAND("portForward", "address"),
	BY_HAND("portForward", "dev"),
	BY_HAND("portForward/range", "start"),
	BY_HAND("portForward/range", "end"),
	BY_HAND("portForward/range", "to"),
	BY_HAND("portForward/range", "exclude"),

	{ "tune/sndbuf", NULL, XML_NUMBER, SPEC(host.sndbuf), .max = SNDBUF_UNSAID - 1,
	  .unsaid = SNDBUF_UNSAID },
	{ "teaming", "type", XML_NAME, SPEC(teaming), NAMES(teaming_words) },
	{ "teaming", "persistent", XML_TEXT, SPEC(persistent) },
	{ "link", "state", XML_NAME, SPEC(port.link), NAMES(link_words) },
	{ "mtu", "size", XML_NUMBER, CARD(mtu), .min = 68, .max = 65535 },
	{ "rom", "file", XML_TEXT, CARD(romfile), .empty = true },
	{ "boot", "order", XML_NUMBER, CARD(bootindex), .min = 1, .max = 65535,
	  .unsaid = UINT32_MAX },
	{ "alias", "name", XML_TEXT, SPEC(alias) },
	BY_HAND("address", "type"),
	BY_HAND("address", "domain"),
	BY_HAND("address", "bus"),
	BY_HAND("address", "slot"),
	BY_HAND("address", "function"),

	BY_HAND("anynic:auto", "legacy"),
	BY_HAND("anynic:auto", "performant"),
	{ "anynic:auto", "delay", XML_NUMBER, SPEC(port.legacy_delay_ms),
	  .max = LEGACY_DELAY_MAX_MS, .unsaid = 500 },
	BY_HAND("anynic:auto", "hold"),
	BY_HAND("anynic:team", "transient"),
	BY_HAND("anynic:team", "hold"),
	{ "anynic:place", NULL, XML_NAME, CARD(place), NAMES(place_words) },
	{ "anynic:actual", "type", XML_IGNORED },
	{ "anynic:actual", "bridge", XML_IGNORED },
	{ "anynic:actual", "dev", XML_IGNORED },
	{ "anynic:actual", "mode", XML_IGNORED },
	{ "anynic:actual", "pci", XML_IGNORED },
	{ "anynic:actual", "model", XML_IGNORED },
	{ "anynic:actual", "place", XML_IGNORED },
	{ "anynic:actual", "driver", XML_IGNORED },
	{ "anynic:actual", "reason", XML_IGNORED },
};

const struct xml_table xml_interface_table = {
	.root = "interface",
	.elements = elements,
	.element_count = ARRAY_SIZE(elements),
	.attributes = attributes,
	.attribute_count = ARRAY_SIZE(attributes),
	.card_options = true,
	.vlan_at = offsetof(struct interface_spec, host.vlan),
};

/* --- <network> and its <portgroup> --------------------------------------------------------------------------------- */

#define NET(f) .at = offsetof(struct network_spec, f), .room = sizeof(((struct network_spec *)0)->f)
#define GROUP(f)                                                                                   \
	.at = offsetof(struct portgroup_spec, f), .room = sizeof(((struct portgroup_spec *)0)->f)

/* What network and portgroup say alike. */
#define PORT_ELEMENTS                                                                              \
	{ "vlan" }, { "vlan/tag", .many = true, .reader = XML_VLAN_TAG },                          \
		{ "virtualport", .reader = XML_VIRTUALPORT },                                      \
		{ "virtualport/parameters", .reader = XML_VIRTUALPORT_IDS }, { "port" },           \
		{ "bandwidth" }, { "bandwidth/inbound" },                                          \
	{                                                                                          \
		"bandwidth/outbound"                                                               \
	}

static const struct xml_element network_elements[] = {
	{ "" },
	{ "name" },
	{ "uuid", .deed = XML_PASSED_OVER },
	{ "title", .deed = XML_PASSED_OVER },
	{ "description", .deed = XML_PASSED_OVER },
	{ "metadata", .deed = XML_PASSED_OVER },
	{ "forward", .reader = XML_NETWORK_FORWARD },
	{ "forward/interface", .many = true, .reader = XML_NETWORK_DEVICE },
	{ "forward/pf" },
	{ "forward/address", .many = true, .reader = XML_NETWORK_PCI },
	{ "forward/driver" },
	{ "forward/nat", .deed = XML_PASSED_OVER },
	{ "bridge" },
	{ "mtu" },
	PORT_ELEMENTS,
	{ "portgroup", .many = true, .reader = XML_PORTGROUP },
	{ "mac", .deed = XML_PASSED_OVER },
	{ "domain", .deed = XML_PASSED_OVER },
	{ "dns", .deed = XML_PASSED_OVER },
	{ "ip", .deed = XML_PASSED_OVER, .many = true },
	{ "route", .deed = XML_PASSED_OVER, .many = true },
};

static const struct xml_attribute network_attributes[] = {
	PORT_ROWS(NET, port),
	{ "", "ipv6", XML_IGNORED },
	{ "", "connections", XML_IGNORED },
	{ "name", NULL, XML_TEXT, NET(name) },
	{ "forward", "mode", XML_NAME, NET(forward), NAMES(forward_words) },
	BY_HAND("forward", "dev"),
	{ "forward", "managed", XML_YES, NET(managed) },
	{ "forward/interface", "dev", XML_BY_HAND },
	{ "forward/interface", "connections", XML_IGNORED },
	{ "forward/pf", "dev", XML_IFNAME, NET(pf) },
	BY_HAND("forward/address", "type"),
	BY_HAND("forward/address", "domain"),
	BY_HAND("forward/address", "bus"),
	BY_HAND("forward/address", "slot"),
	BY_HAND("forward/address", "function"),
	{ "forward/address", "connections", XML_IGNORED },
	{ "forward/driver", "name", XML_WORD, NET(driver), NAMES(vfio) },
	{ "forward/driver", "model", XML_TEXT, NET(variant) },
	{ "bridge", "name", XML_IFNAME, NET(bridge) },
	{ "bridge", "stp", XML_IGNORED },
	{ "bridge", "delay", XML_IGNORED },
	{ "bridge", "zone", XML_IGNORED },
	{ "bridge", "macTableManager", XML_IGNORED },
	{ "mtu", "size", XML_NUMBER, NET(mtu), .min = 68, .max = 65535 },
	BY_HAND("portgroup", "name"),
	BY_HAND("portgroup", "default"),
};

const struct xml_table xml_network_table = {
	.root = "network",
	.elements = network_elements,
	.element_count = ARRAY_SIZE(network_elements),
	.attributes = network_attributes,
	.attribute_count = ARRAY_SIZE(network_attributes),
	.vlan_at = offsetof(struct network_spec, port.vlan),
};

static const struct xml_element portgroup_elements[] = {
	{ "" },
	PORT_ELEMENTS,
};

static const struct xml_attribute portgroup_attributes[] = {
	PORT_ROWS(GROUP, port),
	{ "", "name", XML_TEXT, GROUP(name) },
	{ "", "default", XML_YES, GROUP(is_default) },
};

const struct xml_table xml_portgroup_table = {
	.root = "portgroup",
	.elements = portgroup_elements,
	.element_count = ARRAY_SIZE(portgroup_elements),
	.attributes = portgroup_attributes,
	.attribute_count = ARRAY_SIZE(portgroup_attributes),
	.vlan_at = offsetof(struct portgroup_spec, port.vlan),
};
