#include "qemu/root_ports.h"

#include <stdio.h>
#include <string.h>

#include "qemu/qmp_call.h"

#define PERIPHERAL "/machine/peripheral"

static uint64_t list(struct root_search *s, const char *path)
{
	return qmp_client_send(s->client, "qom-list", qmp_text_argument("path", path));
}

static const char *text_of(json_object *o, const char *key)
{
	json_object *value = NULL;

	json_object_object_get_ex(o, key, &value);
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static bool is_root_port(const char *type)
{
	static const char *const types[] = { "child<pcie-root-port>", "child<ioh3420>",
					     "child<xio3130-downstream>" };

	return name_find(types, ARRAY_SIZE(types), type) >= 0;
}

static bool is_ours(const char *name)
{
	return strncmp(name, ROOT_PORT_OURS, strlen(ROOT_PORT_OURS)) == 0;
}

static bool is_kept(const struct root_search *s, const char *name)
{
	for (unsigned i = 0; i < s->kepts; i++)
		if (strcmp(s->kept[i], name) == 0)
			return true;
	return false;
}

static void take_devices(struct root_search *s, json_object *data, bool ours)
{
	size_t entries =
		json_object_is_type(data, json_type_array) ? json_object_array_length(data) : 0;

	for (size_t i = 0; i < entries && s->count < ROOT_PORTS_MAX; i++) {
		json_object *entry = json_object_array_get_idx(data, i);
		const char *name = text_of(entry, "name");

		if (is_root_port(text_of(entry, "type")) && is_ours(name) == ours &&
		    !is_kept(s, name))
			s->count += str_copy(s->name[s->count], ROOT_PORT_NAME, name);
	}
}

/* A bus has a property "child[N]" for each device on it. */
static bool is_empty(json_object *data)
{
	if (!json_object_is_type(data, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(data); i++)
		if (strncmp(text_of(json_object_array_get_idx(data, i), "name"), "child[", 6) == 0)
			return false;
	return true;
}

/* The bus behind a root port has its id. */
static void ask_next(struct root_search *s)
{
	char path[sizeof(PERIPHERAL) + (size_t)2 * ROOT_PORT_NAME + 2];

	s->state = s->founds == s->wanted ? ROOT_FOUND : ROOT_FULL;
	if (s->founds == s->wanted || s->at == s->count)
		return;
	(void)snprintf(path, sizeof(path), PERIPHERAL "/%s/%s", s->name[s->at], s->name[s->at]);
	s->id = list(s, path);
	s->state = s->id ? ROOT_SEARCHING : ROOT_LOST;
}

void root_search_begin(struct root_search *s, struct qmp_client *client, unsigned wanted,
		       const char (*kept)[ROOT_PORT_NAME], unsigned kepts)
{
	*s = (struct root_search){ .client = client,
				   .kept = kept,
				   .kepts = kepts,
				   .wanted = MIN(wanted, (unsigned)PORT_NICS) };
	s->id = list(s, PERIPHERAL);
	s->state = s->id ? ROOT_SEARCHING : ROOT_LOST;
}

bool root_search_reply(struct root_search *s, const struct qmp_item *item)
{
	json_object *data = item->kind == QMP_ITEM_REPLY ? item->data : NULL;

	if (s->state != ROOT_SEARCHING || !s->id || item->id != s->id)
		return false;
	s->id = 0;
	if (!s->count && !s->at) {
		take_devices(s, data, true);
		take_devices(s, data, false);
	} else {
		if (is_empty(data))
			(void)str_copy(s->found[s->founds++], ROOT_PORT_NAME, s->name[s->at]);
		s->at++;
	}
	ask_next(s);
	return true;
}
