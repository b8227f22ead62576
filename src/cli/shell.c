#include "cli/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_LIBEDIT
#include <histedit.h>
#endif

#include "cli/talk.h"

struct shell {
	char prompt[96];
	char *line;
	size_t room;
	json_object *commands;
#ifdef HAVE_LIBEDIT
	EditLine *edit;
	History *history;
#endif
};

#ifdef HAVE_LIBEDIT
static char *prompt_of(EditLine *edit)
{
	struct shell *s;

	el_get(edit, EL_CLIENTDATA, &s);
	return s->prompt;
}

/* How many characters all of `a` and `b` begin with. */
static size_t common(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && a[n] == b[n])
		n++;
	return n;
}

/* Tab: completes the first word as far as it is clear, else lists what it could be. */
static unsigned char complete(EditLine *edit, int key)
{
	const LineInfo *info = el_line(edit);
	size_t typed = (size_t)(info->cursor - info->buffer);
	const char *found = NULL;
	size_t shared = 0;
	unsigned hits = 0;
	struct shell *s;

	(void)key;
	el_get(edit, EL_CLIENTDATA, &s);
	if (memchr(info->buffer, ' ', typed))
		return CC_ERROR;
	for (size_t i = 0; i < json_object_array_length(s->commands); i++) {
		const char *name = text_of(json_object_array_get_idx(s->commands, i), "name");
		if (strncmp(name, info->buffer, typed) != 0)
			continue;
		shared = hits++ ? MIN(shared, common(found, name)) : strlen(name);
		found = name;
	}
	if (!hits)
		return CC_ERROR;
	if (shared > typed || hits == 1) {
		char rest[96];
		snprintf(rest, sizeof(rest), "%.*s%s", (int)(shared - typed), found + typed,
			 hits == 1 ? " " : "");
		return el_insertstr(edit, rest) < 0 ? CC_ERROR : CC_REFRESH;
	}
	putchar('\n');
	for (size_t i = 0; i < json_object_array_length(s->commands); i++) {
		const char *name = text_of(json_object_array_get_idx(s->commands, i), "name");
		if (strncmp(name, info->buffer, typed) == 0)
			printf("%s  ", name);
	}
	putchar('\n');
	return CC_REDISPLAY;
}

static void open_edit(struct shell *s)
{
	HistEvent event;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return;
	s->edit = el_init("anynic", stdin, stdout, stderr);
	s->history = history_init();
	if (!s->edit || !s->history)
		return;
	history(s->history, &event, H_SETSIZE, 200);
	el_set(s->edit, EL_CLIENTDATA, s);
	el_set(s->edit, EL_PROMPT, prompt_of);
	el_set(s->edit, EL_EDITOR, "emacs");
	el_set(s->edit, EL_HIST, history, s->history);
	el_set(s->edit, EL_ADDFN, "complete", "complete a command", complete);
	el_set(s->edit, EL_BIND, "^I", "complete", NULL);
}

static const char *edit_line(struct shell *s)
{
	HistEvent event;
	int length;

	const char *line = el_gets(s->edit, &length);
	if (line && length > 1)
		history(s->history, &event, H_ENTER, line);
	return line;
}
#endif

struct shell *shell_open(const char *prompt, struct client *c)
{
	struct shell *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	snprintf(s->prompt, sizeof(s->prompt), "%.80s> ", prompt);
	if (client_call(c, "query-commands", NULL, &s->commands, NULL) < 0)
		s->commands = json_object_new_array();
#ifdef HAVE_LIBEDIT
	open_edit(s);
#endif
	return s;
}

void shell_close(struct shell *s)
{
	if (!s)
		return;
#ifdef HAVE_LIBEDIT
	if (s->edit)
		el_end(s->edit);
	if (s->history)
		history_end(s->history);
#endif
	json_object_put(s->commands);
	free(s->line);
	free(s);
}

char *shell_read(struct shell *s)
{
	if (!s)
		return NULL;
#ifdef HAVE_LIBEDIT
	if (s->edit) {
		const char *line = edit_line(s);
		free(s->line);
		s->line = line ? strdup(line) : NULL;
		if (s->line)
			s->line[strcspn(s->line, "\n")] = '\0';
		return s->line;
	}
#endif
	if (isatty(STDIN_FILENO)) {
		fputs(s->prompt, stdout);
		fflush(stdout);
	}
	if (getline(&s->line, &s->room, stdin) < 0)
		return NULL;
	s->line[strcspn(s->line, "\n")] = '\0';
	return s->line;
}
