/* Files of tests/xml: good ones are read, survive a round trip, and say what NAME.notes says; of each bad one NAME.expect has the line and
 * the words. argv[1] is the folder, argv[2] the
 * schema, which must agree with the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/xml.h"
#include "config/xml_reading.h"
#include "config/xml_rows.h"

static const char *folder, *schema;
static struct interface_list list, again;
static struct network_list networks;
static struct interface_result nothing[INTERFACES_MAX];

static bool is_xml(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".xml") == 0;
}

static bool read_small(const char *path, char *to, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = f ? fread(to, 1, size - 1, f) : 0;

	to[n] = '\0';
	if (f)
		(void)fclose(f);
	return f != NULL;
}

/* Calls `check` with the path, without its ".xml", of each file of a folder. Returns how many there are. */
static unsigned each_file(const char *kind, void (*check)(const char *stem))
{
	char path[600];
	unsigned count = 0;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, kind);
	DIR *dir = opendir(path);
	assert_non_null(dir);
	for (struct dirent *d = readdir(dir); d; d = readdir(dir))
		if (is_xml(d->d_name)) {
			(void)snprintf(path, sizeof(path), "%s/%s/%.*s", folder, kind,
				       (int)strlen(d->d_name) - 4, d->d_name);
			check(path);
			count++;
		}
	(void)closedir(dir);
	return count;
}

static void xml_of(const char *stem, char path[700])
{
	(void)snprintf(path, 700, "%s.xml", stem);
}

static void must_read(const char *path)
{
	struct error err = { 0 };

	if (xml_read_interfaces(path, &list, &err) < 0)
		fail_msg("%s: %s: %s", path, err.where, err.text);
}

static void check_notes(const char *stem)
{
	char path[700], expected[4096], said[4096] = "";
	size_t at = 0;

	xml_of(stem, path);
	must_read(path);
	assert_true(list.count > 0);
	for (unsigned i = 0; i < list.notes; i++)
		at += (size_t)snprintf(said + at, sizeof(said) - at, "%u: %s\n", list.note[i].line,
				       list.note[i].text);
	(void)snprintf(path, sizeof(path), "%s.notes", stem);
	read_small(path, expected, sizeof(expected));
	if (strcmp(said, expected) != 0)
		fail_msg("%s: said\n%sexpected\n%s", stem, said, expected);
}

static void good_files_are_read_and_say_what_is_ignored(void **state)
{
	(void)state;
	assert_true(each_file("good", check_notes) >= 40);
}

static void expect_failure(const char *stem, int rc, const struct error *err)
{
	char path[700], expected[512], said[700];
	const char *colon = strrchr(err->where, ':');

	(void)snprintf(path, sizeof(path), "%s.expect", stem);
	if (!read_small(path, expected, sizeof(expected)))
		fail_msg("%s: no file says what is expected", path);
	expected[strcspn(expected, "\n")] = '\0';
	if (rc >= 0)
		fail_msg("%s: was read, and should not be", stem);
	assert_int_equal(rc, err->code);
	assert_true(rc == -EINVAL || rc == -ENOTSUP || rc == -ERANGE);
	(void)snprintf(said, sizeof(said), "%s: %s", colon ? colon + 1 : "", err->text);
	if (!strstr(said, expected))
		fail_msg("%s: said '%s', expected '%s'", stem, said, expected);
}

static void check_bad(const char *stem)
{
	struct error err = { 0 };
	char path[700];

	xml_of(stem, path);
	expect_failure(stem, xml_read_interfaces(path, &list, &err), &err);
	assert_int_equal(list.count, 0);
}

static void bad_files_are_refused_with_their_line_and_the_reason(void **state)
{
	(void)state;
	assert_true(each_file("bad", check_bad) >= 60);
}

/* Where the elements stand is no part of what they say. */
static void forget_lines(struct interface_list *l)
{
	l->notes = 0;
	memset(l->note, 0, sizeof(l->note));
	for (unsigned i = 0; i < l->count; i++)
		l->item[i].line = l->item[i].driver_line = 0;
	for (unsigned i = 0; i < l->count; i++)
		memset(l->item[i].element_line, 0, sizeof(l->item[i].element_line));
}

static void check_round_trip(const char *stem)
{
	char path[700], copy[] = "/tmp/anynic-xml-XXXXXX";
	struct error err = { 0 };
	char *text = NULL, *second = NULL;

	xml_of(stem, path);
	must_read(path);
	if (xml_write_interfaces(path, &list, nothing, &text, &err) < 0)
		fail_msg("%s: %s", stem, err.text);
	again = list;
	int fd = mkstemp(copy);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	must_read(copy);
	if (xml_write_interfaces(copy, &list, nothing, &second, &err) < 0)
		fail_msg("%s: %s", stem, err.text);
	unlink(copy);
	forget_lines(&list);
	forget_lines(&again);
	if (memcmp(&list, &again, sizeof(list)) != 0)
		fail_msg("%s: it says something else after it was written:\n%s", stem, text);
	assert_string_equal(text, second);
	free(text);
	free(second);
}

static void what_is_written_says_the_same_as_what_was_read(void **state)
{
	(void)state;
	each_file("good", check_round_trip);
}

/* As `anynic xml <(virsh dumpxml guest)` does. */
static void excluded_ports_part_a_range(void **state)
{
	static const char *const wanted[] = {
		"tcp:2001:db8:ac10:fd01::1:10%eth-0:26..999-:9026",
		"tcp:2001:db8:ac10:fd01::1:10%eth-0:1101..2021-:10101",
		"udp:%eth0:53-:53",
	};
	const struct backend_spec *b = &list.item[0].port.backend;
	char path[700];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/good/passt-forwards.xml", folder);
	must_read(path);
	assert_int_equal(b->hostfwds, ARRAY_SIZE(wanted));
	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_string_equal(b->hostfwd[i], wanted[i]);
}

static void what_comes_through_a_pipe_is_read_and_then_written(void **state)
{
	static const char said[] = "<interface type='user'><model type='igb'/></interface>";
	struct error err = { 0 };
	char path[64], *text = NULL;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(write(ends[1], said, sizeof(said) - 1), sizeof(said) - 1);
	close(ends[1]);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[0]);
	must_read(path);
	assert_int_equal(list.count, 1);
	if (xml_write_interfaces(path, &list, nothing, &text, &err) < 0)
		fail_msg("%s: %s", err.where, err.text);
	assert_non_null(strstr(text, "igb"));
	free(text);
	close(ends[0]);
}

static void other_elements_of_a_domain_stay(void **state)
{
	static const char *const kept[] = { "<memory unit=\"KiB\">1048576</memory>",
					    "<source file=\"/var/lib/x.qcow2\"/>",
					    "<qemu:arg value=\"-newarg\"/>",
					    "<input type=\"mouse\" bus=\"ps2\"/>" };
	struct interface_result result[1] = { { .alias = "net0",
						.mac = "52:54:00:6d:90:01",
						.type = "bridge",
						.bridge = "virbr0" } };
	struct error err = { 0 };
	char path[700], *text = NULL;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/good/domain.xml", folder);
	must_read(path);
	assert_string_equal(list.name, "vm1");
	assert_int_equal(xml_write_interfaces(path, &list, result, &text, &err), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		assert_non_null(strstr(text, kept[i]));
	assert_non_null(strstr(text, "<alias name=\"net0\"/>"));
	assert_non_null(strstr(text, "<anynic:actual type=\"bridge\" bridge=\"virbr0\"/>"));
	free(text);
}

static void check_network(const char *stem)
{
	struct error err = { 0 };
	char path[700];

	xml_of(stem, path);
	if (xml_read_networks(path, &networks, &err) < 0)
		fail_msg("%s: %s: %s", path, err.where, err.text);
}

static void networks_are_read_from_several_files(void **state)
{
	(void)state;
	memset(&networks, 0, sizeof(networks));
	unsigned files = each_file("networks", check_network);

	assert_true(files >= 10);
	assert_int_equal(networks.count, files + 1); /* one has two */
	for (unsigned i = 0; i < networks.count; i++) {
		const struct network_spec *n = &networks.item[i];

		if (strcmp(n->name, "ovs") == 0) {
			assert_int_equal(n->groups, 2);
			assert_true(n->group[0].is_default);
			assert_int_equal(n->group[0].port.vlan.count, 2);
			assert_int_equal(n->group[0].port.vlan.native, 47);
			assert_int_equal(n->group[0].port.inbound.peak, 5000);
			assert_int_equal(n->group[1].port.trust_rx, TRISTATE_OFF);
		} else if (strcmp(n->name, "list") == 0) {
			assert_true(n->devs_are_pci && n->managed);
			assert_int_equal(n->devs, 2);
			assert_string_equal(n->dev[1], "0000:04:00.2");
		} else if (strcmp(n->name, "direct") == 0) {
			assert_int_equal(n->devs, 2);
			assert_string_equal(n->dev[0], "eth20");
		} else if (strcmp(n->name, "b") == 0) {
			assert_int_equal(n->forward, FORWARD_NAT);
		}
	}
}

static void check_bad_network(const char *stem)
{
	struct error err = { 0 };
	char path[700];

	memset(&networks, 0, sizeof(networks));
	xml_of(stem, path);
	expect_failure(stem, xml_read_networks(path, &networks, &err), &err);
	assert_int_equal(networks.count, 0);
}

static void bad_networks_are_refused_with_their_line_and_the_reason(void **state)
{
	(void)state;
	assert_true(each_file("bad-networks", check_bad_network) >= 10);
}

static void a_file_that_is_not_there_is_not_found(void **state)
{
	struct error err = { 0 };

	(void)state;
	assert_int_equal(xml_read_interfaces("/nowhere/x.xml", &list, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/x.xml"));
}

static void a_file_that_is_too_large_is_refused(void **state)
{
	struct error err = { 0 };
	char path[] = "/tmp/anynic-xml-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && ftruncate(fd, XML_FILE_MAX + 1) == 0);
	close(fd);
	assert_int_equal(xml_read_interfaces(path, &list, &err), -EINVAL);
	assert_non_null(strstr(err.text, "is not read"));
	unlink(path);
}

static void an_item_that_no_reader_could_make_is_not_taken(void **state)
{
	char path[700];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/good/bridge.xml", folder);
	must_read(path);
	struct interface_spec s = list.item[0];

	assert_true(xml_table_holds(&xml_interface_table, &s));
	memset(s.alias, 'x', sizeof(s.alias));
	assert_false(xml_table_holds(&xml_interface_table, &s));
	s = list.item[0];
	s.teaming = TEAMING_KIND_COUNT;
	assert_false(xml_table_holds(&xml_interface_table, &s));
	s = list.item[0];
	s.port.nic[0].queues = QUEUES_MAX + 1;
	assert_false(xml_table_holds(&xml_interface_table, &s));
	s = list.item[0];
	s.port.nic[0].options.acpi_index = 1 << 20;
	assert_false(xml_table_holds(&xml_interface_table, &s));
	assert_true(xml_interfaces_hold(&list));
	struct backend_spec *b = &list.item[0].port.backend;
	b->rules.vlan.count = VLAN_TAGS_MAX + 1;
	assert_false(xml_interfaces_hold(&list));
	b->rules.vlan.count = 0;
	memset(b->script, 'x', sizeof(b->script));
	assert_false(xml_interfaces_hold(&list));
}

static void every_row_stands_on_an_element_and_is_found_once(void **state)
{
	static const struct xml_table *const tables[] = { &xml_interface_table, &xml_network_table,
							  &xml_portgroup_table };

	(void)state;
	for (unsigned t = 0; t < ARRAY_SIZE(tables); t++) {
		assert_true(tables[t]->element_count <= 128); /* bits of xml_reading.seen */
		for (unsigned i = 0; i < tables[t]->element_count; i++)
			assert_ptr_equal(xml_element_find(tables[t], tables[t]->elements[i].path),
					 &tables[t]->elements[i]);
		for (unsigned i = 0; i < tables[t]->attribute_count; i++) {
			const struct xml_attribute *row = &tables[t]->attributes[i];

			assert_non_null(xml_element_find(tables[t], row->element));
			assert_ptr_equal(xml_attribute_find(tables[t], row->element, row->name),
					 row);
		}
	}
	for (unsigned i = 0; i < card_option_count; i++)
		assert_non_null(xml_element_find(&xml_interface_table, card_options[i].element));
}

static void check_valid(const char *stem)
{
	struct error err = { 0 };
	char path[700], notes[4096];

	(void)snprintf(path, sizeof(path), "%s.notes", stem);
	/* what is ignored, as libvirt does, is no part of the schema */
	bool unknown = read_small(path, notes, sizeof(notes)) && strstr(notes, "there is no such");
	xml_of(stem, path);
	int rc = xml_validate(path, schema, &err);
	if (rc != (unknown ? -EINVAL : 0))
		fail_msg("%s: %s: %s", stem, err.where, err.text);
}

static void check_invalid(const char *stem)
{
	struct error err = { 0 };
	char path[700], expected[512];

	(void)snprintf(path, sizeof(path), "%s.expect", stem);
	assert_true(read_small(path, expected, sizeof(expected)));
	xml_of(stem, path);
	if (strstr(expected, "not legal") && xml_validate(path, schema, &err) != -EINVAL)
		fail_msg("%s: the schema allows what the reader refuses", stem);
}

static void schema_and_reader_agree(void **state)
{
	(void)state;
	each_file("good", check_valid);
	each_file("networks", check_valid);
	each_file("bad", check_invalid);
	each_file("bad-networks", check_invalid);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_stands_on_an_element_and_is_found_once),
		cmocka_unit_test(good_files_are_read_and_say_what_is_ignored),
		cmocka_unit_test(bad_files_are_refused_with_their_line_and_the_reason),
		cmocka_unit_test(what_is_written_says_the_same_as_what_was_read),
		cmocka_unit_test(excluded_ports_part_a_range),
		cmocka_unit_test(what_comes_through_a_pipe_is_read_and_then_written),
		cmocka_unit_test(other_elements_of_a_domain_stay),
		cmocka_unit_test(networks_are_read_from_several_files),
		cmocka_unit_test(bad_networks_are_refused_with_their_line_and_the_reason),
		cmocka_unit_test(schema_and_reader_agree),
		cmocka_unit_test(a_file_that_is_not_there_is_not_found),
		cmocka_unit_test(a_file_that_is_too_large_is_refused),
		cmocka_unit_test(an_item_that_no_reader_could_make_is_not_taken),
	};

	if (argc < 3)
		return 1;
	folder = argv[1];
	schema = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
