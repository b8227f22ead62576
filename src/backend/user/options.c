#include "backend/user/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define PREFIX_MIN 4
#define PREFIX_MAX 29 /* room for the host, DNS and a guest */

/* Cuts `text` at the first `mark` and returns what follows, or NULL. */
static char *cut(char *text, char mark)
{
	char *at = strchr(text, mark);

	if (at)
		*at++ = '\0';
	return at;
}

static int read_address(const char *text, struct in_addr *out)
{
	out->s_addr = INADDR_ANY;
	return text[0] == '\0' || inet_pton(AF_INET, text, out) == 1 ? 0 : -EINVAL;
}

static int read_port(const char *text, uint16_t *out)
{
	uint64_t v;
	int rc = parse_u64(text, 1, 65535, &v);

	if (rc == 0)
		*out = (uint16_t)v;
	return rc;
}

int forward_read(struct forward *f, const char *text)
{
	char copy[96];

	if (!str_copy(copy, sizeof(copy), text))
		return -EINVAL;
	char *host = cut(copy, ':');
	char *guest = host ? cut(host, '-') : NULL;
	char *host_port = guest ? cut(host, ':') : NULL;
	char *guest_port = guest ? cut(guest, ':') : NULL;
	if (!host_port || !guest_port)
		return -EINVAL;
	*f = (struct forward){ .udp = strcmp(copy, "udp") == 0 };
	if (!f->udp && strcmp(copy, "tcp") != 0 && copy[0] != '\0')
		return -EINVAL;
	if (read_address(host, &f->host) < 0 || read_address(guest, &f->guest) < 0)
		return -EINVAL;
	return read_port(host_port, &f->host_port) < 0 ? -EINVAL
						       : read_port(guest_port, &f->guest_port);
}

static int read_net(struct user_options *o, const char *value, struct error *err)
{
	char copy[64];
	uint64_t prefix = 0;

	str_copy(copy, sizeof(copy), value);
	char *bits = cut(copy, '/');
	if (!bits || inet_pton(AF_INET, copy, &o->net) != 1 ||
	    parse_u64(bits, PREFIX_MIN, PREFIX_MAX, &prefix) < 0)
		return error_set(
			err, -EINVAL,
			"net=%s is no network; as in net=10.0.2.0/24, with a prefix from %d to %d",
			value, PREFIX_MIN, PREFIX_MAX);
	o->prefix = (unsigned)prefix;
	o->net.s_addr &= htonl(~0u << (32 - o->prefix));
	return 0;
}

static int read_forward(struct user_options *o, const char *value, struct error *err)
{
	if (o->forwards == HOSTFWD_MAX)
		return error_set(err, -E2BIG, "more than %d hostfwd=", HOSTFWD_MAX);
	if (forward_read(&o->forward[o->forwards], value) < 0)
		return error_set(
			err, -EINVAL,
			"hostfwd=%s: the form is tcp:[HOST-ADDRESS]:PORT-[GUEST-ADDRESS]:PORT "
			"(or udp:...), as in tcp:127.0.0.1:2222-:22",
			value);
	str_copy(o->forward_text[o->forwards++], sizeof(o->forward_text[0]), value);
	return 0;
}

static int read_text(char *to, size_t size, const char *key, const char *value, struct error *err)
{
	if (str_copy(to, size, value))
		return 0;
	return error_set(err, -ENAMETOOLONG, "%s= takes at most %zu characters", key, size - 1);
}

static int read_word(struct user_options *o, const char *key, const char *value, struct error *err)
{
	uint64_t v;

	if (strcmp(key, "net") == 0)
		return read_net(o, value, err);
	if (strcmp(key, "hostfwd") == 0)
		return read_forward(o, value, err);
	if (strcmp(key, "port") == 0)
		return read_text(o->port, sizeof(o->port), key, value, err);
	if (strcmp(key, "hostname") == 0)
		return read_text(o->hostname, sizeof(o->hostname), key, value, err);
	if (strcmp(key, "tftp") == 0)
		return read_text(o->tftp, sizeof(o->tftp), key, value, err);
	if (strcmp(key, "bootfile") == 0)
		return read_text(o->bootfile, sizeof(o->bootfile), key, value, err);
	if (strcmp(key, "mtu") != 0)
		return error_set(err, -EINVAL, "anynic-user has no option %s=", key);
	if (parse_u64(value, 68, 65535, &v) < 0)
		return error_set(err, -EINVAL, "mtu=%s is not between 68 and 65535", value);
	o->mtu = (uint16_t)v;
	return 0;
}

int user_options_read(struct user_options *o, int argc, char *const argv[], struct error *err)
{
	*o = (struct user_options){ .prefix = 24 };
	o->net.s_addr = htonl(0x0a000200);
	for (int i = 1; i < argc; i++) {
		char key[16];
		const char *equals = strchr(argv[i], '=');

		if (!equals || (size_t)(equals - argv[i]) >= sizeof(key))
			return error_set(err, -EINVAL, "anynic-user does not know %s", argv[i]);
		memcpy(key, argv[i], (size_t)(equals - argv[i]));
		key[equals - argv[i]] = '\0';
		int rc = read_word(o, key, equals + 1, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

struct user_addresses user_addresses_of(const struct user_options *o)
{
	uint32_t mask = ~0u << (32 - o->prefix);
	uint32_t net = ntohl(o->net.s_addr) & mask;
	uint32_t dhcp = 0x020f & ~mask;

	if (dhcp == ~mask) /* the broadcast address of a small network */
		dhcp = 4;
	return (struct user_addresses){
		.net.s_addr = htonl(net),
		.mask.s_addr = htonl(mask),
		.host.s_addr = htonl(net | (0x0202 & ~mask)),
		.dns.s_addr = htonl(net | (0x0203 & ~mask)),
		.dhcp.s_addr = htonl(net | dhcp),
	};
}
