#include "host/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "host/bandwidth.h"
#include "host/netlink.h"
#include "host/ovs.h"
#include "host/script.h"
#include "host/vf_undo.h"

#define LINE_LONGEST 640
#define FILE_LONGEST (1 << 20)
#define TO_DO	     '+'
#define DONE	     '-'

const char *const undo_kind_names[] = {
	[UNDO_LINK] = "link",	  [UNDO_TAP] = "tap",
	[UNDO_DEVICE] = "device", [UNDO_OVS_PORT] = "ovs-port",
	[UNDO_SOCKET] = "socket", [UNDO_POOL] = "pool",
	[UNDO_DRIVER] = "driver", [UNDO_SCRIPT] = "script",
	[UNDO_LIMITS] = "limits", [UNDO_VF] = "vf",
};
NAMES_MATCH(undo_kind_names, UNDO_KIND_COUNT);

/* --- lines ------------------------------------------------------------------------------------------------------- */

/* Which network namespace this is: its inode. */
static unsigned long long namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? (unsigned long long)st.st_ino : 0;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ')
			return false;
	return true;
}

/* Fields between tabs: state, kind, namespace, name, below, mac, old mac, was down, port, text. */
static int format_line(char *to, size_t size, const struct undo_step *s)
{
	char mac[MAC_TEXT], old[MAC_TEXT];

	if (!is_plain(s->name) || !is_plain(s->port) || !is_plain(s->text))
		return -EINVAL;
	int len = snprintf(to, size, "%c\t%s\t%llu\t%s\t%u\t%s\t%s\t%d\t%s\t%s\n", TO_DO,
			   undo_kind_names[s->kind], namespace(), s->name, s->below,
			   mac_format(s->mac, mac), mac_format(s->old_mac, old), s->was_down,
			   s->port, s->text);
	return len > 0 && (size_t)len < size ? len : -ENAMETOOLONG;
}

enum field {
	F_STATE,
	F_KIND,
	F_NAMESPACE,
	F_NAME,
	F_BELOW,
	F_MAC,
	F_OLD_MAC,
	F_WAS_DOWN,
	F_PORT,
	F_TEXT,
	FIELDS
};

/* False for a line that is no line of ours, or is not meant for this namespace. Cuts the line up. */
static bool parse_line(char *line, struct undo_step *s)
{
	char *field[FIELDS];
	uint64_t number, below;
	unsigned n = 0;

	*s = (struct undo_step){ 0 };
	for (char *rest = line; rest && n < FIELDS;)
		field[n++] = strsep(&rest, "\t");
	if (n != FIELDS)
		return false;
	int kind = name_find(undo_kind_names, UNDO_KIND_COUNT, field[F_KIND]);
	if (kind < 0 || parse_u64(field[F_NAMESPACE], 0, UINT64_MAX, &number) < 0 ||
	    number != namespace() || parse_u64(field[F_BELOW], 0, UINT32_MAX, &below) < 0 ||
	    mac_parse(field[F_MAC], s->mac) < 0 || mac_parse(field[F_OLD_MAC], s->old_mac) < 0)
		return false;
	s->kind = (enum undo_kind)kind;
	s->below = (unsigned)below;
	s->was_down = strcmp(field[F_WAS_DOWN], "1") == 0;
	return str_copy(s->name, sizeof(s->name), field[F_NAME]) &&
	       str_copy(s->port, sizeof(s->port), field[F_PORT]) &&
	       str_copy(s->text, sizeof(s->text), field[F_TEXT]);
}

/* --- taking back --------------------------------------------------------------------------------------------------- */

/* Ours: the alias says so. One that was just made has none yet, but sits where we put it, with our MAC. */
static bool is_our_link(const struct link *l, const struct undo_step *s)
{
	if (strcmp(l->kind, "macvtap") != 0 && strcmp(l->kind, "tun") != 0)
		return false;
	if (s->kind == UNDO_TAP && l->index != s->below)
		return false;
	if (s->kind == UNDO_LINK && s->below && l->parent != s->below)
		return false;
	if (l->alias[0])
		return strcmp(l->alias, s->text) == 0;
	return !l->up && memcmp(l->mac, s->mac, MAC_LEN) == 0;
}

static int delete_link(struct netlink *nl, const struct undo_step *s, struct error *err)
{
	struct link l;
	int rc = netlink_find(nl, s->name, &l);

	if (rc == -ENODEV || (rc == 0 && !is_our_link(&l, s)))
		return 0;
	if (rc == 0)
		rc = netlink_delete(nl, l.index);
	if (rc == 0 || rc == -ENODEV)
		return 1;
	return error_set(
		err, rc,
		"%s was left behind and cannot be deleted: %s; next, as root: ip link del %s",
		s->name, strerror(-rc), s->name);
}

struct device_use {
	unsigned device;
	const char *ours; /* alias */
};

static bool is_anothers(const struct link *l, const void *context)
{
	const struct device_use *use = context;

	/* to a veth, its parent is the other end */
	return l->parent == use->device && strcmp(l->kind, "veth") != 0 &&
	       strcmp(l->alias, use->ours) != 0;
}

/* Once, whatever comes of it. */
static int run_down(const struct undo_step *s)
{
	struct backend_spec spec = { 0 };
	struct error err = { 0 };

	str_copy(spec.downscript, sizeof(spec.downscript), s->text);
	if (host_script_look(&spec, &err) < 0 || host_script_run(s->text, s->name, &err) < 0)
		log_warning("%s", err.text);
	return 1;
}

static int take_limits(struct netlink *nl, const struct undo_step *s)
{
	struct link l;

	if (netlink_get(nl, s->below, &l) < 0 || strcmp(l.name, s->name) != 0)
		return 0;
	return bandwidth_clear(nl, l.index, strstr(s->text, UNDO_SENDS),
			       strstr(s->text, UNDO_RECEIVES));
}

/* Somebody else's macvtap, or VLAN, or bridge. */
static bool used_by_another(struct netlink *nl, const struct link *device, const char *ours)
{
	const struct device_use use = { device->index, ours };
	struct link other;

	return device->master || netlink_list(nl, is_anothers, &use, &other, 1) > 0;
}

/* Down first: there are drivers that take no MAC while they are up. */
static int change_back(struct netlink *nl, unsigned index, bool down, const uint8_t *mac)
{
	const struct link_change first = { .down = true }, then = { .mac = mac };
	int rc = down ? netlink_change(nl, index, &first) : 0;

	return rc == 0 && mac ? netlink_change(nl, index, &then) : rc;
}

/* The MAC goes back only where ours is still there; and a device that somebody else uses meanwhile stays up. */
static int give_back(struct netlink *nl, const struct undo_step *s, struct error *err)
{
	const uint8_t *mac = NULL;
	struct link l;
	char text[MAC_TEXT];
	int rc = netlink_get(nl, s->below, &l);

	if (rc == -ENODEV || (rc == 0 && strcmp(l.name, s->name) != 0))
		return 0;
	if (rc == 0 && memcmp(l.mac, s->mac, MAC_LEN) == 0 &&
	    memcmp(s->mac, s->old_mac, MAC_LEN) != 0)
		mac = s->old_mac;
	bool down = rc == 0 && s->was_down && l.up && !used_by_another(nl, &l, s->text);
	if (rc == 0 && !mac && !down)
		return 0;
	if (rc == 0)
		rc = change_back(nl, l.index, down, mac);
	if (rc == 0)
		return 1;
	return error_set(err, rc,
			 "%s cannot be given back as it was: %s; next, as root: ip link set %s "
			 "address %s",
			 s->name, strerror(-rc), s->name, mac_format(s->old_mac, text));
}

static int remove_socket(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;

	if (!str_copy(at.sun_path, sizeof(at.sun_path), path) || lstat(path, &st) < 0 ||
	    !S_ISSOCK(st.st_mode))
		return 0;
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool dead = probe >= 0 && connect(probe, (const struct sockaddr *)&at, sizeof(at)) < 0 &&
		    errno == ECONNREFUSED;
	fd_close(&probe);
	return dead && unlink(path) == 0;
}

int undo_step_run(const struct undo_step *step, struct error *err)
{
	struct netlink nl = { 0 };
	struct vf_host host;
	int rc = 0;

	vf_host_init(&host);
	if (step->kind == UNDO_LINK || step->kind == UNDO_TAP || step->kind == UNDO_DEVICE ||
	    step->kind == UNDO_LIMITS) {
		rc = netlink_open(&nl, err);
		if (rc < 0)
			return rc;
	}
	switch (step->kind) {
	case UNDO_LINK:
	case UNDO_TAP:
		rc = delete_link(&nl, step, err);
		break;
	case UNDO_DEVICE:
		rc = give_back(&nl, step, err);
		break;
	case UNDO_LIMITS:
		rc = take_limits(&nl, step);
		break;
	case UNDO_SCRIPT:
		rc = run_down(step);
		break;
	case UNDO_SOCKET:
		rc = remove_socket(step->text);
		break;
	case UNDO_OVS_PORT:
		rc = ovs_port_remove(step->name, step->text, step->port, err);
		break;
	case UNDO_POOL:
		rc = vf_pool_release(&host, step->name, step->text, step->port, err);
		break;
	case UNDO_DRIVER:
		rc = vf_driver_give_back(&host, step, err);
		break;
	case UNDO_VF:
		rc = vf_settings_give_back(&host, step, err);
		break;
	default:
		break;
	}
	netlink_close(&nl);
	return rc;
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

/* The whole file with a NUL; NULL when there is nothing to read. */
static char *read_file(int fd, size_t *length)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > FILE_LONGEST)
		return NULL;
	char *text = malloc((size_t)st.st_size + 1);
	ssize_t got = text ? pread(fd, text, (size_t)st.st_size, 0) : -1;
	if (got < 0) {
		free(text);
		return NULL;
	}
	text[got] = '\0';
	*length = (size_t)got;
	return text;
}

/* What a killed writer did not finish goes, or the next line would be part of it. */
static int drop_half_line(int fd)
{
	size_t length = 0;
	char *text = read_file(fd, &length);
	const char *newline = text ? memrchr(text, '\n', length) : NULL;
	size_t whole = newline ? (size_t)(newline - text) + 1 : 0;

	int rc = text && whole < length && ftruncate(fd, (off_t)whole) < 0 ? -errno : 0;
	free(text);
	return rc;
}

static int open_file(struct undo *u, struct error *err)
{
	u->fd = open(u->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc = u->fd < 0 ? -errno : drop_half_line(u->fd);
	if (rc == 0)
		return 0;
	fd_close(&u->fd);
	return error_set(err, rc, "cannot make %s: %s", u->path, strerror(-rc));
}

void undo_init(struct undo *u, const char *path)
{
	*u = (struct undo){ .fd = -1 };
	str_copy(u->path, sizeof(u->path), path);
}

int undo_open(struct undo *u, const char *path, struct error *err)
{
	undo_init(u, path);
	return open_file(u, err);
}

long undo_note(struct undo *u, const struct undo_step *step, struct error *err)
{
	char line[LINE_LONGEST];

	if (!u)
		return UNDO_NO_MARK;
	int rc = u->fd < 0 ? open_file(u, err) : 0;
	if (rc < 0)
		return rc < UNDO_NO_MARK ? rc : -EACCES; /* -EPERM is the mark of no journal */
	int len = format_line(line, sizeof(line), step);
	if (len < 0)
		return error_set(err, -EINVAL, "%s cannot be noted in %s", step->name, u->path);
	off_t at = lseek(u->fd, 0, SEEK_END);
	ssize_t wrote = at < 0 ? -1 : pwrite(u->fd, line, (size_t)len, at);
	if (wrote == len)
		return (long)at;
	int code = wrote < 0 ? errno : ENOSPC;
	if (wrote > 0 && ftruncate(u->fd, at) < 0)
		code = errno;
	return error_set(err, -EIO, "cannot write %s: %s", u->path, strerror(code));
}

/* One byte: a line is to do or done, never half. */
void undo_strike(struct undo *u, long mark)
{
	char done = DONE;

	if (u && u->fd >= 0 && mark >= 0 && pwrite(u->fd, &done, 1, mark) != 1)
		log_warning("cannot write %s: %s", u->path, strerror(errno));
}

/* Where the last line that is to do begins, of those before `end`; -1 = there is none. A line without its end was never finished, and
 * what it speaks of never made. */
static long last_line(const char *text, size_t end)
{
	const char *newline = end ? memrchr(text, '\n', end) : NULL;

	while (newline) {
		const char *before =
			newline == text ? NULL : memrchr(text, '\n', (size_t)(newline - text));
		const char *begin = before ? before + 1 : text;

		if (*begin == TO_DO)
			return (long)(begin - text);
		newline = before;
	}
	return -1;
}

/* Links and devices tell by themselves whose they are, when they are taken back. */
static bool has_another_owner(const struct undo_step *step)
{
	struct vf_host host;

	vf_host_init(&host);
	if (step->kind != UNDO_VF || !vf_is_anothers(&host, step))
		return false;
	log_warning("%s has another MAC than a killed anynic gave it: it is left as it is",
		    step->name);
	return true;
}

static bool run_line(const char *text, struct undo *u, long at)
{
	struct error err = { 0 };
	struct undo_step step;
	char line[LINE_LONGEST];
	size_t length = strcspn(text + at, "\n");

	if (length >= sizeof(line))
		return false;
	memcpy(line, text + at, length);
	line[length] = '\0';
	if (!parse_line(line, &step))
		return false;
	int rc = has_another_owner(&step) ? 0 : undo_step_run(&step, &err);
	if (rc < 0) {
		log_warning("%s", err.text);
		return false;
	}
	if (rc > 0)
		log_info("a killed anynic had left %s %s: put in order", undo_kind_names[step.kind],
			 step.name[0] ? step.name : step.text);
	undo_strike(u, at);
	return true;
}

/* What stands in it is done with all rights that we have, programs to run among it. */
static bool is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 022);
}

unsigned undo_run(const char *path)
{
	struct undo u = { .fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) };
	unsigned left = 0;
	size_t length = 0;
	struct stat st;

	if (u.fd < 0)
		return 0;
	if (!is_ours(u.fd)) {
		log_warning("%s could have been written by somebody else: it is not carried out",
			    path);
		fd_close(&u.fd);
		return 1;
	}
	str_copy(u.path, sizeof(u.path), path);
	char *text = read_file(u.fd, &length);
	if (!text) /* empty, or it cannot be read: then it stays */
		left = fstat(u.fd, &st) < 0 || st.st_size > 0;
	long at = text ? last_line(text, length) : -1;
	for (; at >= 0; at = last_line(text, (size_t)at))
		left += !run_line(text, &u, at);
	free(text);
	fd_close(&u.fd);
	if (!left)
		unlink(path);
	return left;
}

void undo_close(struct undo *u)
{
	size_t length = 0;

	if (u->fd <= 0)
		return;
	char *text = read_file(u->fd, &length);
	if (text ? last_line(text, length) < 0 : lseek(u->fd, 0, SEEK_END) == 0)
		unlink(u->path);
	free(text);
	fd_close(&u->fd);
}
