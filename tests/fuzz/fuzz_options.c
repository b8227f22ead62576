/* What a user types: the first line is a --nic SPEC, each further line one word of a QEMU command line. Ports that pass the checks must
 * give arguments that hold together.
 */
#include <stdlib.h>
#include <string.h>

#include "config/nic_option.h"
#include "config/validate.h"
#include "qemu/arguments.h"

#define WORDS_MAX 64
#define TEXT_MAX  8192

static const struct known_model models[] = {
	{ "rtl8139", "", .legacy = true, .queues_max = 1, .revs = { 0x10, 0x20 } },
	{ "virtio-net", "", .performant = true, .packed = true, .queues_max = 8, .mtu_max = 65535 },
};
static const struct known_backend backends[] = { { "user", "" }, { "tap", "" }, { "stream", "" } };
static const struct known known = { models, 2, backends, 3 };

static void must(bool held)
{
	if (!held)
		abort();
}

static void build(const struct qemu_line *line, struct port_spec *port)
{
	struct qemu_setup setup = { .socket_dir = "/run/anynic/x.nics", .qmp_fd = 5 };
	struct qemu_arguments a;
	struct error err = { 0 };

	if (qemu_arguments_build(&a, line, port, 1, &setup, &err) < 0) {
		must(err.text[0] != '\0' && a.argv == NULL);
		return;
	}
	must(a.user_argc == line->argc && a.argv[a.argc] == NULL);
	must(json_object_array_length(a.devices) == port->nics);
	for (int i = 0; i < a.user_argc; i++)
		must(strcmp(a.argv[i], line->argv[i]) == 0);
	qemu_arguments_finish(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[TEXT_MAX], *words[WORDS_MAX], *rest = text;
	struct guest_identity who = { "machine", 1, "guest" };
	struct port_spec port;
	struct qemu_line line;
	struct error err = { 0 };
	int argc = 0;

	size = size < sizeof(text) ? size : sizeof(text) - 1;
	memcpy(text, data, size);
	text[size] = '\0';
	const char *spec = strsep(&rest, "\n");
	while (rest && argc < WORDS_MAX)
		words[argc++] = strsep(&rest, "\n");

	bool good = nic_option_parse(&port, spec, &known, &err) == 0;
	must(good || err.text[0] != '\0');
	if (!good)
		must(nic_option_parse(&port, "auto", &known, NULL) == 0);
	ports_complete(&port, 1, &who);
	must(port.id[0] != '\0' && port.nics >= 1 && port.nics <= PORT_NICS);
	if (ports_validate(&port, 1, &known, &err) < 0) {
		must(err.text[0] != '\0');
		return 0;
	}
	if (qemu_line_parse(&line, words, argc, &err) < 0)
		must(err.text[0] != '\0');
	else
		build(&line, &port);
	return 0;
}
