/* anynic serve: the cards' sockets without starting a virtual machine. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/exit.h"
#include "cli/guest.h"
#include "cli/service.h"
#include "cli/talk.h"
#include "cli/verbs.h"

struct options {
	struct guest_request request;
	const char *socket, *qmp;
	int cpu;
	bool json, verbose;
	char name[PLACE_NAME];
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "name", required_argument, NULL, WORD_NAME },
					       { "nic", required_argument, NULL, WORD_NIC },
					       { "socket", required_argument, NULL, 's' },
					       { "cpu", required_argument, NULL, 'c' },
					       { "qmp", required_argument, NULL, 'q' },
					       { "json", no_argument, NULL, 'j' },
					       { "verbose", no_argument, NULL, 'v' },
					       { 0 } };
	uint64_t cpu;
	int c, code;

	while ((c = getopt_long(argc, argv, "jv", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			o->socket = optarg;
			break;
		case 'c':
			if (parse_u64(optarg, 0, 1023, &cpu) < 0)
				return fail_usage("serve", "--cpu %s: a CPU's number", optarg);
			o->cpu = (int)cpu;
			break;
		case 'q':
			o->qmp = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		default:
			code = guest_request_word(&o->request, "serve", c, optarg);
			if (code != EXIT_OK)
				return code;
		}
	}
	if (optind < argc)
		return fail_usage("serve", "%s: no words are expected; did you mean `run`?",
				  argv[optind]);
	if (!o->request.nics || !o->socket)
		return fail_usage("serve", "tell --nic and --socket");
	return EXIT_OK;
}

static void tell_sockets(const struct guest *guest, const char *path)
{
	bool one = guest->ports == 1 && guest->port[0].nics == 1;

	for (unsigned i = 0; i < guest->ports; i++)
		for (unsigned n = 0; n < guest->port[i].nics; n++)
			fprintf(stderr, one ? "anynic: %s at %s\n" : "anynic: %s at %s/%s.sock\n",
				guest->port[i].nic[n].model, path, guest->port[i].nic[n].id);
}

int verb_serve(int argc, char **argv)
{
	static struct guest guest;
	static struct service s;
	struct options o = { .cpu = -1 };
	struct error err = { 0 };
	int code = parse(argc, argv, &o);

	if (code != EXIT_OK)
		return code;
	if (!o.request.name) {
		snprintf(o.name, sizeof(o.name), "serve-%d", (int)getpid());
		o.request.name = o.name;
	}
	log_set_level(o.verbose ? LOG_DEBUG : LOG_WARNING);
	int rc = service_signals(&s, &err);
	if (rc == 0)
		rc = guest_prepare(&guest, &o.request, &err);
	for (unsigned i = 0; rc == 0 && i < guest.ports; i++)
		if (guest.port[i].nic[0].place == PLACE_QEMU)
			rc = error_set(&err, -EINVAL,
				       "port %s: place=qemu is for `run`, which starts a QEMU; "
				       "`serve` has cards of its own only",
				       guest.port[i].id);
	if (rc == 0) {
		struct service_options options = { .name = guest.name,
						   .qmp = o.qmp,
						   .nic_socket = o.socket,
						   .ports = guest.port,
						   .count = guest.ports,
						   .cpu = o.cpu,
						   .running = true,
						   .json = o.json };
		rc = service_open(&s, &options, &err);
	}
	if (rc == 0) {
		if (!o.json)
			tell_sockets(&guest, o.socket);
		service_run(&s);
	} else {
		code = fail(&err);
	}
	service_close(&s);
	return code;
}
