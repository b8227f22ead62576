/* anynic pool: the virtual functions of this host, who has them, and how some are made, kept and given back. */
#include <errno.h>
#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "config/validate.h"
#include "host/vf_pool.h"
#include "host/vf_settings.h"

#define POOLS_MAX  64
#define JSON_FLAGS (JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)

struct options {
	const char *pool; /* the first word after what is to be done */
	const char *owner;
	unsigned vfs;
	bool vfs_given, json;
};

static void add_text(json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text[0] ? json_object_new_string(text) : NULL);
}

static void add_number(json_object *o, const char *key, int64_t number)
{
	json_object_object_add(o, key, json_object_new_int64(number));
}

static int print_json(json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_FLAGS));
	json_object_put(o);
	return EXIT_OK;
}

static const char *name_of_function(const struct pci_function *f)
{
	return f->netdev[0] ? f->netdev : f->pci;
}

/* --- list ------------------------------------------------------------------------------------------------------------ */

static bool is_pool(const struct pci_function *f)
{
	return f->vfs_max && CLASS_IS_NETWORK(f->class_code);
}

static void count_states(const struct vf_host *host, const struct pci_function *pf,
			 unsigned count[VF_STATE_COUNT])
{
	static char vf[SRIOV_VFS_MAX][PCI_NAME];
	struct pool_file p = { .lock = -1 };
	unsigned n =
		MIN(sriov_list(host->sys, pf->pci, vf, SRIOV_VFS_MAX), (unsigned)SRIOV_VFS_MAX);
	char why[VF_WHY];

	struct error err = { 0 };
	if (pool_file_peek(&p, host->folder, pf->pci, &err) < 0) {
		log_warning("%s", err.text);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		struct pci_function f;

		if (pci_function_read(host->sys, vf[i], &f, NULL) == 0)
			count[vf_look(host, &p, &f, why)]++;
	}
	pool_file_close(&p, NULL);
}

static json_object *pool_as_json(const struct pci_function *pf,
				 const unsigned count[VF_STATE_COUNT])
{
	json_object *o = json_object_new_object();

	add_text(o, "pool", name_of_function(pf));
	add_text(o, "dev", pf->netdev);
	add_text(o, "pci", pf->pci);
	add_text(o, "driver", pf->driver);
	add_number(o, "vfs", pf->vfs);
	add_number(o, "vfs-max", pf->vfs_max);
	for (unsigned i = 0; i < VF_STATE_COUNT; i++)
		add_number(o, vf_state_names[i], count[i]);
	return o;
}

static int list_pools(const struct vf_host *host, const struct options *o, struct error *err)
{
	static struct pci_function pf[POOLS_MAX];
	unsigned n = MIN(pci_function_list(host->sys, is_pool, pf, POOLS_MAX), (unsigned)POOLS_MAX);
	json_object *list = json_object_new_array();

	(void)err;
	if (!o->json && n)
		printf("%-15s %-13s %-10s %9s %5s %5s %5s\n", "pool", "pci", "driver", "functions",
		       "free", "taken", "busy");
	for (unsigned i = 0; i < n; i++) {
		unsigned count[VF_STATE_COUNT] = { 0 };

		count_states(host, &pf[i], count);
		json_object_array_add(list, pool_as_json(&pf[i], count));
		if (!o->json)
			printf("%-15s %-13s %-10s %4u / %2u %5u %5u %5u\n",
			       name_of_function(&pf[i]), pf[i].pci, pf[i].driver, pf[i].vfs,
			       pf[i].vfs_max, count[VF_FREE], count[VF_TAKEN], count[VF_BUSY]);
	}
	if (o->json)
		return print_json(list);
	json_object_put(list);
	if (!n)
		puts("no card of this host can have virtual functions (SR-IOV)");
	return EXIT_OK;
}

/* --- show ------------------------------------------------------------------------------------------------------------ */

static void add_settings(json_object *o, const struct vf_host *host, const struct pci_function *f)
{
	struct vf_settings s;
	struct vf_place at;
	struct netlink nl;
	char mac[MAC_TEXT];

	if (netlink_open(&nl, NULL) < 0)
		return;
	if (f->pf[0] && vf_place_find(&nl, host->sys, f, &at, NULL) == 0 &&
	    netlink_get_vf(&nl, at.device, at.number, &s) == 0) {
		add_number(o, "number", at.number);
		add_text(o, "mac", mac_format(s.mac, mac));
		add_number(o, "vlan", MAX(s.vlan, 0));
		add_number(o, "qos", MAX(s.qos, 0));
		if (s.spoofchk >= 0)
			json_object_object_add(o, "spoofchk", json_object_new_boolean(s.spoofchk));
		if (s.trust >= 0)
			json_object_object_add(o, "trust", json_object_new_boolean(s.trust));
	}
	netlink_close(&nl);
}

static json_object *function_as_json(const struct vf_host *host, const struct pool_file *p,
				     const struct pci_function *f)
{
	json_object *o = json_object_new_object();
	const struct pool_use *use = pool_file_find(p, f->pci);
	char why[VF_WHY];
	enum vf_state state = vf_look(host, p, f, why);

	add_text(o, "pci", f->pci);
	add_text(o, "pf", f->pf);
	add_text(o, "driver", f->driver);
	add_text(o, "dev", f->netdev);
	json_object_object_add(o, "iommu-group",
			       f->group < 0 ? NULL : json_object_new_int(f->group));
	add_text(o, "state", vf_state_names[state]);
	add_text(o, "why", why);
	if (use) {
		add_text(o, "guest", use->guest);
		add_text(o, "port", use->port);
		add_number(o, "since", use->since);
		json_object_object_add(o, "by-hand", json_object_new_boolean(use->pid == 0));
	}
	add_settings(o, host, f);
	return o;
}

static void print_function(json_object *o)
{
	json_object *vlan = member_of(o, "vlan");

	printf("%-13s %-10s %-10s %-6s %-18s %s%s%s\n", text_of(o, "pci"), text_of(o, "driver"),
	       text_of(o, "dev"), text_of(o, "state"), text_of(o, "mac"),
	       vlan && json_object_get_int(vlan) ? "vlan " : "",
	       vlan && json_object_get_int(vlan) ? json_object_get_string(vlan) : "",
	       text_of(o, "why"));
}

static int show_source(const struct vf_host *host, const struct vf_source *source, bool json,
		       struct error *err)
{
	json_object *list = json_object_new_array();

	for (unsigned i = 0; i < source->count; i++) {
		struct pool_file p = { .lock = -1 };
		struct pci_function f;

		if (pci_function_read(host->sys, source->list[i], &f, NULL) < 0)
			continue;
		if (pool_file_peek(&p, host->folder, vf_pool_of(&f), err) < 0) {
			json_object_put(list);
			return fail(err);
		}
		json_object_array_add(list, function_as_json(host, &p, &f));
		pool_file_close(&p, NULL);
	}
	if (json)
		return print_json(list);
	printf("%-13s %-10s %-10s %-6s %-18s\n", "function", "driver", "device", "state", "mac");
	for (size_t i = 0; i < json_object_array_length(list); i++)
		print_function(json_object_array_get_idx(list, i));
	json_object_put(list);
	return EXIT_OK;
}

static int show_pool(const struct vf_host *host, const struct options *o, struct error *err)
{
	struct vf_source source = { 0 };
	int rc = vf_source_find(host, o->pool, &source, err);

	if (rc < 0)
		return fail(err);
	rc = show_source(host, &source, o->json, err);
	vf_source_finish(&source);
	return rc;
}

/* --- take, release, create ------------------------------------------------------------------------------------------- */

static int tell_function(const char *pci, bool json)
{
	if (!json) {
		puts(pci);
		return EXIT_OK;
	}
	json_object *o = json_object_new_object();
	add_text(o, "pci", pci);
	return print_json(o);
}

/* "GUEST" or "GUEST/PORT" */
static int read_owner(const char *text, char guest[64], char port[40], struct error *err)
{
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);

	port[0] = '\0';
	bool legal = length > 0 && length < 64 &&
		     (!slash || (str_copy(port, 40, slash + 1) && guest_name_is_legal(port)));
	if (legal) {
		memcpy(guest, text, length);
		guest[length] = '\0';
		legal = guest_name_is_legal(guest);
	}
	return legal ? 0
		     : error_set(
			       err, -EINVAL,
			       "--owner %.80s is not legal; it takes GUEST or GUEST/PORT, names of "
			       "letters, digits, . _ and -",
			       text);
}

static int take_function(const struct vf_host *host, const struct options *o, struct error *err)
{
	char guest[64], port[40], pci[PCI_NAME] = "";
	struct vf_owner owner = { .guest = guest, .port = port, .by_hand = true };
	struct vf_source source = { 0 };

	if (!o->owner)
		return fail_usage("pool",
				  "take needs --owner GUEST: for whom the function is kept");
	int rc = read_owner(o->owner, guest, port, err);
	if (rc == 0)
		rc = vf_source_find(host, o->pool, &source, err);
	if (rc == 0)
		rc = vf_pool_take(host, &source, &owner, NULL, pci, err);
	vf_source_finish(&source);
	return rc < 0 ? fail(err) : tell_function(pci, o->json);
}

static int release_function(const struct vf_host *host, const struct options *o, struct error *err)
{
	struct pci_function f;
	int rc = pci_function_find(host->sys, o->pool, &f, err);

	if (rc == 0)
		rc = vf_pool_release_by_hand(host, f.pci, err);
	return rc < 0 ? fail(err) : tell_function(f.pci, o->json);
}

static int create_functions(const struct vf_host *host, const struct options *o, struct error *err)
{
	struct pci_function pf;

	if (!o->vfs_given)
		return fail_usage("pool", "create needs --vfs N: how many virtual functions");
	int rc = pci_function_find(host->sys, o->pool, &pf, err);
	if (rc == 0)
		rc = vf_pool_set_count(host, pf.pci, o->vfs, err);
	if (rc < 0)
		return fail(err);
	if (!o->vfs)
		return o->json ? print_json(json_object_new_array()) : EXIT_OK;
	return show_pool(host, o, err);
}

/* --- the words -------------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	bool pool;	 /* takes the name of one */
	bool owner, vfs; /* takes --owner, --vfs */
	int (*run)(const struct vf_host *host, const struct options *o, struct error *err);
} actions[] = {
	{ "list", false, false, false, list_pools },
	{ "show", true, false, false, show_pool },
	{ "take", true, true, false, take_function },
	{ "release", true, false, false, release_function },
	{ "create", true, false, true, create_functions },
};

static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "json", no_argument, NULL, 'j' },
					       { "owner", required_argument, NULL, 'o' },
					       { "vfs", required_argument, NULL, 'n' },
					       { 0 } };
	uint64_t number;
	int c;

	while ((c = getopt_long(argc, argv, "j", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			o->json = true;
			break;
		case 'o':
			o->owner = optarg;
			break;
		case 'n':
			if (parse_u64(optarg, 0, SRIOV_VFS_MAX, &number) < 0)
				return fail_usage("pool", "--vfs %s is not legal; it takes 0 to %d",
						  optarg, SRIOV_VFS_MAX);
			o->vfs = (unsigned)number;
			o->vfs_given = true;
			break;
		default:
			return fail_usage("pool", "unknown option");
		}
	}
	return EXIT_OK;
}

int verb_pool(int argc, char **argv)
{
	struct options o = { 0 };
	struct error err = { 0 };
	struct vf_host host;
	int code = read_options(argc, argv, &o);

	if (code != EXIT_OK)
		return code;
	const char *word = optind < argc ? argv[optind++] : "list";
	vf_host_init(&host);
	for (unsigned i = 0; i < ARRAY_SIZE(actions); i++) {
		if (strcmp(actions[i].name, word) != 0)
			continue;
		if (actions[i].pool && optind == argc)
			return fail_usage("pool",
					  "%s needs a pool or a function; `anynic pool list` "
					  "shows them",
					  word);
		if (actions[i].pool)
			o.pool = argv[optind++];
		if ((o.owner && !actions[i].owner) || (o.vfs_given && !actions[i].vfs))
			return fail_usage("pool", "%s takes no %s", word,
					  o.owner && !actions[i].owner ? "--owner" : "--vfs");
		if (optind < argc)
			return fail_usage("pool", "%s takes no '%s'", word, argv[optind]);
		return actions[i].run(&host, &o, &err);
	}
	return fail_usage("pool", "'%s' is not legal; it takes list, show, take, release, create",
			  word);
}
