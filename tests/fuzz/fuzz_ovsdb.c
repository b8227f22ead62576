/* An OVSDB server that says anything. The first byte tells what is asked of it; it has said all before the first question, and hangs up. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/ovs.h"
#include "host/ovsdb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mac[MAC_LEN] = { 0x52, 0x54, 0, 1, 2, 3 };
	struct ovs_port port = {
		.bridge = "br0", .ifname = "tap0", .mac = mac, .guest = "guest", .port_id = "net0"
	};
	struct error err = { 0 };
	int fds[2], rc;

	if (size == 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 0;
	struct ovsdb *db = ovsdb_adopt(fds[0], NULL);
	if (!db) {
		close(fds[1]);
		return 0;
	}
	if (send(fds[1], data + 1, size - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		rc = 0; /* too much for the socket: what fits is enough */
	shutdown(fds[1], SHUT_WR);
	switch (data[0] % 5) {
	case 0:
		rc = ovs_talk_add(db, &port, &err);
		break;
	case 1:
		rc = ovs_talk_remove(db, "tap0", "guest", "net0", &err);
		break;
	case 3:
		rc = ovs_talk_is_ovn(db, "br0", &err);
		break;
	case 4:
		rc = ovs_talk_wait_installed(db, &port, 0, &err);
		break;
	default:
		rc = ovs_talk_has_bridge(db, "br0", &err);
		break;
	}
	if (rc < 0 && (err.code != rc || !err.text[0]))
		__builtin_trap(); /* a failure without words */
	if (rc > 1 || strlen(err.text) >= sizeof(err.text))
		__builtin_trap();
	for (const char *p = err.text; *p; p++)
		if (*p < ' ' || *p > '~')
			__builtin_trap(); /* a terminal reads this */
	ovsdb_close(db);
	close(fds[1]);
	return 0;
}
