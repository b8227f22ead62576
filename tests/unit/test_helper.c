/* anynic-helper's rules and requests: every wrong file, every wrong field; and what a user's slots are worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "helper/rules.h"
#include "helper/slots.h"

static struct rules rules;
static struct error err;
static char folder[] = "/tmp/anynic-test-helper-XXXXXX";

static const struct peer alice = { .uid = 1000, .gid = 1000, .group = { 36 }, .groups = 1 };
static const struct peer bob = { .uid = 1001, .gid = 1001 };

/* --- files that are in this test only ---------------------------------------------------------------------------- */

static const char *const texts[][2] = {
	{ "/etc/anynic/more.conf", "allow bridge br1\n" },
	{ "/etc/anynic/d/deep.conf", "include more.conf\nallow bridge br2\n" },
	{ "/etc/anynic/wrong.conf", "\n\nallow bridges br0 x\n" },
	{ "/etc/anynic/self.conf", "include self.conf\n" },
};

static int open_text(const char *path, struct error *e)
{
	for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
		if (strcmp(texts[i][0], path) != 0)
			continue;
		int fd = memfd_create("rules", MFD_CLOEXEC);
		size_t length = strlen(texts[i][1]);
		assert_int_equal(pwrite(fd, texts[i][1], length, 0), length);
		return fd;
	}
	return error_set(e, -ENOENT, "%s: %s", path, strerror(ENOENT));
}

static int find_id(const char *name, bool group, uint32_t *id)
{
	if (strcmp(name, group ? "kvm" : "alice") != 0)
		return -ENOENT;
	*id = group ? 36 : 1000;
	return 0;
}

static const struct rules_source here = { open_text, find_id };

static int parse(const char *text)
{
	err = (struct error){ 0 };
	return rules_parse(&rules, "/etc/anynic/helper.conf", text, strlen(text), &here, &err);
}

static void must_parse(const char *text)
{
	if (parse(text) < 0)
		fail_msg("%s", err.text);
}

static struct helper_request request(enum helper_ask ask, const char *link, const char *ifname,
				     const char *mode)
{
	struct helper_request r = { .magic = HELPER_MAGIC,
				    .version = HELPER_VERSION,
				    .ask = ask,
				    .queues = 1,
				    .guest = "vm",
				    .port = "net0" };

	if (ask == HELPER_BRIDGE || ask == HELPER_DIRECT)
		memcpy(r.mac, "\x52\x54\0\1\2\3", MAC_LEN);
	str_copy(r.link, sizeof(r.link), link);
	str_copy(r.ifname, sizeof(r.ifname), ifname);
	str_copy(r.mode, sizeof(r.mode), mode);
	return r;
}

static bool may(const struct peer *peer, enum helper_ask ask, const char *link, const char *ifname,
		const char *mode)
{
	struct helper_request r = request(ask, link, ifname, mode);

	err = (struct error){ 0 };
	assert_int_equal(helper_request_check(&r, &err), 0);
	int rc = rules_judge(&rules, peer, &r, &err);
	assert_true(rc == 0 || (rc == -EPERM && err.text[0]));
	return rc == 0;
}

static bool may_bridge(const struct peer *peer, const char *bridge)
{
	return may(peer, HELPER_BRIDGE, bridge, "", "");
}

/* --- what rules mean --------------------------------------------------------------------------------------------- */

static void what_no_line_allows_is_denied_and_the_error_names_the_line_to_add(void **state)
{
	(void)state;
	must_parse("# nothing but a comment\n\n");
	assert_false(may_bridge(&alice, "br0"));
	assert_non_null(strstr(err.text, "/etc/anynic/helper.conf does not allow bridge br0"));
	assert_non_null(strstr(err.text, "allow bridge br0 user 1000"));
	assert_false(may(&alice, HELPER_DIRECT, "eth0", "", "passthrough"));
	assert_non_null(strstr(err.text, "allow direct eth0 passthrough user 1000"));
}

static void a_line_of_qemus_acl_means_what_it_means_there(void **state)
{
	(void)state;
	must_parse("allow br0\n");
	assert_true(may_bridge(&alice, "br0"));
	assert_true(may_bridge(&bob, "br0"));
	assert_false(may_bridge(&alice, "br1"));
	assert_false(may(&alice, HELPER_DIRECT, "br0", "", ""));
	must_parse("allow all\n");
	assert_true(may_bridge(&alice, "br7"));
	assert_false(may(&alice, HELPER_DIRECT, "eth0", "", "")); /* bridges only, as there */
	assert_false(may(&alice, HELPER_TAP, "", "", ""));
}

static void a_denial_wins_wherever_it_stands(void **state)
{
	(void)state;
	must_parse("deny br0\nallow br0\n");
	assert_false(may_bridge(&alice, "br0"));
	assert_non_null(strstr(err.text, "/etc/anynic/helper.conf:1 denies bridge br0"));
	must_parse("allow br0\nallow direct eth0\nallow tap *\ndeny all\n");
	assert_false(may_bridge(&alice, "br0"));
	assert_false(may(&alice, HELPER_DIRECT, "eth0", "", ""));
	assert_false(may(&alice, HELPER_TAP, "", "x", ""));
	must_parse("allow br*\ndeny br0 user alice\n");
	assert_false(may_bridge(&alice, "br0"));
	assert_true(may_bridge(&alice, "br1"));
	assert_true(may_bridge(&bob, "br0"));
}

static void users_and_groups_are_told_apart(void **state)
{
	(void)state;
	must_parse("allow bridge br0 user alice\nallow bridge br1 group kvm\n"
		   "allow bridge br2 user 1001\nallow bridge br3 group 1001\n");
	assert_true(may_bridge(&alice, "br0"));
	assert_false(may_bridge(&bob, "br0"));
	assert_true(may_bridge(&alice, "br1"));
	assert_false(may_bridge(&bob, "br1"));
	assert_false(may_bridge(&alice, "br2"));
	assert_true(may_bridge(&bob, "br2"));
	assert_true(may_bridge(&bob, "br3")); /* his own group, not one of the further ones */
	assert_false(may_bridge(&alice, "br3"));
}

static void passthrough_is_allowed_by_name_only(void **state)
{
	(void)state;
	must_parse("allow direct eth0\n");
	assert_true(may(&alice, HELPER_DIRECT, "eth0", "", ""));
	assert_true(may(&alice, HELPER_DIRECT, "eth0", "", "private"));
	assert_false(may(&alice, HELPER_DIRECT, "eth0", "", "passthrough"));
	must_parse("allow direct eth0 bridge passthrough user alice\n");
	assert_true(may(&alice, HELPER_DIRECT, "eth0", "", "passthrough"));
	assert_true(may(&alice, HELPER_DIRECT, "eth0", "", "bridge"));
	assert_false(may(&alice, HELPER_DIRECT, "eth0", "", "vepa"));
	assert_false(may(&bob, HELPER_DIRECT, "eth0", "", "bridge"));
	must_parse("allow direct eth* vepa passthrough\ndeny direct eth1\n");
	assert_true(may(&alice, HELPER_DIRECT, "eth0", "", "passthrough"));
	assert_false(may(&alice, HELPER_DIRECT, "eth1", "", "passthrough"));
}

static void names_of_interfaces_are_allowed_apart_from_what_they_are_on(void **state)
{
	(void)state;
	must_parse("allow br0\nallow tap vm-*\n");
	assert_true(may(&alice, HELPER_BRIDGE, "br0", "vm-7", ""));
	assert_false(may(&alice, HELPER_BRIDGE, "br0", "wg0", ""));
	assert_non_null(strstr(err.text, "does not allow tap wg0"));
	assert_true(may(&alice, HELPER_TAP, "", "vm-", ""));
	assert_false(may(&alice, HELPER_TAP, "", "vm", ""));
	assert_false(may(&alice, HELPER_TAP, "", "", "")); /* it would be called anynicN */
	must_parse("allow tap anynic*\n");
	assert_true(may(&alice, HELPER_TAP, "", "", ""));
}

static void patterns_know_a_star_and_a_question_mark(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} rows[] = {
		{ "br0", "br0", true },
		{ "br0", "br01", false },
		{ "br*", "br", true },
		{ "br*", "xbr", false },
		{ "*", "", true },
		{ "a*b*c", "aXbYbZc", true },
		{ "a*b*c", "aXbY", false },
		{ "?", "", false },
		{ "br?", "br12", false },
		{ "*?", "x", true },
		{ "**********a", "aaaaaaaaaaaaaab", false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (pattern_fits(rows[i].pattern, rows[i].text) != rows[i].fits)
			fail_msg("%s against %s", rows[i].pattern, rows[i].text);
}

static void the_last_quota_that_fits_counts(void **state)
{
	(void)state;
	must_parse("allow br0\n");
	assert_int_equal(rules_quota(&rules, &alice), QUOTA_DEFAULT);
	must_parse("quota 3\nquota 8 user alice\nquota 0 group 1001\n");
	assert_int_equal(rules_quota(&rules, &alice), 8);
	assert_int_equal(rules_quota(&rules, &bob), 0);
	assert_int_equal(rules_quota(&rules, &(struct peer){ .uid = 5, .gid = 5 }), 3);
}

static void files_include_others_of_their_folder(void **state)
{
	(void)state;
	must_parse("include more.conf\n");
	assert_true(may_bridge(&alice, "br1"));
	must_parse("include /etc/anynic/d/deep.conf # absolute, but in the folder\nallow br0\n");
	assert_true(may_bridge(&alice, "br0"));
	assert_true(may_bridge(&alice, "br1"));
	assert_true(may_bridge(&alice, "br2"));
	assert_int_equal(rules.files, 3);
}

/* --- wrong files ------------------------------------------------------------------------------------------------- */

static void every_mistake_names_its_file_and_line_and_allows_nothing(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "permit br0\n",
		  "helper.conf:1: a line begins with allow, deny, quota or include" },
		{ "allow br0\n\nALLOW br1\n", "helper.conf:3: a line begins" },
		{ "allow\n", ":1: allow needs to say what" },
		{ "deny # all\n", ":1: deny needs to say what" },
		{ "allow bridge\n", ":1: allow bridge needs a name" },
		{ "deny tap # x\n", ":1: deny tap needs a name" },
		{ "allow br0 br1\n", ":1: br1 is not legal here" },
		{ "allow bridge br0 vepa\n", ":1: vepa is not legal here" },
		{ "allow direct eth0 hub\n", ":1: hub is not legal here" },
		{ "allow direct eth0 user alice vepa\n", ":1: nothing may follow `user alice`" },
		{ "allow br0 user\n", ":1: user needs a name" },
		{ "allow br0 group\n", ":1: group needs a name" },
		{ "allow br0 user mallory\n", ":1: there is no user mallory in /etc/passwd" },
		{ "allow br0 group alice\n", ":1: there is no group alice in /etc/group" },
		{ "allow br0 user 4294967295\n", ":1: there is no user 4294967295" },
		{ "allow br0 user -1\n", ":1: there is no user -1" },
		{ "allow bridge sixteen_letters_\n", ":1: sixteen_letters_ is no name" },
		{ "allow tap ../x\n", ":1: ../x is no name" },
		{ "quota\n", ":1: quota needs a number" },
		{ "quota many\n", ":1: quota needs a number" },
		{ "quota 257\n", ":1: quota needs a number" },
		{ "quota 4 alice\n", ":1: alice is not legal here" },
		{ "include\n", ":1: include needs the name of one file" },
		{ "include a b\n", ":1: include needs the name of one file" },
		{ "include /etc/shadow\n", ":1: include /etc/shadow: only files in the folder" },
		{ "include ../shadow\n", ":1: include ../shadow: only files in the folder" },
		{ "include /etc/anynic/../shadow\n", ":1: include ../shadow: only files" },
		{ "include nothing.conf\n", "helper.conf:1: /etc/anynic/nothing.conf: No such" },
		{ "allow br0\ninclude wrong.conf\n", "included by /etc/anynic/helper.conf:2: "
						     "/etc/anynic/wrong.conf:3: br0 is not legal" },
		{ "include self.conf\n", "files inside each other" },
		{ "a b c d e f g h i j k l m\n", ":1: more than 12 words" },
		{ "allow br\0010\n", ":1: a control character" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[200];

		/* a good line before does not count, once one is wrong */
		assert_true(parse(rows[i].text) < 0);
		if (!strstr(err.text, rows[i].says))
			fail_msg("%s: %s", rows[i].says, err.text);
		snprintf(text, sizeof(text), "%sallow br0\n", rows[i].text);
		assert_true(parse(text) < 0);
		assert_false(may_bridge(&alice, "br0"));
	}
}

static void a_file_has_bounds(void **state)
{
	static char text[RULES_SIZE + 100];
	size_t at = 0;

	(void)state;
	memset(text, 'x', 300);
	text[300] = '\0';
	assert_true(parse(text) < 0);
	assert_non_null(strstr(err.text, ":1: the line is longer than 255"));
	for (unsigned i = 0; i < RULES_MAX; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "allow br%u\n", i);
	must_parse(text);
	assert_true(may_bridge(&alice, "br511"));
	snprintf(text + at, sizeof(text) - at, "allow br0\n");
	assert_true(parse(text) < 0);
	assert_non_null(strstr(err.text, ":513: more than 512 lines"));
	/* a NUL in the middle hides nothing */
	memcpy(text, "allow br0\n\0deny br0\n", 20);
	assert_true(rules_parse(&rules, "x", text, 20, &here, &err) < 0);
}

static void write_rules(const char *name, const char *text, mode_t mode, char path[100])
{
	snprintf(path, 100, "%s/%s", folder, name);
	unlink(path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void assert_load_fails(const char *path, const char *says)
{
	err = (struct error){ 0 };
	assert_true(rules_load(&rules, path, &rules_host, &err) < 0);
	if (!strstr(err.text, says))
		fail_msg("%s: %s", says, err.text);
	assert_int_equal(rules.count, 0);
}

static void only_files_that_root_alone_can_write_count(void **state)
{
	char path[100], other[100];

	(void)state;
	if (geteuid() != 0)
		skip(); /* there is no file of root's that this user can make */
	write_rules("good.conf", "allow br0 user root\ninclude more.conf\n", 0640, path);
	assert_load_fails(path, "more.conf: No such file");
	write_rules("more.conf", "allow br1 group root\n", 0600, other);
	assert_int_equal(rules_load(&rules, path, &rules_host, &err), 0);
	assert_int_equal(rules.count, 2);
	assert_int_equal(chmod(other, 0620), 0);
	assert_load_fails(path, "more.conf can be written by others than root; next: chmod go-w");
	assert_int_equal(chown(other, 1, 0), 0);
	assert_load_fails(path, "good.conf:2: ");
	assert_load_fails(path, "more.conf belongs to user 1; next: chown root");
	assert_load_fails(folder, "is no file");
	snprintf(other, sizeof(other), "%s/link.conf", folder);
	assert_int_equal(symlink(path, other), 0);
	assert_load_fails(other, "is a symbolic link");
	assert_load_fails("/nowhere/helper.conf", "/nowhere: No such file");
	write_rules("alone.conf", "allow br0\n", 0644, path);
	assert_int_equal(chmod(folder, 0775), 0);
	assert_load_fails(path, "can be written by others than root");
	assert_int_equal(chmod(folder, 0755), 0);
	assert_int_equal(rules_load(&rules, path, &rules_host, &err), 0);
	write_rules("none.conf", "allow br0 user no-such-user-here\n", 0644, path);
	assert_load_fails(path, "none.conf:1: there is no user no-such-user-here");
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static void assert_refused(struct helper_request r, const char *says)
{
	err = (struct error){ 0 };
	assert_true(helper_request_check(&r, &err) < 0);
	if (!strstr(err.text, says))
		fail_msg("%s: %s", says, err.text);
}

static void every_field_of_a_request_is_checked(void **state)
{
	const struct helper_request good = request(HELPER_BRIDGE, "br0", "vm0", "");
	struct helper_request r;

	(void)state;
	assert_int_equal(helper_request_check(&good, NULL), 0);
#define WITH(change, says)                                                                         \
	do {                                                                                       \
		r = good;                                                                          \
		change;                                                                            \
		assert_refused(r, says);                                                           \
	} while (0)
	WITH(r.magic = 0, "another version");
	WITH(r.version = 2, "another version");
	WITH(r.ask = HELPER_ASK_COUNT, "nothing known");
	WITH(r.ask = UINT32_MAX, "nothing known");
	WITH(r.queues = 0, "queues");
	WITH(r.queues = HELPER_QUEUES + 1, "queues");
	WITH(r.queues = UINT32_MAX, "queues");
	WITH(r.mtu = 67, "MTU");
	WITH(r.mtu = 65522, "MTU");
	WITH(r.mac[0] = 0x53, "MAC");
	WITH(memset(r.mac, 0, 6), "MAC");
	WITH(r.zero[1] = 1, "mean nothing");
	WITH(memset(r.link, 0, 16), "bridge");
	WITH(memset(r.link, 'x', 16), "bridge"); /* no NUL */
	WITH(r.ifname[15] = 'x', "ifname");	 /* hidden behind the NUL */
	WITH(memcpy(r.mode, "vepa", 5), "mode"); /* a bridge has none */
	WITH(r.guest[0] = '\0', "guest");
	WITH(r.guest[1] = '\n', "guest");
	WITH(memset(r.guest, 'x', sizeof(r.guest)), "guest");
	WITH(r.port[0] = '\t', "port");
#undef WITH
	r = request(HELPER_DIRECT, "eth0", "", "hub");
	assert_refused(r, "mode");
	r = request(HELPER_TAP, "br0", "", "");
	assert_refused(r, "bridge"); /* a tap alone is on nothing */
	r = request(HELPER_REJOIN, "", "x", "");
	assert_refused(r, "ifname");
	assert_int_equal(helper_request_check(&(struct helper_request){ 0 }, NULL), -EPROTO);
}

static void names_are_those_of_interfaces_and_nothing_else(void **state)
{
	static const char *const wrong[] = { "",	 ".",	"..",	"a/b",	"/etc", "a b",
					     "a:b",	 "a%d", "br*",	"b?",	"x\n",	"x\x1b",
					     "\xc3\xa4", "a'b", "a\"b", "a\\b", "a#b" };
	char name[16];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		memset(name, 0, sizeof(name));
		str_copy(name, sizeof(name), wrong[i]);
		if (helper_name_fits(name))
			fail_msg("%s", wrong[i]);
	}
	assert_true(helper_name_fits("br0\0\0\0\0\0\0\0\0\0\0\0\0"));
	assert_true(helper_name_fits("fifteen_letters"));
	assert_true(helper_name_fits("eth0.100\0\0\0\0\0\0\0"));
}

/* --- slots ------------------------------------------------------------------------------------------------------- */

static struct peer myself(void)
{
	return (struct peer){ .pid = getpid(), .started = peer_started(getpid()), .uid = 1000 };
}

static void a_user_has_as_many_slots_as_his_quota_and_others_have_theirs(void **state)
{
	struct peer me = myself(), other = myself();
	struct slot a, b, c;

	(void)state;
	other.uid = 1001;
	assert_int_equal(slot_take(&a, folder, &me, 2, &err), 0);
	assert_int_equal(slot_take(&b, folder, &me, 2, &err), 0);
	assert_int_equal(slot_take(&c, folder, &me, 2, &err), -EDQUOT);
	assert_non_null(strstr(err.text, "2 at a time"));
	assert_int_equal(slot_take(&c, folder, &other, 2, &err), 0);
	slot_release(&a);
	assert_int_equal(slot_take(&a, folder, &me, 2, &err), 0);
	slot_release(&a);
	slot_release(&b);
	slot_release(&c);
	assert_int_equal(slot_take(&a, folder, &me, 0, &err), -EDQUOT);
}

/* As a helper that is killed: its lock is gone, its journal has a line. */
static void leave(const struct peer *peer)
{
	struct undo_step step = { .kind = UNDO_LINK, .name = "no-such-link", .text = "anynic x/y" };
	struct slot slot;

	assert_int_equal(slot_take(&slot, folder, peer, 1, &err), 0);
	assert_true(undo_note(&slot.undo, &step, &err) >= 0);
	slot_release(&slot);
}

static void what_a_killed_helper_left_counts_until_its_user_has_ended(void **state)
{
	struct peer me = myself(), child = me;
	struct slot slot;
	char path[100];

	(void)state;
	child.pid = fork();
	if (child.pid == 0) {
		pause();
		_exit(0);
	}
	child.started = peer_started(child.pid);
	assert_true(child.started != 0);
	leave(&child);
	snprintf(path, sizeof(path), "%s/1000.0.undo", folder);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(slots_tidy(folder), 1);
	assert_int_equal(slot_take(&slot, folder, &me, 1, &err), -EDQUOT);
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
	assert_int_equal(slots_tidy(folder), 0);
	assert_int_equal(access(path, F_OK), -1);
	leave(&child); /* and one that is gone by now stands in nobody's way */
	assert_int_equal(slot_take(&slot, folder, &me, 1, &err), 0);
	slot_release(&slot);
	/* a later process of the same number is another one */
	child = me;
	child.started++;
	leave(&child);
	assert_int_equal(slots_tidy(folder), 0);
	assert_int_equal(access(path, F_OK), -1);
}

static void the_folder_of_slots_is_the_helpers_own(void **state)
{
	char path[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/own/state", folder);
	assert_int_equal(slots_prepare(path, &err), 0);
	assert_int_equal(slots_prepare(path, &err), 0);
	assert_int_equal(chmod(path, 0777), 0);
	assert_int_equal(slots_prepare(path, &err), -EPERM);
	snprintf(path, sizeof(path), "%s/link", folder);
	assert_int_equal(symlink("own/state", path), 0);
	assert_int_equal(slots_prepare(path, &err), -EPERM);
}

/* --- who it is --------------------------------------------------------------------------------------------------- */

static void the_kernel_says_who_made_a_pair_of_sockets(void **state)
{
	struct peer peer;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(peer_read(pair[0], &peer, &err), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.started, peer_started(getpid()));
	assert_true(peer_in_group(&peer, getegid()));
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(peer_started(0), 0);
	assert_int_equal(peer_started(-5), 0);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) && chmod(folder, 0755) == 0 ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_line_allows_is_denied_and_the_error_names_the_line_to_add),
		cmocka_unit_test(a_line_of_qemus_acl_means_what_it_means_there),
		cmocka_unit_test(a_denial_wins_wherever_it_stands),
		cmocka_unit_test(users_and_groups_are_told_apart),
		cmocka_unit_test(passthrough_is_allowed_by_name_only),
		cmocka_unit_test(names_of_interfaces_are_allowed_apart_from_what_they_are_on),
		cmocka_unit_test(patterns_know_a_star_and_a_question_mark),
		cmocka_unit_test(the_last_quota_that_fits_counts),
		cmocka_unit_test(files_include_others_of_their_folder),
		cmocka_unit_test(every_mistake_names_its_file_and_line_and_allows_nothing),
		cmocka_unit_test(a_file_has_bounds),
		cmocka_unit_test(only_files_that_root_alone_can_write_count),
		cmocka_unit_test(every_field_of_a_request_is_checked),
		cmocka_unit_test(names_are_those_of_interfaces_and_nothing_else),
		cmocka_unit_test(a_user_has_as_many_slots_as_his_quota_and_others_have_theirs),
		cmocka_unit_test(what_a_killed_helper_left_counts_until_its_user_has_ended),
		cmocka_unit_test(the_folder_of_slots_is_the_helpers_own),
		cmocka_unit_test(the_kernel_says_who_made_a_pair_of_sockets),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
