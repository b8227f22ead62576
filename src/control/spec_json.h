/* spec_json.h - what a user asked for, as the JSON of `plan` and of query-ports. */
#ifndef ANYNIC_CONTROL_SPEC_JSON_H
#define ANYNIC_CONTROL_SPEC_JSON_H

#include <json-c/json.h>

#include "config/spec.h"

/* What was said about a virtual function: vlan, qos, trust, spoofchk. What was not said is left out. */
void json_add_policy(json_object *object, const struct nic_spec *nic);

#endif
