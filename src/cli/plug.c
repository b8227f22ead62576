/* anynic plug: one more port for a guest that runs. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/exit.h"
#include "cli/talk.h"
#include "cli/verbs.h"
#include "config/network.h"
#include "config/xml.h"
#include "control/commands.h"

/* Behind QEMU's time: a backend that starts, and a guest that has to give back half a port. */
#define MORE_MS 30000

struct options {
	const char *name, *nic, *interfaces, *place;
	const char *network[NETWORKS_MAX];
	unsigned networks;
	uint64_t seconds;
};

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = { { "nic", required_argument, NULL, 'N' },
					       { "interfaces", required_argument, NULL, 'i' },
					       { "networks", required_argument, NULL, 'w' },
					       { "place", required_argument, NULL, 'p' },
					       { "timeout", required_argument, NULL, 't' },
					       { 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'N':
			if (o->nic)
				return fail_usage("plug", "one --nic: a port is plugged at a time");
			o->nic = optarg;
			break;
		case 'i':
			o->interfaces = optarg;
			break;
		case 'w':
			if (o->networks == NETWORKS_MAX)
				return fail_usage("plug", "at most %d --networks", NETWORKS_MAX);
			o->network[o->networks++] = optarg;
			break;
		case 'p':
			o->place = optarg;
			break;
		case 't':
			if (parse_u64(optarg, 1, PLUG_SECONDS_MAX, &o->seconds) < 0)
				return fail_usage("plug", "--timeout %.20s: seconds, 1 to %d",
						  optarg, PLUG_SECONDS_MAX);
			break;
		default:
			return fail_usage("plug", "unknown option");
		}
	}
	if (!o->nic == !o->interfaces)
		return fail_usage("plug", "tell the port: --nic SPEC or --interfaces FILE");
	if (argc - optind > 1)
		return fail_usage("plug", "one guest: %s is one word too many", argv[optind + 1]);
	o->name = argv[optind];
	return EXIT_OK;
}

/* The file as text, for the process that has the rights. NULL on failure. */
static json_object *read_file(const char *path, struct error *err)
{
	char *text = malloc(XML_FILE_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	json_object *value = NULL;
	size_t len = 0;
	ssize_t n = 0;

	while (text && fd >= 0 && len <= XML_FILE_MAX &&
	       (n = read(fd, text + len, XML_FILE_MAX + 1 - len)) > 0)
		len += (size_t)n;
	if (fd < 0 || n < 0)
		error_set(err, -errno, "%.200s: %s", path, strerror(errno));
	else if (!text)
		error_set(err, -ENOMEM, "out of memory");
	else if (len > XML_FILE_MAX)
		error_set(err, -EINVAL, "%.200s: larger than %u bytes", path, XML_FILE_MAX);
	else if (memchr(text, '\0', len))
		error_set(err, -EINVAL, "%.200s: no XML", path);
	else
		value = json_object_new_string_len(text, (int)len);
	fd_close(&fd);
	free(text);
	return value;
}

static int add_file(json_object *to, const char *key, const char *path, struct error *err)
{
	json_object *text = read_file(path, err);

	if (!text)
		return err->code;
	if (key)
		json_object_object_add(to, key, text);
	else
		json_object_array_add(to, text);
	return 0;
}

static int fill(json_object *arguments, const struct options *o, struct error *err)
{
	json_object *networks = json_object_new_array();
	int rc = 0;

	if (o->nic)
		json_object_object_add(arguments, "nic", json_object_new_string(o->nic));
	json_object_object_add(arguments, "timeout", json_object_new_int64((int64_t)o->seconds));
	if (o->place)
		json_object_object_add(arguments, "place", json_object_new_string(o->place));
	if (o->interfaces)
		rc = add_file(arguments, "interface", o->interfaces, err);
	for (unsigned i = 0; rc == 0 && i < o->networks; i++)
		rc = add_file(networks, NULL, o->network[i], err);
	if (o->networks)
		json_object_object_add(arguments, "networks", networks);
	else
		json_object_put(networks);
	return rc;
}

static int plug(struct client *c, const struct options *o)
{
	json_object *arguments = json_object_new_object(), *value = NULL;
	struct error err = { 0 };
	int rc = fill(arguments, o, &err);

	if (rc == 0)
		rc = client_call_for(c, (unsigned)(o->seconds * 1000 + MORE_MS), "port-add",
				     arguments, &value, &err);
	else
		json_object_put(arguments);
	if (rc < 0)
		return fail(&err);
	printf("%s is plugged\n", text_of(value, "port"));
	if (member_of(value, "note"))
		printf("%s: %s\n", text_of(value, "port"), text_of(value, "note"));
	json_object_put(value);
	return EXIT_OK;
}

int verb_plug(int argc, char **argv)
{
	struct options o = { .seconds = PLUG_SECONDS };
	int code = parse(argc, argv, &o);

	if (code != EXIT_OK)
		return code;
	struct client *c = open_guest(o.name, &code);
	if (!c)
		return code;
	code = plug(c, &o);
	client_close(c);
	return code;
}
