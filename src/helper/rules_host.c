/* rules_host.c - the files of this host behind helper.conf: only what root alone can have written counts. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/rules.h"

static int check(const char *path, int fd, bool folder, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))
		return error_set(err, -EPERM, "%s is no %s", path, folder ? "folder" : "file");
	if (st.st_uid != 0)
		return error_set(err, -EPERM, "%s belongs to user %u; next: chown root %s", path,
				 (unsigned)st.st_uid, path);
	/* in a folder with the sticky bit nobody renames what is root's */
	if ((st.st_mode & 022) && !(folder && (st.st_mode & S_ISVTX)))
		return error_set(err, -EPERM,
				 "%s can be written by others than root; next: chmod go-w %s", path,
				 path);
	return 0;
}

/* Who may write the folder may put another file in its place. */
static int check_folder(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char folder[RULES_PATH];

	(void)snprintf(folder, sizeof(folder), "%.*s", slash ? (int)MAX(slash - path, 1) : 1,
		       slash ? path : ".");
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", folder, strerror(errno));
	int rc = check(folder, fd, true, err);
	close(fd);
	return rc;
}

static int open_checked(const char *path, struct error *err)
{
	int rc = check_folder(path, err);

	if (rc < 0)
		return rc;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path,
				 errno == ELOOP ? "is a symbolic link" : strerror(errno));
	rc = check(path, fd, false, err);
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* The two files and no service behind the C library: that would load code and talk to other processes, here, as root. */
static int find_id(const char *name, bool group, uint32_t *id)
{
	FILE *f = fopen(group ? "/etc/group" : "/etc/passwd", "re");
	int rc = -ENOENT;

	if (!f)
		return rc;
	while (rc < 0) {
		const struct passwd *p = group ? NULL : fgetpwent(f);
		const struct group *g = group ? fgetgrent(f) : NULL;

		if (!p && !g)
			break;
		if (strcmp(p ? p->pw_name : g->gr_name, name) != 0)
			continue;
		*id = p ? p->pw_uid : g->gr_gid;
		rc = 0;
	}
	(void)fclose(f);
	return rc;
}

const struct rules_source rules_host = { open_checked, find_id };
