/*
 * test_load.c - from a file or text to a snapshot, or to the list of faults
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_text.h"

static void an_unknown_section_is_told_with_the_nearest(void **state)
{
	refuse_one(REALM "config phnoe '1'\noption user 'x'\n", 2, "'phone'");
}

static void an_unknown_option_is_told_with_the_nearest(void **state)
{
	refuse_one("config realm 'x'\noption max_expire '60'\n", 2,
		   "'max_expires'");
}

static void a_second_value_is_refused_with_the_line_of_the_first(void **state)
{
	refuse_one("config realm 'x'\noption nat 'auto'\noption nat 'auto'\n",
		   3, "line 2");
}

static void option_and_list_are_not_the_same(void **state)
{
	refuse_one("config realm 'x'\noption listen 'udp:1'\n", 2,
		   "'list listen'");
	refuse_one("config realm 'x'\nlist nat 'auto'\n", 2, "'option nat'");
}

static void an_option_needs_a_section_before_it(void **state)
{
	refuse_one("option nat 'auto'\n" REALM, 1, "before the first");
}

static void the_global_section_has_its_name_and_stands_once(void **state)
{
	refuse_one("config sbc 'main'\n" REALM, 1, "global");
	refuse_one("config sbc 'global'\n" REALM "config sbc 'global'\n", 3,
		   "more than 1");
}

static void a_missing_need_is_told_with_the_section(void **state)
{
	refuse_one(REALM "\nconfig phone '1'\n", 3, "option password");
	refuse_one(REALM "config trunk 't'\noption realm 'lan'\n", 2,
		   "option host");
	refuse_one(REALM "config trunk 't'\noption host '192.0.2.1'\n", 2,
		   "option realm");
	refuse_one(REALM "config route 'r'\n", 2, "list to");
}

static void a_config_without_realm_is_refused(void **state)
{
	refuse_one("", 0, "realm");
	refuse_one("config sbc 'global'\n", 0, "realm");
}

static void all_faults_are_listed_in_the_order_of_lines(void **state)
{
	struct conf_errors errs = refuse("config sbc 'global'\n"
					 "option max_calls 'many'\n"
					 "config realm 'a'\n"
					 "option natt 'auto'\n"
					 "option 'open\n"
					 "config phone '1'\n"
					 "option realm 'b'\n");
	static const unsigned lines[] = {2, 4, 5, 6, 7};

	assert_int_equal(errs.n, 5);
	for (size_t i = 0; i < errs.n; i++)
		assert_int_equal(errs.list[i].line, lines[i]);
	conf_errors_clear(&errs);
}

static void the_list_of_faults_is_bounded(void **state)
{
	enum { LINES = 20000 };
	char *text = malloc(LINES * 8 + 1), *p = text;
	struct conf_errors errs;

	for (unsigned i = 0; i < LINES; i++)
		p = stpcpy(p, "garbage\n");
	errs = refuse(text);
	assert_int_equal(errs.n, 10001);
	assert_non_null(strstr(errs.list[10000].text, "more"));
	conf_errors_clear(&errs);
	free(text);
}

static void faults_of_an_unknown_section_end_with_it(void **state)
{
	refuse_one("config bogus 'x'\noption a 'b'\noption c 'd'\n" REALM, 1,
		   "bogus");
}

static void a_snapshot_lives_until_its_last_reference(void **state)
{
	struct config *c = parse(REALM);

	assert_ptr_equal(config_ref(c), c);
	config_unref(c);
	assert_non_null(config_realm(c, "lan"));
	config_unref(c);
	config_unref(NULL);
}

/* ---- files -------------------------------------------------------------- */

struct rig {
	char dir[32], conf[64], secrets[64];
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	strcpy(rig->dir, "/tmp/sbc-test-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->conf, sizeof(rig->conf), "%s/sbc.conf", rig->dir);
	snprintf(rig->secrets, sizeof(rig->secrets), "%s/secrets", rig->dir);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	unlink(rig->conf);
	unlink(rig->secrets);
	assert_int_equal(rmdir(rig->dir), 0);
	free(rig);
	return 0;
}

static void put(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

#define WITH_SECRET REALM "config phone '100'\noption password '@secret:desk'\n"

static void refuse_file(const struct rig *rig, const char *file, unsigned line,
			const char *words)
{
	struct conf_errors errs = {0};
	struct config *c = NULL;

	assert_int_equal(config_load(&c, rig->conf, &errs), -EINVAL);
	assert_true(errs.n > 0);
	assert_string_equal(errs.list[errs.n - 1].file, file);
	assert_int_equal(errs.list[errs.n - 1].line, line);
	assert_non_null(strstr(errs.list[errs.n - 1].text, words));
	conf_errors_clear(&errs);
}

static void a_file_is_loaded(void **state)
{
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *c = NULL;

	put(rig->conf, REALM, 0644);
	assert_int_equal(config_load(&c, rig->conf, &errs), 0);
	assert_non_null(config_realm(c, "lan"));
	config_unref(c);
	conf_errors_clear(&errs);
}

static void a_missing_file_is_told_by_name(void **state)
{
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *c = NULL;

	assert_int_equal(config_load(&c, rig->conf, &errs), -ENOENT);
	assert_int_equal(errs.n, 1);
	assert_string_equal(errs.list[0].file, rig->conf);
	assert_int_equal(errs.list[0].line, 0);
	conf_errors_clear(&errs);
}

static void a_directory_is_not_a_config(void **state)
{
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *c = NULL;

	assert_int_equal(config_load(&c, rig->dir, &errs), -EISDIR);
	assert_int_equal(errs.n, 1);
	conf_errors_clear(&errs);
}

static void a_secret_comes_from_the_file_beside_the_config(void **state)
{
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *c = NULL;

	put(rig->conf, WITH_SECRET, 0644);
	put(rig->secrets, "# phones\n\n desk = a=b c \nother=x\n", 0600);
	assert_int_equal(config_load(&c, rig->conf, &errs), 0);
	assert_string_equal(config_phone(c, "100")->password, "a=b c");
	config_unref(c);
	conf_errors_clear(&errs);
}

static void the_secrets_file_may_have_another_name(void **state)
{
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *c = NULL;

	put(rig->conf,
	    "config sbc 'global'\noption secrets 'secrets'\n" WITH_SECRET,
	    0644);
	put(rig->secrets, "desk=x", 0600);
	assert_int_equal(config_load(&c, rig->conf, &errs), 0);
	assert_string_equal(config_phone(c, "100")->password, "x");
	config_unref(c);
	conf_errors_clear(&errs);
}

static void the_flow_key_may_be_a_secret_of_enough_bytes(void **state)
{
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *c = NULL;

	put(rig->conf,
	    "config sbc 'global'\noption flow_key '@secret:key'\n" REALM, 0644);
	put(rig->secrets, "key=0123456789abcdef\n", 0600);
	assert_int_equal(config_load(&c, rig->conf, &errs), 0);
	assert_string_equal(config_global(c)->flow_key, "0123456789abcdef");
	config_unref(c);
	conf_errors_clear(&errs);
	put(rig->secrets, "key=0123456789abcde\n", 0600);
	refuse_file(rig, rig->conf, 2, "16 bytes or more");
}

static void secrets_that_others_may_read_are_refused(void **state)
{
	struct rig *rig = *state;

	put(rig->conf, WITH_SECRET, 0644);
	put(rig->secrets, "desk=x\n", 0640);
	refuse_file(rig, rig->secrets, 0, "0640");
	chmod(rig->secrets, 0604);
	refuse_file(rig, rig->secrets, 0, "0604");
}

static void a_missing_secrets_file_is_told(void **state)
{
	struct rig *rig = *state;

	put(rig->conf, WITH_SECRET, 0644);
	refuse_file(rig, rig->secrets, 0, "cannot be read");
}

static void a_missing_secret_is_told_with_the_line_of_its_use(void **state)
{
	struct rig *rig = *state;

	put(rig->conf, WITH_SECRET, 0644);
	put(rig->secrets, "desc=x\n", 0600);
	refuse_file(rig, rig->conf, 3, "'desk'");
}

static void faults_in_the_secrets_file_have_lines_but_no_values(void **state)
{
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *c = NULL;

	put(rig->conf, WITH_SECRET, 0644);
	put(rig->secrets, "desk=x\ntopsecret\ndesk=topsecret\nempty=\n", 0600);
	assert_int_equal(config_load(&c, rig->conf, &errs), -EINVAL);
	assert_int_equal(errs.n, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_string_equal(errs.list[i].file, rig->secrets);
		assert_int_equal(errs.list[i].line, i + 2);
		assert_null(strstr(errs.list[i].text, "topsecret"));
	}
	conf_errors_clear(&errs);
}

static void without_a_secret_in_use_no_file_is_opened(void **state)
{
	struct rig *rig = *state;
	struct conf_errors errs = {0};
	struct config *c = NULL;

	put(rig->conf, REALM, 0644);
	put(rig->secrets, "garbage", 0644);
	assert_int_equal(config_load(&c, rig->conf, &errs), 0);
	config_unref(c);
	conf_errors_clear(&errs);
}

int main(void)
{
#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_section_is_told_with_the_nearest),
		cmocka_unit_test(an_unknown_option_is_told_with_the_nearest),
		cmocka_unit_test(
			a_second_value_is_refused_with_the_line_of_the_first),
		cmocka_unit_test(option_and_list_are_not_the_same),
		cmocka_unit_test(an_option_needs_a_section_before_it),
		cmocka_unit_test(
			the_global_section_has_its_name_and_stands_once),
		cmocka_unit_test(a_missing_need_is_told_with_the_section),
		cmocka_unit_test(a_config_without_realm_is_refused),
		cmocka_unit_test(all_faults_are_listed_in_the_order_of_lines),
		cmocka_unit_test(the_list_of_faults_is_bounded),
		cmocka_unit_test(faults_of_an_unknown_section_end_with_it),
		cmocka_unit_test(a_snapshot_lives_until_its_last_reference),
		FILE_TEST(a_file_is_loaded),
		FILE_TEST(a_missing_file_is_told_by_name),
		FILE_TEST(a_directory_is_not_a_config),
		FILE_TEST(a_secret_comes_from_the_file_beside_the_config),
		FILE_TEST(the_secrets_file_may_have_another_name),
		FILE_TEST(the_flow_key_may_be_a_secret_of_enough_bytes),
		FILE_TEST(secrets_that_others_may_read_are_refused),
		FILE_TEST(a_missing_secrets_file_is_told),
		FILE_TEST(a_missing_secret_is_told_with_the_line_of_its_use),
		FILE_TEST(faults_in_the_secrets_file_have_lines_but_no_values),
		FILE_TEST(without_a_secret_in_use_no_file_is_opened),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
