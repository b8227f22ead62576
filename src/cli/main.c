/* anynic: the table of verbs, help, and the choice. What a verb does is in its own file. */
#include <stdio.h>
#include <string.h>

#include "cli/exit.h"
#include "cli/verbs.h"
#include "config/known.h"

struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
	const char *usage;   /* what follows the verb */
	const char *details; /* more lines for --help; may be NULL */
};

static const struct verb verbs[] = {
	{ "run", verb_run, "start a guest with ports",
	  "[--name NAME] [--nic SPEC]... [--interfaces FILE] [--networks FILE]... "
	  "[--place hosted|qemu] [--spare-ports N] [--incoming URI] [--qmp PATH] [--json] "
	  "[--verbose] -- QEMU [ARGS...]",
	  "  --name NAME     of the guest; else QEMU's -name, else that of a <domain>, else "
	  "guest-PID\n"
	  "  --nic SPEC      a port; without any, and without --interfaces: auto\n"
	  "  --interfaces F  libvirt's XML: <interface>, several in <devices>, or a <domain>\n"
	  "  --networks F    libvirt's <network>, or several in <networks>\n"
	  "  --place WHERE   for ports that do not say it\n"
	  "  --spare-ports N root ports (PCI Express) for N cards that `anynic plug` brings\n"
	  "  --incoming URI  wait for a guest that `anynic migrate` sends; the same ports as "
	  "there\n"
	  "  --qmp PATH      the control socket is there\n"
	  "  -j, --json      events on stderr as JSON, one a line\n"
	  "  -v, --verbose   tell more\n"
	  "The exit status is QEMU's.\n" },
	{ "plan", verb_plan, "what run would do; opens nothing",
	  "[--name NAME] [--nic SPEC]... [--interfaces FILE] [--networks FILE]... [--qemu BINARY | "
	  "--qemu-version X.Y] [--place "
	  "hosted|qemu] [--assume kvm,vhost,vfio] [-j] "
	  "[-- QEMU [ARGS...]]",
	  "  --nic SPEC        a port, as for run; without any, and without --interfaces: auto\n"
	  "  --interfaces F    libvirt's XML, as for run\n"
	  "  --networks F      libvirt's XML of networks, as for run\n"
	  "  --qemu BINARY     plan for this QEMU\n"
	  "  --qemu-version V  plan for a QEMU that is not here\n"
	  "  --place WHERE     for ports that do not say it\n"
	  "  --assume LIST     as if this host had them: vhost (/dev/vhost-net), kvm, vfio\n"
	  "  -j, --json        one JSON document\n" },
	{ "status", verb_status, "ports, NICs, driver status, links", "[NAME] [-j] [-s]",
	  "  -j, --json      one JSON document\n"
	  "  -s, --stats     counters too\n" },
	{ "monitor", verb_monitor, "one line per event",
	  "[NAME] [-j] [--timeout SECONDS] [--until EVENT]",
	  "  -j, --json      one JSON document a line, as on the control socket\n"
	  "  --timeout S     stop after S seconds; the exit code is 5 then\n"
	  "  --until EVENT   stop with exit code 0 after the first event of this name\n" },
	{ "link", verb_link, "set a link by hand, or give the choice back",
	  "[NAME] PORT[/NIC] up|down|auto",
	  "NIC is a NIC's id (net0-legacy) or its role (legacy). `auto` is for the whole port.\n" },
	{ "why", verb_why, "why there is, or is not, network", "[NAME] [PORT] [-j]", NULL },
	{ "qmp", verb_qmp, "send a command, or open a shell", "[NAME] [COMMAND [JSON]]",
	  "JSON is the arguments object. Without COMMAND: a shell; `help` lists the commands.\n" },
	{ "serve", verb_serve, "the cards' sockets, without a virtual machine",
	  "--nic SPEC... --socket PATH [--cpu N] [--name NAME] [--qmp PATH]",
	  "  --socket PATH   of the card; with several cards a folder, ID.sock each\n"
	  "  --cpu N         keep the first worker on this CPU\n" },
	{ "attach", verb_attach, "the policy for a guest that someone else started",
	  "--qmp PATH [--nic ID|LEGACY,PERFORMANT]... [--name NAME] [--json] [--verbose]",
	  "  --qmp PATH      QEMU's monitor: the socket of a -qmp option that nobody else uses\n"
	  "  --nic ID        look at this card alone; LEGACY,PERFORMANT makes a pair of two\n"
	  "  --name NAME     of the guest; else QEMU's -name, else guest-PID\n"
	  "  -j, --json      events on stderr as JSON, one a line\n"
	  "  -v, --verbose   tell more\n"
	  "Without --nic: all cards; two that are on one bridge, in one hub or have one MAC "
	  "address\nare a pair, whose links are moved as those of a port. The links of other "
	  "cards are\nleft as they are.\n" },
	{ "detach", verb_detach, "leave a guest that was attached", "[NAME]",
	  "The guest goes on, its links stay as they are.\n" },
	{ "migrate", verb_migrate, "move a guest to the QEMU that waits for it",
	  "[NAME] URI [--timeout SECONDS] [-j]",
	  "  URI             where `anynic run --incoming URI` waits: tcp:HOST:PORT, unix:PATH\n"
	  "  --timeout S     stop when nothing moves for S seconds (30), and put all back\n"
	  "  -j, --json      events as JSON, one a line\n"
	  "Exit code 0: the guest is there, and its QEMU here has ended; 5: too late; 1: another "
	  "reason.\n^C takes the guest back.\n" },
	{ "plug", verb_plug, "give a running guest one more port",
	  "[NAME] --nic SPEC | --interfaces FILE [--networks FILE]... [--place hosted|qemu]\n"
	  "                   [--timeout SECONDS]",
	  "  --nic SPEC       the port, as for run\n"
	  "  --interfaces F   or libvirt's XML of one <interface> (or <hostdev>)\n"
	  "  --networks F     libvirt's <network>, or several in <networks>\n"
	  "  --place WHERE    for an interface that does not say it\n"
	  "  --timeout S      stop when QEMU has not plugged it in S seconds (60), and take all "
	  "back\n"
	  "Each card needs a free root port on a machine with PCI Express: `anynic run "
	  "--spare-ports`.\nExit code 5: QEMU did not answer in time; what was done is undone, at "
	  "the latest when\nit answers.\n" },
	{ "unplug", verb_unplug, "take a port out of a running guest",
	  "[NAME] PORT [--timeout SECONDS]",
	  "The guest is asked for the cards of the port, and what the host has for it is taken "
	  "back.\n"
	  "  --timeout S      how long the guest may take (30), and QEMU 5 more\n"
	  "Exit code 5: the guest did not let go of the card in time, and nothing is changed; "
	  "or QEMU\ndid not answer, and the rest goes when it does.\n" },
	{ "models", verb_models, "which cards there are, and which guest knows which",
	  "[-j] [--guest NAME]",
	  "Without --guest: the cards, then every known guest with what to write after --nic for "
	  "it.\n"
	  "  --guest NAME    one guest, or a family: windows-7, windows\n" },
	{ "backends", verb_backends, "where a port's frames can go", "[-j]", NULL },
	{ "xml", verb_xml, "the same XML with what was chosen",
	  "FILE [--networks FILE]... [--name NAME] [--place hosted|qemu] [--qemu-version X.Y] "
	  "[--assume kvm,vhost,vfio] [--validate] [-- QEMU [ARGS...]]",
	  "FILE holds an <interface>, several in <devices>, or a <domain>, whose other elements "
	  "stay as they are.\n"
	  "  --networks F      libvirt's XML of networks\n"
	  "  --place WHERE     for interfaces that do not say it\n"
	  "  --qemu-version V  for a QEMU that is not here\n"
	  "  --assume LIST     as if this host had them\n"
	  "  --validate        say whether FILE is what the schema allows, and nothing else\n" },
	{ "pool", verb_pool, "virtual functions of this host's cards, and who has them",
	  "[list] | show POOL | take POOL --owner GUEST[/PORT] | release FUNCTION | create DEV "
	  "--vfs N "
	  "[-j]",
	  "POOL is a network device with virtual functions, a network of libvirt's that hands some "
	  "on,\nor a PCI address.\n"
	  "  take            keeps one for a guest, until that guest takes it or it is released\n"
	  "  release         gives back what was kept; FUNCTION is a PCI address\n"
	  "  create          makes N virtual functions of DEV; 0 takes them away, if nobody has "
	  "one\n"
	  "  -j, --json      one JSON document\n" },
	{ "stop", verb_stop, "end a guest", "[NAME] [--timeout SECONDS]",
	  "Ends QEMU as its own `quit` does; what does not end is killed. The guest's system is "
	  "not asked.\nA guest of `attach` is left, as with `detach`.\n" },
};

static const char *const top =
	"anynic gives a virtual machine one network port that fits any guest.\n"
	"\n"
	"usage: anynic VERB [ARGUMENTS]\n"
	"       anynic VERB --help\n"
	"       anynic --version\n"
	"\n";

static void print_verbs(FILE *to)
{
	fputs(top, to);
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(to, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
	fputs("\nNAME may be left out when exactly one guest is running. More: man anynic\n", to);
}

static void print_verb(const struct verb *v, FILE *to)
{
	fprintf(to, "usage: anynic %s %s\n\n%s\n", v->name, v->usage, v->summary);
	if (v->details)
		fprintf(to, "\n%s", v->details);
}

static const struct verb *find_verb(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int unknown_verb(const char *name)
{
	const char *names[ARRAY_SIZE(verbs)];

	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++)
		names[i] = verbs[i].name;
	const char *near = nearest_name(name, names, ARRAY_SIZE(names));
	fprintf(stderr, "anynic: there is no verb `%s`", name);
	if (near)
		fprintf(stderr, "; did you mean `%s`?\n", near);
	else
		fprintf(stderr, "; `anynic --help` lists them\n");
	return EXIT_USAGE;
}

static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return true;
	return false;
}

void usage_hint(const char *verb)
{
	const struct verb *v = find_verb(verb);

	if (v)
		fprintf(stderr, "usage: anynic %s %s\n", v->name, v->usage);
}

int main(int argc, char **argv)
{
	static char full_name[32];

	if (argc < 2) {
		print_verbs(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("anynic " ANYNIC_VERSION);
		return EXIT_OK;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		const struct verb *v = argc > 2 ? find_verb(argv[2]) : NULL;
		if (v)
			print_verb(v, stdout);
		else
			print_verbs(stdout);
		return EXIT_OK;
	}
	const struct verb *v = find_verb(argv[1]);
	if (!v)
		return unknown_verb(argv[1]);
	if (wants_help(argc - 1, argv + 1)) {
		print_verb(v, stdout);
		return EXIT_OK;
	}
	/* getopt's own messages begin with it */
	snprintf(full_name, sizeof(full_name), "anynic %s", v->name);
	argv[1] = full_name;
	return v->run(argc - 1, argv + 1);
}
