/* A QEMU that answers anything to what the watcher of its own cards asks. Pieces of the input, each behind a byte that says what it is and a
 * byte of length in units of 4: a text, a JSON value, an error, an event; time passes in between.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "qemu/nic_status.h"

static void drain(int fd)
{
	char trash[4096];

	while (recv(fd, trash, sizeof(trash), MSG_DONTWAIT) > 0)
		;
}

static void check_reports(struct nic_status *w)
{
	struct nic_report r;
	bool attached;

	while (nic_status_next(w, &r, &attached))
		if (r.now.state >= DRIVER_STATE_COUNT || r.now.phase >= DRIVER_PHASE_COUNT ||
		    !memchr(r.now.evidence, '\0', sizeof(r.now.evidence)))
			__builtin_trap();
	if (w->asking > ASKED_MAX)
		__builtin_trap();
}

static void answer(struct nic_status *w, struct qmp_client *c, uint8_t kind, const char *text,
		   uint64_t now)
{
	static const char *const events[] = { "RESET", "NIC_RX_FILTER_CHANGED", "DEVICE_DELETED",
					      "STOP" };
	struct qmp_item item = { .kind = QMP_ITEM_REPLY, .name = "", .text = text };

	if (kind % 4 == 0)
		item.data = json_object_new_string(text);
	else if (kind % 4 == 1)
		item.data = json_tokener_parse(text);
	else if (kind % 4 == 2)
		item.kind = QMP_ITEM_ERROR;
	if (kind % 4 == 3) {
		item.data = json_tokener_parse(text);
		nic_status_event(w, events[kind / 4 % ARRAY_SIZE(events)], item.data, now);
	} else if (w->asking) {
		item.id = w->asked[kind / 4 % w->asking].id;
		nic_status_reply(w, c, &item, now);
	}
	json_object_put(item.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const devices[] = { "rtl8139", "e1000e", "igb", "virtio-net-pci",
					       "virtio-net-pci" };
	static const char *const owners[] = { "n0", "n2", "n5", "n3",
					      "/machine/peripheral-anon/device[0]" };
	static struct nic_status w;
	struct qemu_signals signals;
	uint64_t now = NS_PER_S;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return 0;
	struct qmp_client *c = qmp_client_create(fds[0], NULL);
	if (!c) {
		close(fds[1]);
		return 0;
	}
	qemu_assume_signals(&signals, 7, 2);
	nic_status_init(&w, &signals);
	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
		nic_status_add(&w, owners[i], owners[i], devices[i],
			       i == 3 ? ROLE_PERFORMANT : ROLE_LEGACY);
	w.nic[4].packed = true;
	nic_status_start(&w, true, now);
	for (size_t at = 0; at + 2 < size;) {
		char text[4 * 255 + 1];
		size_t length = MIN((size_t)data[at + 1] * 4, size - at - 2);

		memcpy(text, data + at + 2, length);
		text[length] = '\0';
		nic_status_run(&w, c, now);
		answer(&w, c, data[at], text, now);
		check_reports(&w);
		drain(fds[1]);
		at += 2 + length;
		now += 100 * NS_PER_MS;
	}
	qmp_client_destroy(c);
	close(fds[1]);
	return 0;
}
