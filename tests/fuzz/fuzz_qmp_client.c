/* A QEMU that says anything. The first byte tells in which pieces it comes. */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "qemu/qmp_client.h"

static const char greeting[] = "{\"QMP\": {}}{\"return\": {}, \"id\": 0}";

static void drain(struct qmp_client *c)
{
	struct qmp_item item;

	qmp_client_read(c);
	while (qmp_client_next(c, &item)) {
		if (item.kind >= QMP_ITEM_KIND_COUNT || !item.name || !item.text)
			__builtin_trap();
		if (item.kind == QMP_ITEM_REPLY) {
			qmp_status_is_running(item.data);
			qmp_cpu_count(item.data);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fds[2];
	size_t piece = size ? data[0] % 32u + 1 : 1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 0;
	struct qmp_client *c = qmp_client_create(fds[0], NULL);
	if (!c) {
		close(fds[1]);
		return 0;
	}
	qmp_client_query_status(c);
	if (size && data[0] & 0x80) /* most inputs begin behind the negotiation */
		send(fds[1], greeting, sizeof(greeting) - 1, 0);
	for (size_t at = 1; at < size; at += piece) {
		send(fds[1], data + at, size - at < piece ? size - at : piece, 0);
		drain(c);
	}
	close(fds[1]);
	drain(c);
	drain(c);
	qmp_client_destroy(c);
	return 0;
}
