#include "helper/rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX    12
#define LINE_LONGEST 256

static const char *const modes[] = { "vepa", "bridge", "private", "passthrough" };
#define MODE_PASSTHROUGH BIT(3)
#define MODES_ALL	 (BIT(ARRAY_SIZE(modes)) - 1)

/* What is being read: one file of them, and where in it. */
struct reading {
	struct rules *rules;
	const struct rules_source *source;
	unsigned file, line, depth;
	char text[LINE_LONGEST]; /* of the line; the words are in it */
	char *word[WORDS_MAX];
	unsigned words, at;
	struct error *err;
};

static int read_file(struct reading *outer, const char *path);

/* --- one line ---------------------------------------------------------------------------------------------------- */

static int refuse(const struct reading *r, const char *fmt, ...) PRINTF(2, 3);
static int refuse(const struct reading *r, const char *fmt, ...)
{
	char what[200];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return error_set(r->err, -EBADMSG, "%s:%u: %s", r->rules->file[r->file], r->line, what);
}

static const char *next_word(struct reading *r)
{
	return r->at < r->words ? r->word[r->at++] : NULL;
}

/* `user NAME`, `group NAME`, or nothing: then the line ends here. */
static int read_who(struct reading *r, enum rule_who *who, uint32_t *id)
{
	const char *word = next_word(r);
	uint64_t number;

	*who = WHO_ALL;
	if (!word)
		return 0;
	bool group = strcmp(word, "group") == 0;
	if (!group && strcmp(word, "user") != 0)
		return refuse(
			r, "%.40s is not legal here; only `user NAME` or `group NAME` may follow",
			word);
	const char *name = next_word(r);
	if (!name)
		return refuse(r, "%s needs a name", word);
	if (next_word(r))
		return refuse(r, "nothing may follow `%s %.40s`", word, name);
	*who = group ? WHO_GROUP : WHO_USER;
	if (parse_u64(name, 0, UINT32_MAX - 1, &number) == 0) {
		*id = (uint32_t)number;
		return 0;
	}
	if (r->source->id(name, group, id) < 0)
		return refuse(r,
			      "there is no %s %.40s in %s; one that comes from elsewhere is given "
			      "by number",
			      word, name, group ? "/etc/group" : "/etc/passwd");
	return 0;
}

static unsigned read_modes(struct reading *r)
{
	unsigned mask = 0;

	while (r->at < r->words) {
		int mode = name_find(modes, ARRAY_SIZE(modes), r->word[r->at]);

		if (mode < 0)
			break;
		mask |= BIT((unsigned)mode);
		r->at++;
	}
	return mask;
}

static int read_pattern(struct reading *r, struct rule *rule, const char *word)
{
	if (strcmp(word, "all") == 0)
		word = "*";
	if (strchr(word, '/') || !str_copy(rule->pattern, sizeof(rule->pattern), word))
		return refuse(r,
			      "%.40s is no name of an interface: at most 15 characters, no slash",
			      word);
	return 0;
}

/* The words behind `allow` or `deny`. */
static int read_rule(struct reading *r, bool deny)
{
	struct rule rule = { .deny = deny, .ask = HELPER_BRIDGE, .file = r->file, .line = r->line };
	const char *word = next_word(r);

	if (!word)
		return refuse(r, "%s needs to say what: bridge, direct or tap, and a name",
			      r->word[0]);
	int ask = name_find(helper_ask_names, HELPER_REJOIN, word);
	if (ask >= 0) {
		rule.ask = (enum helper_ask)ask;
		word = next_word(r);
		if (!word)
			return refuse(r, "%s %s needs a name", r->word[0], r->word[1]);
	} else if (deny && strcmp(word, "all") == 0) {
		rule.everything = true;
	}
	int rc = read_pattern(r, &rule, word);
	if (rc < 0)
		return rc;
	if (rule.ask == HELPER_DIRECT)
		rule.modes = read_modes(r);
	if (!rule.modes)
		rule.modes = deny ? MODES_ALL : MODES_ALL & ~MODE_PASSTHROUGH;
	rc = read_who(r, &rule.who, &rule.id);
	if (rc < 0)
		return rc;
	if (r->rules->count == RULES_MAX)
		return refuse(r, "more than %d lines that allow or deny", RULES_MAX);
	r->rules->rule[r->rules->count++] = rule;
	return 0;
}

static int read_quota(struct reading *r)
{
	const char *word = next_word(r);
	struct quota quota = { 0 };
	uint64_t number = 0;

	if (!word || parse_u64(word, 0, QUOTA_MOST, &number) < 0)
		return refuse(r, "quota needs a number from 0 to %d", QUOTA_MOST);
	quota.most = (unsigned)number;
	int rc = read_who(r, &quota.who, &quota.id);
	if (rc < 0)
		return rc;
	if (r->rules->quotas == RULES_MAX)
		return refuse(r, "more than %d quotas", RULES_MAX);
	r->rules->quota[r->rules->quotas++] = quota;
	return 0;
}

/* Relative to the folder of the first file, and never out of it: what else lies on this host is not the rules' business. */
static int read_include(struct reading *r)
{
	const char *word = next_word(r), *first = r->rules->file[0];
	const char *slash = strrchr(first, '/');
	int folder = slash ? (int)(slash - first) + 1 : 0;
	char path[RULES_PATH];

	if (!word || next_word(r))
		return refuse(r, "include needs the name of one file");
	if (word[0] == '/' && folder && strncmp(word, first, (size_t)folder) == 0)
		word += folder;
	if (word[0] == '/' || strstr(word, ".."))
		return refuse(r, "include %.80s: only files in the folder of %.80s can be included",
			      word, first);
	int length = snprintf(path, sizeof(path), "%.*s%s", folder, first, word);
	if (length < 0 || (size_t)length >= sizeof(path))
		return refuse(r, "include %.40s...: the name is too long", word);
	if (r->depth + 1 == RULES_DEPTH)
		return refuse(r, "include %.80s: more than %d files inside each other", word,
			      RULES_DEPTH - 1);
	int rc = read_file(r, path);
	if (rc < 0 && r->err)
		error_prefix(r->err, "included by %s:%u", r->rules->file[r->file], r->line);
	return rc;
}

static int read_line(struct reading *r, char *line)
{
	char *rest = line, *word;

	line[strcspn(line, "#")] = '\0';
	r->words = r->at = 0;
	while ((word = strsep(&rest, " \t\r")))
		if (*word) {
			if (r->words == WORDS_MAX)
				return refuse(r, "more than %d words", WORDS_MAX);
			r->word[r->words++] = word;
		}
	const char *verb = next_word(r);
	if (!verb)
		return 0;
	if (strcmp(verb, "allow") == 0 || strcmp(verb, "deny") == 0)
		return read_rule(r, verb[0] == 'd');
	if (strcmp(verb, "include") == 0)
		return read_include(r);
	if (strcmp(verb, "quota") == 0)
		return read_quota(r);
	return refuse(r, "a line begins with allow, deny, quota or include");
}

/* --- a text, a file ---------------------------------------------------------------------------------------------- */

static int read_text(struct reading *r, const char *text, size_t length)
{
	char *line = r->text;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < length;) {
		const char *end = memchr(text + at, '\n', length - at);
		size_t n = end ? (size_t)(end - text) - at : length - at;

		r->line++;
		if (n >= sizeof(r->text))
			return refuse(r, "the line is longer than %d characters", LINE_LONGEST - 1);
		memcpy(line, text + at, n);
		line[n] = '\0';
		for (size_t i = 0; i < n; i++)
			if ((unsigned char)line[i] < ' ' && line[i] != '\t' && line[i] != '\r')
				return refuse(r, "a control character");
		rc = read_line(r, line);
		at += n + 1;
	}
	return rc;
}

/* Notes the name of the file that `r` is about to read. */
static int name_file(struct reading *r, const char *path)
{
	if (r->rules->files == RULES_FILES)
		return error_set(r->err, -EBADMSG, "%s: more than %d files", path, RULES_FILES);
	r->file = r->rules->files++;
	if (str_copy(r->rules->file[r->file], RULES_PATH, path))
		return 0;
	return error_set(r->err, -ENAMETOOLONG, "%.80s...: the name is too long", path);
}

static int read_file(struct reading *outer, const char *path)
{
	struct reading r = { .rules = outer->rules,
			     .source = outer->source,
			     .depth = outer->depth + 1,
			     .err = outer->err };
	char text[RULES_SIZE + 1];
	size_t length = 0;
	ssize_t n = 1;

	int rc = name_file(&r, path);
	int fd = rc < 0 ? rc : r.source->open(path, r.err);
	if (fd < 0)
		return fd;
	while (n > 0 && length < sizeof(text)) {
		n = read(fd, text + length, sizeof(text) - length);
		length += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (n < 0)
		return error_set(r.err, -EIO, "%s: cannot be read", path);
	if (length > RULES_SIZE)
		return error_set(r.err, -EFBIG, "%s: larger than %d bytes", path, RULES_SIZE);
	return read_text(&r, text, length);
}

/* Half a file's rules are nobody's wish. */
static int finish(struct rules *rules, int rc)
{
	if (rc < 0)
		rules->count = rules->quotas = 0;
	return rc;
}

int rules_load(struct rules *rules, const char *path, const struct rules_source *source,
	       struct error *err)
{
	struct error local = { 0 };
	struct reading start = { .rules = rules, .source = source, .depth = 0, .err = err };

	if (!err)
		start.err = &local;
	rules->count = rules->quotas = rules->files = 0;
	return finish(rules, read_file(&start, path));
}

int rules_parse(struct rules *rules, const char *path, const char *text, size_t length,
		const struct rules_source *source, struct error *err)
{
	struct error local = { 0 };
	struct reading r = { .rules = rules, .source = source, .depth = 1, .err = err };

	if (!err)
		r.err = &local;
	rules->count = rules->quotas = rules->files = 0;
	int rc = name_file(&r, path);
	return finish(rules, rc < 0 ? rc : read_text(&r, text, length));
}

/* --- judging ----------------------------------------------------------------------------------------------------- */

bool pattern_fits(const char *pattern, const char *text)
{
	const char *star = NULL, *retry = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = ++pattern;
			retry = text;
		} else if (*pattern == '?' || *pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star;
			text = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool who_fits(enum rule_who who, uint32_t id, const struct peer *peer)
{
	return who == WHO_ALL || (who == WHO_USER ? peer->uid == id : peer_in_group(peer, id));
}

static bool rule_fits(const struct rule *rule, const struct peer *peer, enum helper_ask ask,
		      const char *name, unsigned mode)
{
	if (!who_fits(rule->who, rule->id, peer))
		return false;
	return rule->everything || (rule->ask == ask && pattern_fits(rule->pattern, name) &&
				    (ask != HELPER_DIRECT || (rule->modes & mode)));
}

static int judge(const struct rules *rules, const struct peer *peer, enum helper_ask ask,
		 const char *name, unsigned mode, struct error *err)
{
	const char *file = rules->files ? rules->file[0] : HELPER_CONFIG;
	bool allowed = false;

	for (unsigned i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rule[i];

		if (!rule_fits(rule, peer, ask, name, mode))
			continue;
		if (rule->deny)
			return error_set(
				err, -EPERM,
				"%s:%u denies %s %s to user %u; next: ask for another one, "
				"or have your administrator change that line",
				rules->file[rule->file], rule->line, helper_ask_names[ask], name,
				(unsigned)peer->uid);
		allowed = true;
	}
	if (allowed)
		return 0;
	const char *word = ask == HELPER_DIRECT ? modes[__builtin_ctz(mode)] : "";
	return error_set(
		err, -EPERM,
		"%s does not allow %s %s%s%s to user %u; next, as root, add the line: allow "
		"%s %s %s%suser %u",
		file, helper_ask_names[ask], name, *word ? " mode=" : "", word, (unsigned)peer->uid,
		helper_ask_names[ask], name, word, *word ? " " : "", (unsigned)peer->uid);
}

#define NAME_UNCHOSEN "anynic0" /* stands for those that the helper chooses */

/* The bridge or the device, and then the name of the new interface where the user chose one: names mean something to firewalls. A tap
 * alone is allowed by its name in any case. */
int rules_judge(const struct rules *rules, const struct peer *peer,
		const struct helper_request *request, struct error *err)
{
	const char *name = request->ifname[0] ? request->ifname : NAME_UNCHOSEN;
	enum helper_ask ask = (enum helper_ask)request->ask;
	int rc = 0;

	if (ask == HELPER_BRIDGE || ask == HELPER_DIRECT) {
		int mode = name_find(modes, ARRAY_SIZE(modes),
				     request->mode[0] ? request->mode : "vepa");

		rc = judge(rules, peer, ask, request->link, BIT((unsigned)MAX(mode, 0)), err);
	}
	if (rc == 0 && (ask == HELPER_TAP || request->ifname[0]))
		rc = judge(rules, peer, HELPER_TAP, name, 1, err);
	return rc;
}

unsigned rules_quota(const struct rules *rules, const struct peer *peer)
{
	unsigned most = QUOTA_DEFAULT;

	for (unsigned i = 0; i < rules->quotas; i++)
		if (who_fits(rules->quota[i].who, rules->quota[i].id, peer))
			most = rules->quota[i].most;
	return most;
}
