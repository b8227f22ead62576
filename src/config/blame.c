#include "config/blame.h"

#include <stdio.h>
#include <string.h>

/* What a key of --nic is in XML; %s is its value. The first row that fits is taken. */
static const struct {
	const char *key, *value, *xml; /* value NULL: any */
} words[] = {
	{ "driver", "default", "<driver> without name=" },
	{ "driver", NULL, "<driver name='%s'/>" },
	{ "queues", NULL, "<driver queues='%s'/>" },
	{ "packed", NULL, "<driver packed='%s'/>" },
	{ "backend", "tap", "<interface type='ethernet'>" },
	{ "backend", "passt", "<interface type='user'> with <backend type='passt'/>" },
	{ "backend", "auto", "<interface type='network'>" },
	{ "backend", NULL, "<interface type='%s'>" },
	{ "place", NULL, "<anynic:place>%s</anynic:place>" },
	{ "br", NULL, "<source bridge='%s'/>" },
	{ "dev", NULL, "<source dev='%s'/>" },
	{ "mode", NULL, "<source mode='%s'/>" },
	{ "path", NULL, "<source path='%s'/>" },
	{ "ifname", NULL, "<target dev='%s'/>" },
	{ "mac", NULL, "<mac address='%s'/>" },
	{ "mtu", NULL, "<mtu size='%s'/>" },
	{ "link", NULL, "<link state='%s'/>" },
	{ "net", NULL, "<ip address='%s'/>" },
	{ "hostfwd", NULL, "<portForward>" },
	{ "iface-id", NULL, "<virtualport><parameters interfaceid='%s'/>" },
	{ "bootindex", NULL, "<boot order='%s'/>" },
	{ "romfile", NULL, "<rom file='%s'/>" },
	{ "id", NULL, "<alias name='%s'/>" },
	{ "legacy", NULL, "<anynic:auto legacy='%s'/>" },
	{ "performant", NULL, "<anynic:auto performant='%s'/>" },
	{ "legacy-delay", NULL, "<anynic:auto delay='%s'/>" },
	{ "transient", NULL, "<anynic:team transient='%s'/>" },
	{ "hold", NULL, "hold='%s'" },
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* A value ends with what separates words; a full stop or a colon at its end is the sentence's. */
static size_t value_length(const char *value)
{
	size_t length = strcspn(value, " ,;()'\"");

	while (length > 0 && strchr(".:", value[length - 1]))
		length--;
	return length;
}

static int find_word(const char *key, size_t key_length, const char *value, size_t value_length)
{
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		const char *wanted = words[i].value;

		if (strlen(words[i].key) == key_length &&
		    strncmp(words[i].key, key, key_length) == 0 &&
		    (!wanted ||
		     (strlen(wanted) == value_length && strncmp(wanted, value, value_length) == 0)))
			return (int)i;
	}
	return -1;
}

static size_t put(char *to, size_t size, size_t at, const char *text, size_t length)
{
	for (size_t i = 0; i < length && at + 1 < size; i++)
		to[at++] = text[i];
	to[at] = '\0';
	return at;
}

static size_t put_xml(char *to, size_t size, size_t at, const char *xml, const char *value,
		      size_t length)
{
	const char *hole = strstr(xml, "%s");

	if (!hole)
		return put(to, size, at, xml, strlen(xml));
	at = put(to, size, at, xml, (size_t)(hole - xml));
	at = put(to, size, at, length ? value : "...", length ? length : 3);
	return put(to, size, at, hole + 2, strlen(hole + 2));
}

void words_of_xml(const char *text, char *to, size_t size)
{
	const char *stop = strstr(text, "--nic");
	size_t at = 0;

	to[0] = '\0';
	while (*text && (!stop || text < stop)) {
		size_t key = 0;

		while (is_word(text[key]))
			key++;
		size_t value = text[key] == '=' ? value_length(text + key + 1) : 0;
		int found = text[key] == '=' ? find_word(text, key, text + key + 1, value) : -1;

		if (found >= 0) {
			at = put_xml(to, size, at, words[found].xml, text + key + 1, value);
			text += key + 1 + value;
		} else {
			at = put(to, size, at, text, MAX(key, 1u));
			text += MAX(key, 1u);
		}
	}
	(void)put(to, size, at, text, strlen(text));
}

void error_of_port(struct error *err, const struct port_spec *port)
{
	char text[sizeof(err->text)];

	if (!err)
		return;
	if (err->where[0])
		error_prefix(err, "%s", err->where);
	if (!port->source[0]) {
		(void)snprintf(err->where, sizeof(err->where), "port %s", port->id);
		return;
	}
	words_of_xml(err->text, text, sizeof(text));
	str_copy(err->text, sizeof(err->text), text);
	str_copy(err->where, sizeof(err->where), port->source);
}
