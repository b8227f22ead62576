#include "ipc/message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *const type_names[] = {
	[MSG_START] = "start",
	[MSG_PORT_ADD] = "port-add",
	[MSG_PORT_VHOST] = "port-vhost",
	[MSG_PORT_REMOVE] = "port-remove",
	[MSG_BACKEND_RENEW] = "backend-renew",
	[MSG_PORT_LINKS] = "port-links",
	[MSG_PORT_ANNOUNCE] = "port-announce",
	[MSG_GUEST_RUN] = "guest-run",
	[MSG_COUNTERS_GET] = "counters-get",
	[MSG_NIC_SAVE] = "nic-save",
	[MSG_QUIT] = "quit",
	[MSG_REPLY] = "reply",
	[MSG_STARTED] = "started",
	[MSG_NIC_STATUS] = "nic-status",
	[MSG_NIC_ATTACHED] = "nic-attached",
	[MSG_BACKEND_STATUS] = "backend-status",
	[MSG_LINKS_APPLIED] = "links-applied",
	[MSG_COUNTERS] = "counters",
	[MSG_LOG] = "log",
};
NAMES_MATCH(type_names, MESSAGE_TYPE_COUNT);

struct packet {
	struct message_header header;
	uint8_t body[MESSAGE_MAX];
};

const char *message_type_name(enum message_type type)
{
	return name_of(type_names, ARRAY_SIZE(type_names), type);
}

int message_send(int sock, enum message_type type, uint32_t seq, const void *body, size_t len,
		 const int *fds, unsigned nfds)
{
	struct packet packet;

	if (len > sizeof(packet.body))
		return -EMSGSIZE;
	packet.header = (struct message_header){ .type = type, .seq = seq };
	if (len)
		memcpy(packet.body, body, len);
	long n = fd_send(sock, &packet, sizeof(packet.header) + len, fds, nfds);
	return n < 0 ? (int)n : 0;
}

int message_try_send(int sock, enum message_type type, const void *body, size_t len)
{
	struct packet packet;

	if (len > sizeof(packet.body))
		return -EMSGSIZE;
	packet.header = (struct message_header){ .type = type };
	if (len)
		memcpy(packet.body, body, len);
	ssize_t n = send(sock, &packet, sizeof(packet.header) + len, MSG_DONTWAIT | MSG_NOSIGNAL);
	return n < 0 ? -errno : 0;
}

int message_receive(int sock, struct message *m)
{
	struct packet packet;

	long n = fd_recv(sock, &packet, sizeof(packet), m->fds, &m->nfds);
	if (n == -EMSGSIZE)
		return -EPROTO;
	if (n <= 0)
		return (int)n;
	if ((size_t)n < sizeof(packet.header) || packet.header.type >= MESSAGE_TYPE_COUNT) {
		message_close_fds(m);
		return -EPROTO;
	}
	m->type = packet.header.type;
	m->seq = packet.header.seq;
	m->length = (size_t)n - sizeof(packet.header);
	memcpy(m->body, packet.body, m->length);
	return 1;
}

const void *message_body(const struct message *m, size_t size)
{
	return m->length == size ? m->body : NULL;
}

void message_close_fds(struct message *m)
{
	for (unsigned i = 0; i < m->nfds; i++)
		fd_close(&m->fds[i]);
	m->nfds = 0;
}
