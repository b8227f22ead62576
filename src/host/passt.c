/* passt says nothing when it is ready, so it is asked something that only a passt at work answers: an ARP request, and for hosts without
 * IPv4 a neighbour solicitation, as if from the guest. Its answers stay in the socket: the datapath reads them as it reads any frame
 * before a NIC is active.
 */
#include "host/passt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/child.h"
#include "host/stream.h"

#define ARGUMENTS   (20 + 2 * HOSTFWD_MAX)
#define SOCKET_ROOM (4 * 1024 * 1024)
#define MTU	    1500u /* what every card of a port can have; passt's own 65520 is for virtio alone */

/* --- finding and starting it ------------------------------------------------------------------------------------- */

int host_passt_find(char *path, size_t size, struct error *err)
{
	const char *folders = getenv("PATH");

	for (const char *p = folders ? folders : ""; *p;) {
		size_t length = strcspn(p, ":");
		int n = snprintf(path, size, "%.*s/passt", (int)length, p);
		if (length && n > 0 && (size_t)n < size && access(path, X_OK) == 0)
			return 0;
		p += length + (p[length] == ':');
	}
	return error_set(err, -ENOTSUP,
			 "backend=passt needs the program passt, which is not there; next: apt-get "
			 "install passt, or use backend=user");
}

struct command_line {
	char forward[HOSTFWD_MAX][96];
	char mtu[8];
	char net[64], net6[64];
	char *argv[ARGUMENTS];
	unsigned count;
};

static void add_argument(struct command_line *c, const char *text)
{
	c->argv[c->count++] = (char *)(uintptr_t)text;
}

/* "8000..8099" and 80 are passt's "8000-8099:80-179". */
static void put_ports(char *to, size_t size, const char *address, char *ports, const char *guest)
{
	char *dots = strstr(ports, "..");
	uint64_t first, last, target;

	if (dots) {
		*dots = '\0';
		dots += 2;
	}
	if (parse_u64(ports, 1, 65535, &first) < 0 ||
	    parse_u64(dots ? dots : ports, first, 65535, &last) < 0 ||
	    parse_u64(guest, 1, 65535 - (last - first), &target) < 0)
		return;
	const char *slash = address[0] ? "/" : "";
	if (dots)
		(void)snprintf(to, size, "%s%s%u-%u:%u-%u", address, slash, (unsigned)first,
			       (unsigned)last, (unsigned)target, (unsigned)(target + last - first));
	else
		(void)snprintf(to, size, "%s%s%u:%u", address, slash, (unsigned)first,
			       (unsigned)target);
}

bool host_passt_forward(const char *hostfwd, char *to, size_t size)
{
	char host[96];

	to[0] = '\0';
	if (strlen(hostfwd) < strlen("tcp:") ||
	    !str_copy(host, sizeof(host), hostfwd + strlen("tcp:")))
		return false;
	char *dash = strrchr(host, '-');
	if (!dash)
		return false;
	*dash = '\0';
	char *port = strrchr(host, ':'), *guest_port = strrchr(dash + 1, ':');
	if (!port || !guest_port)
		return false;
	*port = '\0';
	put_ports(to, size, host, port + 1, guest_port + 1);
	return to[0] != '\0';
}

/* That the guest's address is empty was checked. */
static void add_forward(struct command_line *c, unsigned i, const char *hostfwd)
{
	if (!host_passt_forward(hostfwd, c->forward[i], sizeof(c->forward[i])))
		return; /* was refused */
	add_argument(c, hostfwd[0] == 'u' ? "-u" : "-t");
	add_argument(c, c->forward[i]);
}

/* "172.17.2.4/24": the guest's own, not a network. Returns its length of prefix, NULL when there is none. */
static const char *add_address(struct command_line *c, char room[64], const char *net)
{
	str_copy(room, 64, net);
	char *slash = strchr(room, '/');
	if (slash)
		*slash++ = '\0';
	add_argument(c, "-a");
	add_argument(c, room);
	return slash;
}

/* Without them the guest has what the interface of the host's default route has. */
static void add_addresses(struct command_line *c, const struct backend_spec *spec)
{
	if (spec->dev[0]) {
		add_argument(c, "-i");
		add_argument(c, spec->dev);
	}
	const char *prefix = spec->net[0] ? add_address(c, c->net, spec->net) : NULL;
	if (prefix) {
		add_argument(c, "-n");
		add_argument(c, prefix);
	}
	if (spec->net6[0])
		(void)add_address(c, c->net6, spec->net6);
}

static void make_command_line(struct command_line *c, const struct backend_spec *spec)
{
	add_argument(c, "passt");
	add_argument(c, "-f"); /* in the foreground: our child to watch and to end */
	add_argument(c, "-q"); /* what it says is why it failed */
	add_argument(c, "-F");
	add_argument(c, "3");
	(void)snprintf(c->mtu, sizeof(c->mtu), "%u", spec->mtu ? spec->mtu : MTU);
	add_argument(c, "-m");
	add_argument(c, c->mtu);
	add_addresses(c, spec);
	for (unsigned i = 0; i < MIN(spec->hostfwds, (unsigned)HOSTFWD_MAX); i++)
		add_forward(c, i, spec->hostfwd[i]);
	c->argv[c->count] = NULL;
}
_Static_assert(CHILD_FD == 3, "make_command_line says so");

/* --- is it there? ------------------------------------------------------------------------------------------------ */

/* Someone at 192.0.2.1 (RFC 5737)? passt answers for every address but the guest's. */
static size_t arp_request(const uint8_t mac[MAC_LEN], uint8_t *to)
{
	static const uint8_t fixed[] = { 0, 1, 8, 0, 6, 4, 0, 1 }; /* Ethernet, IPv4, request */

	memset(to, 0, 42);
	memset(to, 0xff, MAC_LEN);
	memcpy(to + 6, mac, MAC_LEN);
	put_be16(to + 12, 0x0806);
	memcpy(to + 14, fixed, sizeof(fixed));
	memcpy(to + 22, mac, MAC_LEN);
	put_be32(to + 38, 0xc0000201);
	return 42;
}

static uint16_t sum(const uint8_t *data, size_t length)
{
	uint32_t total = 0;

	for (size_t i = 0; i < length; i += 2)
		total += get_be16(data + i);
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

/* Someone at fe80::1? From the link-local address that the MAC makes (RFC 4861 4.3). */
static size_t neighbour_solicitation(const uint8_t mac[MAC_LEN], uint8_t *to)
{
	static const uint8_t group[] = { 0x33, 0x33, 0xff, 0, 0, 1 };
	uint8_t *ip = to + 14, *icmp = ip + 40;

	memset(to, 0, 86);
	memcpy(to, group, sizeof(group));
	memcpy(to + 6, mac, MAC_LEN);
	put_be16(to + 12, 0x86dd);
	ip[0] = 0x60;
	put_be16(ip + 4, 32);
	ip[6] = 58;
	ip[7] = 255;
	put_be16(ip + 8, 0xfe80);
	memcpy(ip + 16,
	       (const uint8_t[]){ (uint8_t)(mac[0] ^ 2), mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4],
				  mac[5] },
	       8);
	memcpy(ip + 24, (const uint8_t[]){ 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1 },
	       16);
	icmp[0] = 135;
	put_be16(icmp + 8, 0xfe80);
	icmp[23] = 1;
	icmp[24] = icmp[25] = 1; /* option: source link-layer address, 8 bytes */
	memcpy(icmp + 26, mac, MAC_LEN);
	/* with the pseudo header: addresses, length, next header (RFC 8200 8.1) */
	uint32_t total = sum(ip + 8, 32 + 32) + 32u + 58u;
	put_be16(icmp + 2, (uint16_t) ~((total & 0xffff) + (total >> 16)));
	return 86;
}

/* Both fit the socket's buffer: it is new. That passt has ended already shows when the answer is waited for. */
static void ask(int sock, const uint8_t mac[MAC_LEN])
{
	uint8_t frames[200];
	size_t at = arp_request(mac, frames + 4);

	put_be32(frames, (uint32_t)at);
	at += 4;
	size_t length = neighbour_solicitation(mac, frames + at + 4);
	put_be32(frames + at, (uint32_t)length);
	at += 4 + length;
	(void)send(sock, frames, at, MSG_NOSIGNAL | MSG_DONTWAIT);
}

int host_passt_ready(struct opened_backend *o, struct error *err)
{
	uint8_t byte;
	ssize_t n = recv(o->fds[0], &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (n > 0)
		return 1;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return error_set(err, -EPIPE, "passt has ended");
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

/* What does not fit is dropped by passt, and sent again a round later. It gives a socket that it accepts all room there is, one that
 * it gets as a descriptor none.
 */
static void widen(int sock)
{
	int room = SOCKET_ROOM;

	if (setsockopt(sock, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0)
		(void)setsockopt(sock, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
}

static int start(const struct backend_request *request, const char *path,
		 struct opened_backend *out, struct error *err)
{
	struct command_line line = { 0 };
	int pair[2];

	make_command_line(&line, request->spec);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "backend passt: no socketpair: %s", strerror(errno));
	out->fds[out->nfds++] = pair[0];
	widen(pair[0]);
	widen(pair[1]);
	out->log = child_log();
	int rc = child_start(out, path, line.argv, pair[1], err);
	close(pair[1]);
	if (rc == 0)
		ask(pair[0], request->mac);
	out->waiting = rc == 0;
	return rc;
}

int host_passt_open(const struct backend_request *request, struct opened_backend *out,
		    struct error *err)
{
	char path[PATH_ROOM];

	if (request->spec->path[0])
		return host_stream_open(request, out, err);
	for (unsigned i = 0; i < MIN(request->spec->hostfwds, (unsigned)HOSTFWD_MAX); i++) {
		char forward[96];

		if (!host_passt_forward(request->spec->hostfwd[i], forward, sizeof(forward)))
			return error_set(
				err, -EINVAL,
				"hostfwd=%s: the form is tcp:[HOST-ADDRESS]:PORT-:PORT (or "
				"udp:...), or a range, PORT..PORT, of XML",
				request->spec->hostfwd[i]);
	}
	int rc = host_passt_find(path, sizeof(path), err);
	return rc < 0 ? rc : start(request, path, out, err);
}
