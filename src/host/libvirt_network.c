#include "host/libvirt_network.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define FILE_LONGEST 262144
#define NAME_LONGEST 63

/* --- tags: as much of XML as a file needs that libvirt wrote itself ---------------------------------------------- */

struct tag {
	char name[32];
	bool closes;	   /* </name> */
	bool empty;	   /* <name/> */
	const char *words; /* its attributes */
	const char *end;   /* behind them */
};

static const char *skip_past(const char *at, const char *mark)
{
	const char *found = strstr(at, mark);

	return found ? found + strlen(mark) : NULL;
}

/* The '>' that ends a tag: one in quotes does not. */
static const char *find_end(const char *at)
{
	char quote = '\0';

	for (; *at; at++) {
		if (quote)
			quote = *at == quote ? '\0' : quote;
		else if (*at == '"' || *at == '\'')
			quote = *at;
		else if (*at == '>')
			return at;
		else if (*at == '<')
			return NULL;
	}
	return NULL;
}

static bool read_tag(const char *at, const char *end, struct tag *t)
{
	size_t length = 0;

	*t = (struct tag){ .closes = *at == '/' };
	at += t->closes;
	while (at + length < end &&
	       (isalnum((unsigned char)at[length]) || strchr("_:-.", at[length])))
		length++;
	if (length == 0)
		return false;
	size_t kept = MIN(length, sizeof(t->name) - 1);
	memcpy(t->name, at, kept);
	t->empty = end[-1] == '/';
	t->words = at + length;
	t->end = end - t->empty;
	return true;
}

/* 1 and the next tag, 0 at the end, -EBADMSG. *at moves on. A document type could name other files: refused. */
static int next_tag(const char **at, struct tag *t)
{
	for (;;) {
		const char *p = strchr(*at, '<');

		if (!p)
			return 0;
		p++;
		if (strncmp(p, "!--", 3) == 0)
			p = skip_past(p + 3, "-->");
		else if (*p == '?')
			p = skip_past(p, "?>");
		else if (*p == '!')
			return -EBADMSG;
		else
			break;
		if (!p)
			return -EBADMSG;
		*at = p;
	}
	const char *begin = strchr(*at, '<') + 1, *end = find_end(begin);
	if (!end || !read_tag(begin, end, t))
		return -EBADMSG;
	*at = end + 1;
	return 1;
}

static const char *skip_blanks(const char *at, const char *end)
{
	while (at < end && isspace((unsigned char)*at))
		at++;
	return at;
}

/* The value of an attribute, "" when it has none or one that is no plain name. */
static void get_word(const struct tag *t, const char *name, char *to, size_t size)
{
	const char *at = t->words;

	to[0] = '\0';
	while ((at = skip_blanks(at, t->end)) < t->end) {
		const char *word = at;
		while (at < t->end && *at != '=' && !isspace((unsigned char)*at))
			at++;
		size_t length = (size_t)(at - word);
		at = skip_blanks(at, t->end);
		if (at == t->end || *at != '=')
			return;
		at = skip_blanks(at + 1, t->end);
		if (at == t->end || (*at != '"' && *at != '\''))
			return;
		const char *value = at + 1;
		const char *close = memchr(value, *at, (size_t)(t->end - value));
		if (!close)
			return;
		size_t n = (size_t)(close - value);
		if (length == strlen(name) && strncmp(word, name, length) == 0) {
			if (n < size && !memchr(value, '&', n)) {
				memcpy(to, value, n);
				to[n] = '\0';
			}
			return;
		}
		at = close + 1;
	}
}

/* A number as libvirt writes it, 0x03; 0 when it is none. */
static unsigned get_hex(const struct tag *t, const char *name, unsigned most)
{
	char word[16];
	uint64_t number;

	get_word(t, name, word, sizeof(word));
	return parse_u64(word, 0, most, &number) == 0 ? (unsigned)number : 0;
}

static void take_address(const struct tag *t, struct libvirt_network *out)
{
	char type[8];

	get_word(t, "type", type, sizeof(type));
	if (strcmp(type, "pci") != 0 || out->pcis == LIBVIRT_NETWORK_FUNCTIONS)
		return;
	(void)snprintf(out->pci[out->pcis++], sizeof(out->pci[0]), "%04x:%02x:%02x.%x",
		       get_hex(t, "domain", 0xffff), get_hex(t, "bus", 0xff),
		       get_hex(t, "slot", 0x1f), get_hex(t, "function", 7));
}

/* --- the network --------------------------------------------------------------------------------------------------- */

static void take_tag(const struct tag *t, unsigned depth, bool in_forward,
		     struct libvirt_network *out)
{
	if (depth == 1 && strcmp(t->name, "bridge") == 0)
		get_word(t, "name", out->bridge, sizeof(out->bridge));
	if (depth == 1 && strcmp(t->name, "forward") == 0) {
		get_word(t, "mode", out->forward, sizeof(out->forward));
		if (!out->forward[0])
			str_copy(out->forward, sizeof(out->forward), "nat"); /* libvirt's default */
		get_word(t, "dev", out->dev, sizeof(out->dev));
	}
	if (depth == 2 && in_forward && !out->dev[0] &&
	    (strcmp(t->name, "interface") == 0 || strcmp(t->name, "pf") == 0))
		get_word(t, "dev", out->dev, sizeof(out->dev));
	if (depth == 2 && in_forward && strcmp(t->name, "address") == 0)
		take_address(t, out);
}

int libvirt_network_parse(const char *text, struct libvirt_network *out)
{
	unsigned depth = 0;
	bool in_forward = false, seen = false;
	struct tag t;
	int rc;

	*out = (struct libvirt_network){ 0 };
	while ((rc = next_tag(&text, &t)) == 1) {
		if (t.closes) {
			if (depth-- == 0)
				return -EBADMSG;
			continue;
		}
		if (depth == 0 && (seen || strcmp(t.name, "network") != 0))
			return -EBADMSG;
		seen = true;
		if (depth == 1)
			in_forward = strcmp(t.name, "forward") == 0;
		take_tag(&t, depth, in_forward, out);
		depth += !t.empty;
	}
	return rc == 0 && depth == 0 && seen ? 0 : -EBADMSG;
}

/* A name that a file can have without leading anywhere else. */
static bool is_file_name(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= NAME_LONGEST && name[0] != '.' && !strchr(name, '/');
}

static int read_text(int fd, char **text)
{
	struct stat st;

	*text = NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return -EBADMSG;
	if (st.st_size > FILE_LONGEST)
		return -EFBIG;
	*text = calloc(1, (size_t)st.st_size + 1);
	if (!*text)
		return -ENOMEM;
	ssize_t n = pread(fd, *text, (size_t)st.st_size, 0);
	return n == st.st_size && !memchr(*text, '\0', (size_t)n) ? 0 : -EBADMSG;
}

int libvirt_network_read(const char *folder, const char *name, struct libvirt_network *out,
			 struct error *err)
{
	char path[300], *text;

	*out = (struct libvirt_network){ 0 };
	if (!is_file_name(name))
		return error_set(err, -ENOENT, "'%.80s' is no name of a network", name);
	snprintf(path, sizeof(path), "%.200s/%s.xml", folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	int rc = read_text(fd, &text);
	if (rc == 0)
		rc = libvirt_network_parse(text, out);
	free(text);
	close(fd);
	return rc < 0 ? error_set(err, rc, "%s is no network of libvirt's", path) : 0;
}
