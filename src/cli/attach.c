/* anynic attach: the policy for a guest that someone else started. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/attach_follow.h"
#include "cli/event_line.h"
#include "cli/exit.h"
#include "cli/known.h"
#include "cli/service.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "config/validate.h"

struct options {
	const char *qemu; /* --qmp: QEMU's monitor */
	const char *name;
	const char *nic[PORTS_MAX];
	unsigned nics;
	bool json, verbose;
};

/* What attach works on. */
struct attached {
	struct follow follow;
	char name[PLACE_NAME];
	struct ucred peer;
	struct qemu_signals signals;
	struct qmp_client *monitor;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{ "qmp", required_argument, NULL, 'q' },  { "nic", required_argument, NULL, 'N' },
		{ "name", required_argument, NULL, 'n' }, { "json", no_argument, NULL, 'j' },
		{ "verbose", no_argument, NULL, 'v' },	  { 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "jv", longs, NULL)) != -1) {
		switch (c) {
		case 'q':
			o->qemu = optarg;
			break;
		case 'N':
			if (o->nics == PORTS_MAX)
				return fail_usage("attach", "at most %d --nic", PORTS_MAX);
			o->nic[o->nics++] = optarg;
			break;
		case 'n':
			o->name = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		default:
			return fail_usage("attach", "unknown option");
		}
	}
	if (optind < argc)
		return fail_usage("attach", "%s: no words are expected", argv[optind]);
	if (!o->qemu)
		return fail_usage("attach", "tell --qmp, the path of QEMU's monitor socket");
	if (o->name && !guest_name_is_legal(o->name))
		return fail_usage("attach",
				  "--name %.80s is not legal; a name has letters, digits, '.', "
				  "'_', '-', at most 63, and begins with a letter, a digit or '_'",
				  o->name);
	return EXIT_OK;
}

/* The program behind the monitor, if it may be run for a trial: a QEMU, of root's or our own, that nobody else can change. */
static bool find_program(const struct attached *a, char path[PATH_MAX])
{
	char link[64];
	struct stat st;

	if (a->peer.pid <= 0)
		return false;
	snprintf(link, sizeof(link), "/proc/%d/exe", (int)a->peer.pid);
	ssize_t n = readlink(link, path, PATH_MAX - 1);
	if (n <= 0 || stat(link, &st) < 0)
		return false;
	path[n] = '\0';
	const char *base = strrchr(path, '/');
	if (!base || (strncmp(base, "/qemu-", 6) != 0 && strcmp(base, "/kvm") != 0))
		return false;
	return S_ISREG(st.st_mode) && (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH)) && access(path, X_OK) == 0;
}

static void find_signals(struct attached *a)
{
	char path[PATH_MAX];
	struct error err;
	const struct found_guest *g = &a->follow.guest;

	if (!find_program(a, path))
		qemu_assume_signals(&a->signals, g->major, g->minor);
	else if (qemu_probe_signals(&a->signals, path, g->machine, g->major, g->minor, &err) < 0)
		log_info("%s; what QEMU %u.%u is known for is used", err.text, g->major, g->minor);
	qemu_limit_signals(&a->signals, g->target);
}

/* --name, else QEMU's -name, else guest-PID. */
static void choose_name(struct attached *a, const struct options *o)
{
	if (o->name)
		str_copy(a->name, sizeof(a->name), o->name);
	else if (guest_name_is_legal(a->follow.guest.name))
		str_copy(a->name, sizeof(a->name), a->follow.guest.name);
	else
		snprintf(a->name, sizeof(a->name), "guest-%d",
			 (int)(a->peer.pid > 0 ? a->peer.pid : getpid()));
}

static int look_at_guest(struct attached *a, const struct options *o, struct error *err)
{
	int fd = follow_connect(o->qemu, &a->peer, err);

	if (fd < 0)
		return fd;
	a->monitor = qmp_client_create(fd, err);
	if (!a->monitor)
		return err->code;
	int rc = qemu_find_cards(&a->follow.guest, a->monitor, err);
	if (rc < 0) {
		error_prefix(err, "--qmp %s", o->qemu);
		return rc;
	}
	rc = qemu_pair_cards(a->follow.port, &a->follow.ports, &a->follow.guest, o->nic, o->nics,
			     cli_known(), err);
	if (rc < 0)
		return rc;
	if (a->follow.ports == 0)
		return error_set(err, -ENOENT,
				 "this QEMU has no network card that can be watched: rtl8139, "
				 "e1000, e1000e, igb, virtio-net-pci");
	follow_take_ports(&a->follow);
	a->follow.path = o->qemu;
	a->follow.all = o->nics == 0;
	a->follow.pid = a->peer.pid;
	choose_name(a, o);
	find_signals(a);
	return 0;
}

static void tell_start(const struct attached *a, const struct service *s)
{
	for (unsigned i = 0; i < a->follow.ports; i++) {
		const struct port_spec *p = &a->follow.spec[i];

		if (p->nics == 1)
			fprintf(stderr,
				"anynic: guest %s: card %s: %s, backend %s; its link is left as it "
				"is\n",
				a->name, p->id, p->nic[0].model, p->backend.type);
		else
			fprintf(stderr,
				"anynic: guest %s: port %s: %s (%s) + %s (%s), backend %s: %s; "
				"their links are moved from now on\n",
				a->name, p->id, p->nic[0].id, p->nic[0].model, p->nic[1].id,
				p->nic[1].model, p->backend.type, a->follow.port[i].why);
	}
	fprintf(stderr, "anynic: guest %s: control socket %s\n", a->name, s->place.qmp);
}

/* How it ended: the guest's end and a detach are as they should be. */
static int tell_end(const struct service *s, const struct attached *a, const char *path)
{
	if (s->ending)
		return EXIT_OK;
	if (s->control.over)
		return EXIT_OK;
	fprintf(stderr, "anynic: guest %s: QEMU, whose monitor was %s, has ended without a word\n",
		a->name, path);
	return EXIT_FAILED;
}

int verb_attach(int argc, char **argv)
{
	static struct attached a;
	static struct service s;
	struct options o = { 0 };
	struct error err = { 0 };
	int code = parse(argc, argv, &o);

	if (code != EXIT_OK)
		return code;
	log_set_level(o.verbose ? LOG_DEBUG : LOG_WARNING);
	if (o.json)
		log_set_sink(event_log_json);
	int rc = service_signals(&s, &err);
	if (rc == 0)
		rc = look_at_guest(&a, &o, &err);
	if (rc == 0) {
		struct service_options options = { .name = a.name,
						   .ports = a.follow.spec,
						   .count = a.follow.ports,
						   .cpu = -1,
						   .running = a.follow.guest.running,
						   .json = o.json,
						   .attached = true,
						   .signals = a.signals };
		rc = service_open(&s, &options, &err);
	}
	if (rc == 0) {
		for (unsigned i = 0; i < s.control.ports; i++)
			follow_describe_port(&s.control.port[i]);
		if (!o.json)
			tell_start(&a, &s);
		s.monitor = a.monitor;
		a.monitor = NULL;
		rc = follow_start(&a.follow, &s, &err);
	}
	if (rc == 0) {
		service_run(&s);
		code = tell_end(&s, &a, o.qemu);
	} else {
		code = fail(&err);
	}
	qmp_client_destroy(a.monitor);
	follow_finish(&a.follow);
	service_close(&s);
	return code;
}
