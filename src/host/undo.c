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
#include "host/netlink.h"
#include "host/ovs.h"

#define LINE_LONGEST 640
#define FILE_LONGEST (1 << 20)
#define TO_DO	     '+'
#define DONE	     '-'

const char *const undo_kind_names[] = {
	[UNDO_LINK] = "link",
	[UNDO_DEVICE] = "device",
	[UNDO_OVS_PORT] = "ovs-port",
	[UNDO_SOCKET] = "socket",
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
	if (s->below && l->parent != s->below)
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

/* The MAC goes back only where ours is still there; and a device that somebody else uses meanwhile stays up. */
static int give_back(struct netlink *nl, const struct undo_step *s, struct error *err)
{
	struct link_change change = { 0 };
	struct link l;
	char mac[MAC_TEXT];
	int rc = netlink_get(nl, s->below, &l);

	if (rc == -ENODEV || (rc == 0 && strcmp(l.name, s->name) != 0))
		return 0;
	if (rc == 0 && memcmp(l.mac, s->mac, MAC_LEN) == 0 &&
	    memcmp(s->mac, s->old_mac, MAC_LEN) != 0)
		change.mac = s->old_mac;
	change.down = s->was_down && l.up && !l.master;
	if (rc == 0 && !change.mac && !change.down)
		return 0;
	if (rc == 0)
		rc = netlink_change(nl, l.index, &change);
	if (rc == 0)
		return 1;
	return error_set(err, rc,
			 "%s cannot be given back as it was: %s; next, as root: ip link set %s "
			 "address %s",
			 s->name, strerror(-rc), s->name, mac_format(s->old_mac, mac));
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
	int rc = 0;

	if (step->kind == UNDO_LINK || step->kind == UNDO_DEVICE) {
		rc = netlink_open(&nl, err);
		if (rc < 0)
			return rc;
	}
	switch (step->kind) {
	case UNDO_LINK:
		rc = delete_link(&nl, step, err);
		break;
	case UNDO_DEVICE:
		rc = give_back(&nl, step, err);
		break;
	case UNDO_SOCKET:
		rc = remove_socket(step->text);
		break;
	case UNDO_OVS_PORT:
		rc = ovs_port_remove(step->name, step->text, step->port, err);
		break;
	default:
		break;
	}
	netlink_close(&nl);
	return rc;
}

/* --- the file ------------------------------------------------------------------------------------------------------ */

int undo_open(struct undo *u, const char *path, struct error *err)
{
	*u = (struct undo){ .fd = -1 };
	str_copy(u->path, sizeof(u->path), path);
	u->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (u->fd < 0)
		return error_set(err, -errno, "cannot make %s: %s", path, strerror(errno));
	return 0;
}

long undo_note(struct undo *u, const struct undo_step *step, struct error *err)
{
	char line[LINE_LONGEST];

	if (!u || u->fd < 0)
		return UNDO_NO_MARK;
	int len = format_line(line, sizeof(line), step);
	if (len < 0)
		return error_set(err, -EINVAL, "%s cannot be noted in %s", step->name, u->path);
	off_t at = lseek(u->fd, 0, SEEK_END);
	if (at < 0 || pwrite(u->fd, line, (size_t)len, at) != len)
		return error_set(err, -EIO, "cannot write %s: %s", u->path, strerror(errno));
	return (long)at;
}

/* One byte: a line is to do or done, never half. */
void undo_strike(struct undo *u, long mark)
{
	char done = DONE;

	if (u && u->fd >= 0 && mark >= 0 && pwrite(u->fd, &done, 1, mark) != 1)
		log_warning("cannot write %s: %s", u->path, strerror(errno));
}

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

/* Where each line that is to do begins. A line without its end was never finished, and what it speaks of never made. */
static unsigned find_lines(const char *text, size_t length, long *at, unsigned max)
{
	unsigned n = 0;

	for (size_t i = 0; i < length;) {
		const char *end = memchr(text + i, '\n', length - i);

		if (!end)
			break;
		if (text[i] == TO_DO && n < max)
			at[n++] = (long)i;
		i = (size_t)(end - text) + 1;
	}
	return n;
}

#define LINES_MAX 256

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
	int rc = undo_step_run(&step, &err);
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

unsigned undo_run(const char *path)
{
	struct undo u = { .fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) };
	long at[LINES_MAX];
	unsigned left = 0;
	size_t length = 0;

	if (u.fd < 0)
		return 0;
	str_copy(u.path, sizeof(u.path), path);
	char *text = read_file(u.fd, &length);
	unsigned n = text ? find_lines(text, length, at, LINES_MAX) : 0;
	while (n-- > 0)
		left += !run_line(text, &u, at[n]);
	free(text);
	fd_close(&u.fd);
	if (!left)
		unlink(path);
	return left;
}

void undo_close(struct undo *u)
{
	long at;
	size_t length = 0;

	if (u->fd <= 0)
		return;
	char *text = read_file(u->fd, &length);
	if (!text || find_lines(text, length, &at, 1) == 0)
		unlink(u->path);
	free(text);
	fd_close(&u->fd);
}
