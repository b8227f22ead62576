/* anynic models: the cards that this program has, and which guest knows which of them. */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "cli/exit.h"
#include "cli/known.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "config/guests.h"

static json_object *model_as_json(const struct known_model *m)
{
	json_object *o = json_object_new_object(), *roles = json_object_new_array(),
		    *revs = json_object_new_array(), *guests = json_object_new_array();

	json_object_array_add(roles, json_object_new_string("single"));
	if (m->legacy)
		json_object_array_add(roles, json_object_new_string("legacy"));
	if (m->performant)
		json_object_array_add(roles, json_object_new_string("performant"));
	if (m->rev_zero)
		json_object_array_add(revs, json_object_new_int(0));
	for (unsigned i = 0; i < KNOWN_REVS && m->revs[i]; i++)
		json_object_array_add(revs, json_object_new_int(m->revs[i]));
	json_object_object_add(o, "model", json_object_new_string(m->name));
	json_object_object_add(o, "summary", json_object_new_string(m->summary));
	json_object_object_add(o, "roles", roles);
	json_object_object_add(o, "queues", json_object_new_int(MAX(m->queues_max, 1)));
	json_object_object_add(o, "mtu", json_object_new_int(m->mtu_max));
	json_object_object_add(o, "packed", json_object_new_boolean(m->packed));
	json_object_object_add(o, "vf-policy", json_object_new_boolean(m->vf_policy));
	json_object_object_add(o, "revs", revs);
	for (unsigned i = 0; i < guest_row_count; i++)
		if (guest_knows(&guest_rows[i], m->name))
			json_object_array_add(guests, json_object_new_string(guest_rows[i].name));
	json_object_object_add(o, "guests", guests);
	return o;
}

static void print_model(const struct known_model *m)
{
	const char *role = m->legacy && m->performant ? "legacy, performant"
			   : m->legacy		      ? "legacy"
			   : m->performant	      ? "performant"
						      : "single only";

	printf("%-14s %-20s %s\n", m->name, role, m->summary);
}

/* The words of a list, as a JSON array. */
static json_object *words_as_json(const char *words)
{
	json_object *list = json_object_new_array();

	for (const char *at = words; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		json_object_array_add(list, json_object_new_string_len(at, (int)len));
		at += len;
	}
	return list;
}

static json_object *guest_as_json(const struct guest_row *row)
{
	json_object *o = json_object_new_object();
	char spec[64];

	guest_recommend(row, cli_known(), spec, sizeof(spec));
	json_object_object_add(o, "guest", json_object_new_string(row->name));
	json_object_object_add(o, "title", json_object_new_string(row->title));
	json_object_object_add(o, "year", json_object_new_int((int)row->year));
	json_object_object_add(o, "cards", words_as_json(row->cards));
	json_object_object_add(o, "nic", json_object_new_string(spec));
	json_object_object_add(o, "note", json_object_new_string(row->note));
	json_object_object_add(o, "sources", words_as_json(row->source));
	return o;
}

/* Cards that the guest knows and this program has; "none" when there is none. */
static void list_cards(const struct guest_row *row, char *to, size_t size)
{
	const struct known *known = cli_known();

	to[0] = '\0';
	for (unsigned i = 0; i < known->model_count; i++) {
		size_t at = strlen(to);

		if (guest_knows(row, known->models[i].name))
			snprintf(to + at, size - at, "%s%s", at ? ", " : "", known->models[i].name);
	}
	if (to[0] == '\0')
		str_copy(to, size, "none");
}

static void print_guest(const struct guest_row *row)
{
	char spec[64], cards[128];

	guest_recommend(row, cli_known(), spec, sizeof(spec));
	list_cards(row, cards, sizeof(cards));
	printf("%s: %s, since %u\n  drivers of its own  %s\n  recommended         --nic %s\n",
	       row->name, row->title, row->year, cards, spec);
	if (row->note[0])
		printf("  note                %s\n", row->note);
	for (const char *at = row->source; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, " ");

		printf("  source              %.*s\n", (int)len, at);
		at += len;
	}
}

/* Behind the models, indented: who reads the first word of each line gets models only. */
static void print_overview(void)
{
	char spec[64], cards[128];

	puts("\n  Which guest drives which of them without a driver from elsewhere; "
	     "`anynic models --guest NAME` says more and names its sources:\n");
	printf("  %-14s %-38s %-5s %-24s %s\n", "guest", "", "since", "recommended",
	       "drivers of its own");
	for (unsigned i = 0; i < guest_row_count; i++) {
		const struct guest_row *row = &guest_rows[i];

		guest_recommend(row, cli_known(), spec, sizeof(spec));
		list_cards(row, cards, sizeof(cards));
		printf("  %-14s %-38s %-5u %-24s %s\n", row->name, row->title, row->year, spec,
		       cards);
	}
}

static int no_such_guest(const char *name)
{
	struct error err = { 0 };
	const char *names[64];
	unsigned count = 0;

	for (; count < guest_row_count && count < ARRAY_SIZE(names); count++)
		names[count] = guest_rows[count].name;
	const char *meant = nearest_name(name, names, count);
	error_set(&err, -ENOENT, "no guest '%.40s' is known%s%s%s; `anynic models` lists them",
		  name, meant ? ", did you mean " : "", meant ? meant : "", meant ? "?" : "");
	return fail(&err);
}

static void print_json(json_object *list)
{
	puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY |
							  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(list);
}

static int show_guests(const char *name, bool json)
{
	json_object *list = json_object_new_array();
	unsigned found = 0;

	for (unsigned i = 0; i < guest_row_count; i++) {
		if (!guest_is_named(&guest_rows[i], name))
			continue;
		found++;
		if (json)
			json_object_array_add(list, guest_as_json(&guest_rows[i]));
		else
			print_guest(&guest_rows[i]);
	}
	if (json && found)
		print_json(list);
	else
		json_object_put(list);
	return found ? EXIT_OK : no_such_guest(name);
}

static int show_models(bool json)
{
	const struct known *known = cli_known();
	json_object *list = json_object_new_array();

	for (unsigned i = 0; i < known->model_count; i++) {
		if (json)
			json_object_array_add(list, model_as_json(&known->models[i]));
		else
			print_model(&known->models[i]);
	}
	if (json) {
		print_json(list);
	} else {
		json_object_put(list);
		print_overview();
	}
	return EXIT_OK;
}

int verb_models(int argc, char **argv)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
					       { "guest", required_argument, NULL, 'g' },
					       { 0 } };
	const char *guest = NULL;
	bool json = false;
	int o;

	while ((o = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		switch (o) {
		case 'j':
			json = true;
			break;
		case 'g':
			guest = optarg;
			break;
		default:
			return fail_usage("models", "unknown option");
		}
	}
	if (optind < argc)
		return fail_usage("models", "takes no '%s'", argv[optind]);
	return guest ? show_guests(guest, json) : show_models(json);
}
