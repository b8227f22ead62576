#include "cli/request.h"

#include <stdint.h>

#include "base/util.h"
#include "cli/exit.h"
#include "cli/guest.h"
#include "cli/talk.h"

#define SPARE_PORTS_MAX 24

static int add_word(const char **list, unsigned *count, unsigned max, const char *verb,
		    const char *option, const char *value)
{
	if (*count == max)
		return fail_usage(verb, "at most %u %s", max, option);
	list[(*count)++] = value;
	return EXIT_OK;
}

static int set_interfaces(struct guest_request *r, const char *verb, const char *value)
{
	if (r->interfaces)
		return fail_usage(verb, "--interfaces is given twice; one file may hold several in "
					"<devices>");
	r->interfaces = value;
	return EXIT_OK;
}

static int set_assume(struct guest_request *r, const char *verb, const char *value)
{
	if (guest_read_assume(value, &r->assume) < 0)
		return fail_usage(verb, "--assume %s is not legal; it takes kvm, vhost, vfio",
				  value);
	return EXIT_OK;
}

static int set_spare_ports(struct guest_request *r, const char *verb, const char *value)
{
	uint64_t spare;

	if (parse_u64(value, 0, SPARE_PORTS_MAX, &spare) < 0)
		return fail_usage(verb, "--spare-ports %.20s: a number, 0 to %d", value,
				  SPARE_PORTS_MAX);
	r->spare_ports = (unsigned)spare;
	return EXIT_OK;
}

static int set_text(const char **field, const char *value)
{
	*field = value;
	return EXIT_OK;
}

int guest_request_word(struct guest_request *r, const char *verb, int word, const char *value)
{
	switch (word) {
	case WORD_NAME:
		return set_text(&r->name, value);
	case WORD_NIC:
		return add_word(r->nic, &r->nics, PORTS_MAX, verb, "--nic", value);
	case WORD_INTERFACES:
		return set_interfaces(r, verb, value);
	case WORD_NETWORKS:
		return add_word(r->network, &r->networks, NETWORKS_MAX, verb, "--networks", value);
	case WORD_PLACE:
		return set_text(&r->place, value);
	case WORD_ASSUME:
		return set_assume(r, verb, value);
	case WORD_INCOMING:
		return set_text(&r->incoming, value);
	case WORD_SPARE_PORTS:
		return set_spare_ports(r, verb, value);
	case WORD_QEMU:
		return set_text(&r->qemu_program, value);
	case WORD_QEMU_VERSION:
		return set_text(&r->qemu_version, value);
	default:
		return fail_usage(verb, "unknown option");
	}
}
