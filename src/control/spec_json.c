#include "control/spec_json.h"

static void add_number(json_object *object, const char *key, int number)
{
	if (number >= 0)
		json_object_object_add(object, key, json_object_new_int(number));
}

static void add_setting(json_object *object, const char *key, enum tristate setting)
{
	if (setting != TRISTATE_DEFAULT)
		json_object_object_add(object, key,
				       json_object_new_boolean(setting == TRISTATE_ON));
}

void json_add_policy(json_object *object, const struct nic_spec *nic)
{
	if (nic->host_pci[0])
		json_object_object_add(object, "host-pci", json_object_new_string(nic->host_pci));
	add_number(object, "vlan", nic->vlan);
	add_number(object, "qos", nic->qos);
	add_setting(object, "trust", nic->trust);
	add_setting(object, "spoofchk", nic->spoofchk);
}
