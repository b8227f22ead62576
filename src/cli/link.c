/* anynic link: set a link by hand, or give the choice back to the port. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"

enum wish { WISH_UP, WISH_DOWN, WISH_AUTO, WISH_COUNT };
static const char *const wish_names[] = {
	[WISH_UP] = "up", [WISH_DOWN] = "down", [WISH_AUTO] = "auto"
};
NAMES_MATCH(wish_names, WISH_COUNT);

/* `word` is a NIC's id, its role, or its id without the port's. Returns the id or NULL. */
static const char *find_nic(json_object *port, const char *word)
{
	json_object *nics = member_of(port, "nics");
	size_t prefix = strlen(text_of(port, "port"));

	for (size_t i = 0; i < json_object_array_length(nics); i++) {
		json_object *nic = json_object_array_get_idx(nics, i);
		const char *id = text_of(nic, "nic");
		if (strcmp(id, word) == 0 || strcmp(text_of(nic, "role"), word) == 0)
			return id;
		if (strncmp(id, text_of(port, "port"), prefix) == 0 && id[prefix] == '-' &&
		    strcmp(id + prefix + 1, word) == 0)
			return id;
	}
	return NULL;
}

static json_object *pair(const char *key, json_object *value, const char *key2, json_object *value2)
{
	json_object *object = json_object_new_object();

	json_object_object_add(object, key, value);
	json_object_object_add(object, key2, value2);
	return object;
}

static int set(struct client *c, const char *port, const char *nic, enum wish wish,
	       struct error *err)
{
	json_object *ports = NULL;
	json_object *arguments = json_object_new_object();

	json_object_object_add(arguments, "port", json_object_new_string(port));
	int rc = client_call(c, "query-ports", arguments, &ports, err);
	if (rc < 0)
		return rc == -ENOENT ? error_set(err, rc,
						 "the guest has no port %s: `anynic status` lists "
						 "its ports",
						 port)
				     : rc;
	const char *id = nic ? find_nic(json_object_array_get_idx(ports, 0), nic) : port;
	if (!id)
		rc = error_set(err, -ENOENT,
			       "port %s has no NIC %s: `anynic status` lists its NICs and their "
			       "roles",
			       port, nic);
	else if (wish == WISH_AUTO)
		rc = client_call(c, "set-port-policy",
				 pair("port", json_object_new_string(port), "mode",
				      json_object_new_string("auto")),
				 NULL, err);
	else
		rc = client_call(c, "set_link",
				 pair("name", json_object_new_string(id), "up",
				      json_object_new_boolean(wish == WISH_UP)),
				 NULL, err);
	json_object_put(ports);
	return rc;
}

int verb_link(int argc, char **argv)
{
	struct error err = { 0 };
	char port[128];
	int code;

	if (argc != 3 && argc != 4)
		return fail_usage("link", "tell a port and up, down or auto");
	int wish = name_find(wish_names, WISH_COUNT, argv[argc - 1]);
	if (wish < 0)
		return fail_usage("link", "%s: up, down or auto", argv[argc - 1]);
	str_copy(port, sizeof(port), argv[argc - 2]);
	char *slash = strchr(port, '/');
	if (slash)
		*slash = '\0';
	struct client *c = open_guest(argc == 4 ? argv[1] : NULL, &code);
	if (!c)
		return code;
	int rc = set(c, port, slash ? slash + 1 : NULL, (enum wish)wish, &err);
	client_close(c);
	return rc < 0 ? fail(&err) : EXIT_OK;
}
