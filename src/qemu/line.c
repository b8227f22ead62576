#include "qemu/line.h"

#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "qemu/options.h"

int qemu_size_parse(const char *text, uint64_t unit, uint64_t *bytes)
{
	static const char suffixes[] = "BKMGTPE";
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	double number = strtod(text, &end); /* QEMU takes 1.5G */
	if (text[1] == 'x' || text[1] == 'X' || !isfinite(number))
		return -EINVAL;
	if (*end != '\0') {
		const char *found = strchr(suffixes, toupper((unsigned char)*end));
		if (!found || end[1] != '\0')
			return -EINVAL;
		unit = 1ull << (10 * (found - suffixes));
	}
	number *= (double)unit;
	if (number >= 0x1p63)
		return -EINVAL;
	*bytes = (uint64_t)number;
	return 0;
}

/* One "key=value" of a QEMU option; *at moves on. False at the end. */
static bool next_pair(const char **at, char *key, size_t key_size, char *value, size_t value_size,
		      bool *bare)
{
	const char *p = *at;
	char *to = key;
	size_t n = 0, size = key_size;

	if (*p == '\0')
		return false;
	*bare = true;
	value[0] = '\0';
	for (; *p; p++) {
		if (*p == ',' && *++p != ',')
			break;
		if (*p == '=' && *bare) {
			key[n] = '\0';
			*bare = false;
			to = value;
			size = value_size;
			n = 0;
			continue;
		}
		if (n + 1 < size)
			to[n++] = *p;
	}
	to[n] = '\0';
	*at = p;
	return true;
}

static bool json_get(const char *text, const char *key, char *value, size_t size)
{
	json_object *object = json_tokener_parse(text), *member;
	bool found = json_object_is_type(object, json_type_object) &&
		     json_object_object_get_ex(object, key, &member);

	if (found) {
		if (json_object_is_type(member, json_type_boolean))
			str_copy(value, size, json_object_get_boolean(member) ? "on" : "off");
		else
			str_copy(value, size, member ? json_object_get_string(member) : "");
	}
	json_object_put(object);
	return found;
}

bool qemu_option_get(const char *text, const char *first_key, const char *key, char *value,
		     size_t size)
{
	char name[64], v[512];
	bool bare, found = false, first = true;

	if (text[0] == '{')
		return json_get(text, key, value, size);
	while (next_pair(&text, name, sizeof(name), v, sizeof(v), &bare)) {
		if (bare && first && first_key) {
			if (strcmp(key, first_key) == 0)
				found = str_copy(value, size, name);
		} else if (strcmp(key, name) == 0) {
			str_copy(value, size, bare ? "on" : v);
			found = true;
		}
		first = false;
	}
	return found;
}

static bool is_on(const char *value)
{
	return strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 ||
	       strcmp(value, "true") == 0 || strcmp(value, "y") == 0;
}

static int set_memory(struct qemu_line *line, const char *size, uint64_t unit, const char *option,
		      struct error *err)
{
	uint64_t bytes;

	if (qemu_size_parse(size, unit, &bytes) < 0)
		return error_set(err, -EINVAL,
				 "%s %s is no memory size; QEMU takes a number of megabytes, or "
				 "one with k, M, G or T",
				 option, size);
	if (bytes == 0) /* QEMU's default, as without -m */
		return 0;
	line->memory = (bytes + 8191) & ~8191ull; /* QEMU rounds the same way */
	line->memory_given = true;
	return 0;
}

static int on_m(struct qemu_line *line, const char *value, struct error *err)
{
	char size[64];

	if (!qemu_option_get(value, "size", "size", size, sizeof(size)))
		return 0;
	return set_memory(line, size, 1ull << 20, "-m", err);
}

static void add_use(struct qemu_line *line, const char *id, const char *option)
{
	if (line->uses == QEMU_OBJECTS_MAX) /* QEMU has no such machines */
		return;
	struct qemu_memory_use *use = &line->use[line->uses++];
	str_copy(use->id, sizeof(use->id), id);
	str_copy(use->option, sizeof(use->option), option);
}

/* "kvm", or a list to be tried in order: "kvm:tcg". */
static void note_accelerators(struct qemu_line *line, const char *names)
{
	if (strcmp(names, "kvm") == 0)
		line->kvm = true;
	else
		line->other_accelerator = true;
}

static int on_machine(struct qemu_line *line, const char *value, struct error *err)
{
	char text[64];
	uint64_t cpus;

	/* repeated -machine options are merged: what is not named stays */
	qemu_option_get(value, "type", "type", line->machine, sizeof(line->machine));
	qemu_option_get(value, "type", "memory-backend", line->memory_backend,
			sizeof(line->memory_backend));
	if (qemu_option_get(value, "type", "smp.cpus", text, sizeof(text)) &&
	    parse_u64(text, 1, 65535, &cpus) == 0)
		line->vcpus = (unsigned)cpus;
	if (qemu_option_get(value, "type", "accel", text, sizeof(text)))
		note_accelerators(line, text);
	if (qemu_option_get(value, "type", "memory.size", text, sizeof(text)))
		return set_memory(line, text, 1, "-machine memory.size", err);
	return 0;
}

static int on_accel(struct qemu_line *line, const char *value, struct error *err)
{
	char names[QEMU_ID];

	(void)err;
	if (qemu_option_get(value, "accel", "accel", names, sizeof(names)))
		note_accelerators(line, names);
	return 0;
}

static int on_object(struct qemu_line *line, const char *value, struct error *err)
{
	char type[64], text[64];
	struct qemu_memory_object *o = &line->object[line->objects];

	if (!qemu_option_get(value, "qom-type", "qom-type", type, sizeof(type)))
		return 0;
	if (strncmp(type, "monitor-", 8) == 0)
		line->monitor = true;
	if (strncmp(type, "memory-backend-", 15) != 0)
		return 0;
	if (line->objects == QEMU_OBJECTS_MAX)
		return error_set(err, -EINVAL, "more than %d memory backends", QEMU_OBJECTS_MAX);
	line->objects++;
	str_copy(o->type, sizeof(o->type), type);
	qemu_option_get(value, "qom-type", "id", o->id, sizeof(o->id));
	if (qemu_option_get(value, "qom-type", "size", text, sizeof(text)))
		(void)qemu_size_parse(text, 1, &o->size); /* what is wrong with it, QEMU says */
	/* QEMU's own defaults */
	o->share = strcmp(type, "memory-backend-memfd") == 0 ||
		   strcmp(type, "memory-backend-shm") == 0;
	if (qemu_option_get(value, "qom-type", "share", text, sizeof(text)))
		o->share = is_on(text);
	return 0;
}

static int on_numa(struct qemu_line *line, const char *value, struct error *err)
{
	char text[QEMU_ID];

	(void)err;
	if (!qemu_option_get(value, "type", "type", text, sizeof(text)) ||
	    strcmp(text, "node") != 0)
		return 0;
	line->numa_nodes++;
	if (qemu_option_get(value, "type", "memdev", text, sizeof(text))) {
		line->numa_memdevs++;
		add_use(line, text, "-numa node,memdev");
	}
	return 0;
}

static int on_device(struct qemu_line *line, const char *value, struct error *err)
{
	char driver[64], text[QEMU_ID];
	uint64_t chassis;

	(void)err;
	if (!qemu_option_get(value, "driver", "driver", driver, sizeof(driver)))
		return 0;
	if (strcmp(driver, "isa-serial") == 0)
		line->serial = true;
	if (qemu_option_get(value, "driver", "chassis", text, sizeof(text)) &&
	    parse_u64(text, 0, 255, &chassis) == 0)
		line->chassis[chassis / 8] |= (uint8_t)BIT(chassis % 8);
	/* memory that is plugged in is the guest's memory too */
	if ((strcmp(driver, "pc-dimm") == 0 || strncmp(driver, "virtio-mem", 10) == 0) &&
	    qemu_option_get(value, "driver", "memdev", text, sizeof(text)))
		add_use(line, text,
			driver[0] == 'p' ? "-device pc-dimm,memdev" : "-device virtio-mem,memdev");
	return 0;
}

static int on_name(struct qemu_line *line, const char *value, struct error *err)
{
	(void)err;
	qemu_option_get(value, "guest", "guest", line->name, sizeof(line->name));
	return 0;
}

static int on_smp(struct qemu_line *line, const char *value, struct error *err)
{
	static const char *const parts[] = { "drawers",	 "books",   "sockets", "dies",
					     "clusters", "modules", "cores",   "threads" };
	char text[32];
	uint64_t n, product = 1;

	(void)err;
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		if (qemu_option_get(value, "cpus", parts[i], text, sizeof(text)) &&
		    parse_u64(text, 1, 4096, &n) == 0)
			product = MIN(product * n, 65535u);
	if (qemu_option_get(value, "cpus", "maxcpus", text, sizeof(text)) &&
	    parse_u64(text, 1, 65535, &n) == 0)
		product = n;
	if (qemu_option_get(value, "cpus", "cpus", text, sizeof(text)) &&
	    parse_u64(text, 1, 65535, &n) == 0)
		product = n;
	line->vcpus = (unsigned)product;
	return 0;
}

static int on_daemonize(struct qemu_line *line, const char *value, struct error *err)
{
	(void)value;
	(void)line;
	return error_set(err, -EINVAL,
			 "-daemonize cannot be used: anynic serves the guest's cards for as long "
			 "as QEMU is its child; leave it out, and "
			 "put anynic itself in the background");
}

static int on_serial(struct qemu_line *line, const char *value, struct error *err)
{
	(void)err;
	line->serial = true;
	if (strncmp(value, "mon:", 4) == 0) /* a monitor shares the line */
		line->monitor = true;
	return 0;
}

/* Options that only have to be noticed: the flag that they set. */
#define FLAG(f) NULL, offsetof(struct qemu_line, f)

static const struct line_option {
	const char *name;
	int (*read)(struct qemu_line *line, const char *value, struct error *err);
	size_t flag;
} line_options[] = {
	{ "m", on_m },
	{ "machine", on_machine },
	{ "M", on_machine },
	{ "accel", on_accel },
	{ "enable-kvm", FLAG(kvm) },
	{ "object", on_object },
	{ "numa", on_numa },
	{ "device", on_device },
	{ "name", on_name },
	{ "smp", on_smp },
	{ "daemonize", on_daemonize },
	{ "mem-path", FLAG(mem_path) },
	{ "S", FLAG(stopped) },
	{ "nodefaults", FLAG(nodefaults) },
	{ "incoming", FLAG(incoming) },
	{ "loadvm", FLAG(incoming) },
	{ "readconfig", FLAG(readconfig) },
	{ "nic", FLAG(network) },
	{ "net", FLAG(network) },
	{ "netdev", FLAG(network) },
	{ "monitor", FLAG(monitor) },
	{ "qmp", FLAG(monitor) },
	{ "qmp-pretty", FLAG(monitor) },
	{ "mon", FLAG(monitor) },
	{ "serial", on_serial },
	{ "nographic", FLAG(nographic) },
};

static int read_option(struct qemu_line *line, const char *name, const char *value,
		       struct error *err)
{
	for (unsigned i = 0; i < ARRAY_SIZE(line_options); i++) {
		const struct line_option *o = &line_options[i];

		if (strcmp(o->name, name) != 0)
			continue;
		if (o->read)
			return o->read(line, value, err);
		*((bool *)((char *)line + o->flag)) = true;
		return 0;
	}
	return 0;
}

/* The option at argv[*i] without its dashes, and its argument or ""; *i moves to the next word. NULL: a disk image. */
static const char *next_option(char *const *argv, int argc, int *i, const char **value)
{
	const char *name = argv[(*i)++];

	*value = "";
	if (name[0] != '-')
		return NULL;
	name += name[1] == '-' ? 2 : 1;
	enum qemu_option_kind kind = qemu_option_kind(name);
	/* of an option of a later QEMU, guess: a word that looks like an option is not its argument */
	if (*i < argc &&
	    (kind == QEMU_OPTION_TAKES || (kind == QEMU_OPTION_UNKNOWN && argv[*i][0] != '-')))
		*value = argv[(*i)++];
	return name;
}

static void set_target(struct qemu_line *line)
{
	const char *slash = strrchr(line->argv[0], '/');
	const char *base = slash ? slash + 1 : line->argv[0];
	struct utsname host;

	if (strncmp(base, "qemu-system-", 12) == 0)
		str_copy(line->target, sizeof(line->target), base + 12);
	else if (uname(&host) == 0) /* qemu-kvm, or a script around it */
		str_copy(line->target, sizeof(line->target), host.machine);
}

int qemu_line_parse(struct qemu_line *line, char *const *argv, int argc, struct error *err)
{
	*line = (struct qemu_line){
		.argv = argv, .argc = argc, .memory = QEMU_DEFAULT_MEMORY, .vcpus = 1
	};
	if (argc < 1 || argv[0][0] == '\0')
		return error_set(
			err, -EINVAL,
			"no QEMU command line; write it after --, as in: anynic run --nic auto -- "
			"qemu-system-x86_64 -m 1G disk.img");
	set_target(line);
	for (int i = 1; i < argc;) {
		const char *value, *name = next_option(argv, argc, &i, &value);
		int rc = name ? read_option(line, name, value, err) : 0;

		if (rc < 0)
			return rc;
	}
	if (line->memory_backend[0] != '\0')
		add_use(line, line->memory_backend, "-machine memory-backend");
	return 0;
}

bool qemu_line_has_id(const struct qemu_line *line, const char *option, const char *id)
{
	for (int i = 1; i < line->argc;) {
		const char *value, *name = next_option(line->argv, line->argc, &i, &value);
		char given[QEMU_ID];

		if (name && strcmp(name, option) == 0 &&
		    qemu_option_get(value, "driver", "id", given, sizeof(given)) &&
		    strcmp(given, id) == 0)
			return true;
	}
	return false;
}
