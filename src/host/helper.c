#include "host/helper.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Seen from the folder of the running program: installed side by side or under one prefix (which DESTDIR may have moved), or a build tree
 * (build/anynic, build/src/cli/anynic).
 */
static const char *const near[] = { "",	   "/../libexec/anynic", "/src",	"/src/datapath",
				    "/..", "/../datapath",	 "/src/helper", "/../helper" };

static bool usable(const char *path)
{
	return access(path, X_OK) == 0;
}

static bool find_near(const char *program, char *path, size_t size)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return false;
	self[n] = '\0';
	char *slash = strrchr(self, '/');
	if (!slash)
		return false;
	*slash = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(near); i++) {
		int len = snprintf(path, size, "%s%s/%s", self, near[i], program);

		if (len > 0 && (size_t)len < size && usable(path))
			return true;
	}
	return false;
}

int host_helper_find(const char *program, char *path, size_t size, struct error *err)
{
	const char *folder = getenv("ANYNIC_LIBEXEC");

	if (!folder && find_near(program, path, size))
		return 0;
	if (!folder)
		folder = ANYNIC_LIBEXECDIR;
	int len = snprintf(path, size, "%s/%s", folder, program);
	if (len > 0 && (size_t)len < size && usable(path))
		return 0;
	return error_set(err, -ENOENT,
			 "%s is not in %s; next: install anynic, or set ANYNIC_LIBEXEC to the "
			 "folder that has it",
			 program, folder);
}
