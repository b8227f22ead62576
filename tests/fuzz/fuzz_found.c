/* What a running QEMU prints of its network, and names of cards that a person gives: any text. */
#include <string.h>

#include "qemu/pair.h"

static const struct known_model models[] = { { .name = "rtl8139" }, { .name = "virtio-net" } };
static const struct known known = { .models = models, .model_count = 2 };

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct found_guest g;
	static struct found_port ports[PORTS_MAX];
	struct error err;
	unsigned count;
	char text[8192];

	size_t length = MIN(size, sizeof(text) - 1);
	memcpy(text, data, length);
	text[length] = '\0';
	g = (struct found_guest){ .cards = 2,
				  .card = { { .name = "a",
					      .owner = "a",
					      .model = "rtl8139",
					      .device = "rtl8139",
					      .hub = -1 },
					    { .owner = "/b",
					      .model = "virtio-net",
					      .device = "virtio-net-pci",
					      .hub = -1 } } };
	found_read_network(&g, text);
	for (unsigned i = 0; i < g.cards; i++)
		if (!ends(g.card[i].name, sizeof(g.card[i].name)) ||
		    !ends(g.card[i].type, sizeof(g.card[i].type)) ||
		    !ends(g.card[i].ifname, sizeof(g.card[i].ifname)))
			__builtin_trap();
	const char *names[] = { text };
	qemu_pair_cards(ports, &count, &g, names, strchr(text, ',') ? 1 : 0, &known, &err);
	if (count > 2)
		__builtin_trap();
	return 0;
}
