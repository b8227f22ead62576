/* anynic status: what a guest's ports are doing. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/exit.h"
#include "cli/talk.h"
#include "base/util.h"
#include "cli/verbs.h"

struct options {
	bool json, stats;
	const char *name;
};

static const char *or_dash(const char *text)
{
	return text[0] ? text : "-";
}

static json_object *driver_of(json_object *drivers, const char *nic)
{
	size_t n = json_object_array_length(drivers);

	for (size_t i = 0; i < n; i++) {
		json_object *d = json_object_array_get_idx(drivers, i);
		if (strcmp(text_of(d, "nic"), nic) == 0)
			return d;
	}
	return NULL;
}

static void print_nic(json_object *nic, json_object *drivers)
{
	json_object *driver = driver_of(drivers, text_of(nic, "nic"));

	printf("    %-18s %-11s %-11s %-7s %-12s %-8s %-4s  %s\n", text_of(nic, "nic"),
	       text_of(nic, "role"), text_of(nic, "model"), text_of(nic, "place"),
	       text_of(nic, "status"), text_of(nic, "phase"), text_of(nic, "link"),
	       driver ? text_of(driver, "evidence") : "");
}

static void print_numbers(const char *title, json_object *numbers)
{
	printf("    %s:", title);
	json_object_object_foreach(numbers, key, value)
	{
		if (json_object_is_type(value, json_type_int))
			printf(" %s=%s", key, json_object_get_string(value));
	}
	putchar('\n');
}

static void print_counters(json_object *port)
{
	json_object *counters = member_of(port, "counters");

	if (!counters) {
		puts("    counters: none, QEMU or the kernel moves the frames");
		return;
	}
	print_numbers("counters", counters);
	print_numbers("drops", member_of(counters, "drops"));
	json_object_object_foreach(member_of(counters, "nics"), nic, numbers)
	{
		print_numbers(nic, numbers);
	}
}

/* The interface behind the port, or one behind each of QEMU's cards; a socket has a path. */
static void name_backend(json_object *port, char *to, size_t size)
{
	json_object *backend = member_of(port, "backend"), *nics = member_of(port, "nics");
	const char *ifname = text_of(backend, "ifname");
	size_t at = 0;

	to[0] = '\0';
	for (size_t i = 0; i < json_object_array_length(nics) && at < size; i++) {
		const char *own = text_of(json_object_array_get_idx(nics, i), "ifname");

		if (own[0])
			at += (size_t)snprintf(to + at, size - at, "%s%s", at ? ", " : "", own);
	}
	if (at == 0)
		str_copy(to, size, ifname[0] ? ifname : text_of(backend, "path"));
}

static void print_port(json_object *port, json_object *drivers, bool stats)
{
	json_object *backend = member_of(port, "backend");
	char name[256];
	json_object *nics = member_of(port, "nics");
	bool up = json_object_get_boolean(member_of(backend, "up"));

	const char *on = text_of(backend, text_of(backend, "br")[0] ? "br" : "dev");
	const char *mode = text_of(backend, "mode");

	name_backend(port, name, sizeof(name));
	printf("  %s  %s  state %s  active %s  backend %s%s%s%s%s%s%s%s %s%s%s  mac %s\n",
	       text_of(port, "port"), text_of(port, "policy"), text_of(port, "state"),
	       or_dash(text_of(port, "active")), text_of(backend, "type"), name[0] ? " " : "", name,
	       on[0] ? " on " : "", on, mode[0] ? " (" : "", mode, mode[0] ? ")" : "",
	       up ? "up" : "down", up ? "" : ": ", up ? "" : text_of(backend, "reason"),
	       text_of(port, "mac"));
	if (up) /* the reason names what backend=auto found, too */
		printf("    driver %s: %s\n", text_of(backend, "driver"),
		       text_of(backend, "reason"));
	else if (text_of(backend, "chosen")[0])
		printf("    backend: %s\n", text_of(backend, "chosen"));
	printf("    %-18s %-11s %-11s %-7s %-12s %-8s %-4s  %s\n", "NIC", "ROLE", "MODEL", "PLACE",
	       "DRIVER", "PHASE", "LINK", "EVIDENCE");
	for (size_t i = 0; i < json_object_array_length(nics); i++)
		print_nic(json_object_array_get_idx(nics, i), drivers);
	if (stats)
		print_counters(port);
}

/* The whole of one guest: {"guest", "ports", "drivers"}. NULL when it failed (and was told). */
static json_object *fetch(const char *name, const struct options *o, int *code)
{
	struct error err = { 0 };
	json_object *ports = NULL, *drivers = NULL;

	struct client *c = open_guest(name, code);
	if (!c)
		return NULL;
	int rc = client_call(c, "query-ports", NULL, &ports, &err);
	if (rc == 0)
		rc = client_call(c, "query-guest-driver-status", NULL, &drivers, &err);
	client_close(c);
	if (rc < 0) {
		json_object_put(ports);
		*code = fail(&err);
		return NULL;
	}
	for (size_t i = 0; !o->stats && i < json_object_array_length(ports); i++)
		json_object_object_del(json_object_array_get_idx(ports, i), "counters");
	json_object *guest = json_object_new_object();
	json_object_object_add(guest, "guest", json_object_new_string(name));
	json_object_object_add(guest, "ports", ports);
	json_object_object_add(guest, "drivers", drivers);
	return guest;
}

static void print_guest(json_object *guest, bool stats)
{
	json_object *ports = member_of(guest, "ports");

	printf("guest %s\n", text_of(guest, "guest"));
	for (size_t i = 0; i < json_object_array_length(ports); i++)
		print_port(json_object_array_get_idx(ports, i), member_of(guest, "drivers"), stats);
}

static int show(char names[][PLACE_NAME], unsigned n, const struct options *o)
{
	json_object *all = json_object_new_array();
	int code = EXIT_OK;

	for (unsigned i = 0; i < n; i++) {
		json_object *guest = fetch(names[i], o, &code);
		if (guest)
			json_object_array_add(all, guest);
	}
	size_t got = json_object_array_length(all);
	if (o->json && got) {
		/* one guest: its object; several and none named: an array of them */
		json_object *shown = n == 1 ? json_object_array_get_idx(all, 0) : all;
		puts(json_object_to_json_string_ext(shown, JSON_C_TO_STRING_PRETTY |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	for (size_t i = 0; !o->json && i < got; i++)
		print_guest(json_object_array_get_idx(all, i), o->stats);
	json_object_put(all);
	return code;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
					       { "stats", no_argument, NULL, 's' },
					       { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "js", longs, NULL)) != -1) {
		if (c == 'j')
			o->json = true;
		else if (c == 's')
			o->stats = true;
		else
			return fail_usage("status", "unknown option");
	}
	if (argc - optind > 1)
		return fail_usage("status", "at most one NAME");
	o->name = argv[optind];
	return EXIT_OK;
}

int verb_status(int argc, char **argv)
{
	char names[GUESTS_MAX][PLACE_NAME];
	struct options o = { 0 };
	int code = parse(argc, argv, &o);

	if (code != EXIT_OK)
		return code;
	if (o.name) {
		json_object *guest = fetch(o.name, &o, &code);
		if (!guest)
			return code;
		if (o.json)
			puts(json_object_to_json_string_ext(
				guest, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE));
		else
			print_guest(guest, o.stats);
		json_object_put(guest);
		return EXIT_OK;
	}
	unsigned n = place_list(names, GUESTS_MAX);
	if (n == 0) {
		if (o.json)
			puts("[]");
		else
			puts("no guest is running");
		return EXIT_OK;
	}
	return show(names, MIN(n, (unsigned)GUESTS_MAX), &o);
}
