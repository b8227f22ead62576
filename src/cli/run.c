/* anynic run: the user's own QEMU line, with ports. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/event_line.h"
#include "cli/exit.h"
#include "cli/guest.h"
#include "cli/service.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "qemu/arguments.h"

struct options {
	struct guest_request request;
	const char *qmp;
	bool json, verbose;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "name", required_argument, NULL, WORD_NAME },
		{ "nic", required_argument, NULL, WORD_NIC },
		{ "interfaces", required_argument, NULL, WORD_INTERFACES },
		{ "incoming", required_argument, NULL, WORD_INCOMING },
		{ "place", required_argument, NULL, WORD_PLACE },
		{ "networks", required_argument, NULL, WORD_NETWORKS },
		{ "spare-ports", required_argument, NULL, WORD_SPARE_PORTS },
		{ "qmp", required_argument, NULL, 'q' },
		{ "json", no_argument, NULL, 'j' },
		{ "verbose", no_argument, NULL, 'v' },
		{ 0 }
	};
	int c, code;

	/* "+": the first word that is no option begins QEMU's line, with or without "--" */
	while ((c = getopt_long(argc, argv, "+jv", longs, NULL)) != -1) {
		switch (c) {
		case 'q':
			o->qmp = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case '?':
			return fail_usage("run",
					  "unknown option; QEMU's own words come after `--`");
		default:
			code = guest_request_word(&o->request, "run", c, optarg);
			if (code != EXIT_OK)
				return code;
		}
	}
	o->request.qemu = argv + optind;
	o->request.qemu_argc = argc - optind;
	if (o->request.qemu_argc == 0)
		return fail_usage("run", "tell the QEMU command after `--`");
	return EXIT_OK;
}

#define CARDS_MAX (PORTS_MAX * PORT_NICS)
#define KEEP_MAX  (1 + CARDS_MAX * 2 * QUEUES_MAX)

/* All descriptors that QEMU inherits. */
static unsigned fds_to_keep(const struct qemu_setup *setup, int keep[KEEP_MAX])
{
	unsigned count = 0;

	keep[count++] = setup->qmp_fd;
	for (unsigned i = 0; i < setup->cards; i++) {
		const struct qemu_card_fds *card = &setup->card_fds[i];

		for (unsigned n = 0; n < card->taps; n++)
			keep[count++] = card->tap[n];
		for (unsigned n = 0; n < card->vhosts; n++)
			keep[count++] = card->vhost[n];
	}
	return count;
}

static int start_with(struct service *s, const struct guest *guest, const struct qemu_setup *setup,
		      struct error *err)
{
	struct qemu_arguments arguments;
	int keep[KEEP_MAX];
	int rc = qemu_arguments_build(&arguments, &guest->line, guest->port, guest->ports, setup,
				      err);

	if (rc < 0)
		return rc;
	transient_plan(s, arguments.devices);
	rc = qemu_process_start(&s->qemu, arguments.argv, keep, fds_to_keep(setup, keep), err);
	port_changes_started(s, &arguments);
	qemu_arguments_finish(&arguments);
	service_qemu_has_fds(s);
	return rc;
}

static int start_qemu(struct service *s, const struct guest *guest, struct error *err)
{
	struct qemu_card_fds cards[CARDS_MAX];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "cannot make a socket pair: %s", strerror(errno));
	struct qemu_setup setup = { .program = guest->has_program ? &guest->program : NULL,
				    .socket_dir = service_socket_dir(s),
				    .card_fds = cards,
				    .cards = service_card_fds(s, cards),
				    .spare_ports = guest->spare_ports,
				    .qmp_fd = pair[1] };
	int rc = start_with(s, guest, &setup, err);
	close(pair[1]);
	if (rc < 0) {
		close(pair[0]);
		return rc;
	}
	return service_watch_qemu(s, pair[0], err);
}

static void tell_start(const struct service *s, const struct guest *guest)
{
	for (unsigned i = 0; i < guest->ports; i++) {
		const struct port_spec *p = &s->control.port[i].spec;
		char mac[MAC_TEXT], backend[BACKEND_TEXT];

		backend_text(&p->backend, backend);
		fprintf(stderr, "anynic: guest %s: port %s: %s%s%s, backend %s, mac %s\n",
			guest->name, p->id, p->nic[0].model, p->nics > 1 ? " + " : "",
			p->nics > 1 ? p->nic[1].model : "", backend, mac_format(p->mac, mac));
		if (guest->line.incoming && !guest->port[i].mac_given)
			fprintf(stderr,
				"anynic: guest %s: port %s: that MAC is made of this host and the "
				"guest's name, and must be the source's; next: mac= on both ends\n",
				guest->name, p->id);
		if (guest->place_why[i][0])
			fprintf(stderr, "anynic: guest %s: port %s: %s\n", guest->name, p->id,
				guest->place_why[i]);
	}
	fprintf(stderr, "anynic: guest %s: control socket %s\n", guest->name, s->place.qmp);
}

int verb_run(int argc, char **argv)
{
	static struct guest guest;
	static struct service s;
	struct options o = { 0 };
	struct error err = { 0 };
	int code = parse(argc, argv, &o);

	if (code != EXIT_OK)
		return code;
	o.request.take = true;
	log_set_level(o.verbose ? LOG_DEBUG : LOG_WARNING);
	if (o.json)
		log_set_sink(event_log_json);
	int rc = service_signals(&s, &err);
	if (rc == 0)
		rc = guest_prepare(&guest, &o.request, &err);
	if (rc == 0) {
		bool waits = guest.line.stopped || guest.line.incoming;
		bool moves = qemu_moves_links(guest.port, guest.ports);
		struct service_options options = { .name = guest.name,
						   .qmp = o.qmp,
						   .ports = guest.port,
						   .count = guest.ports,
						   .vcpus = guest.line.vcpus,
						   .cpu = -1,
						   .running = !waits && !moves,
						   .incoming = guest.line.incoming,
						   .go_on = !waits && moves,
						   .json = o.json,
						   .guest = &guest };
		if (card_watch_needed(guest.port, guest.ports))
			guest_find_signals(&guest, &options.signals);
		rc = service_open(&s, &options, &err);
	}
	if (rc == 0)
		service_host_functions(&s, guest.port);
	if (rc == 0 && !o.json)
		tell_start(&s, &guest);
	if (rc == 0)
		rc = start_qemu(&s, &guest, &err);
	if (rc == 0) {
		service_run(&s);
		/* whose guest is elsewhere may take its time, and be killed: nothing is lost */
		bool moved = s.migration.state == MIGRATE_DONE;
		code = moved ? EXIT_OK : qemu_process_exit_status(&s.qemu);
	} else {
		code = fail(&err);
	}
	service_close(&s);
	return code;
}
