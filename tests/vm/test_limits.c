/*
 * Limits where this host has cgroup v2 to give, and one clear line where it has not: both are right here. What the
 * limits do is tested in tests/linux/limits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/command_fixture.h"
#include "lib/files.h"
#include "lodge_control.h"
#include "vm/suites.h"

static struct lodge_instance *instance;
static struct lodge_config config;
static struct lodge_error error;
static struct lodge_vm *vm;
static char home[4096];

static void read_own_cgroup(char text[4096])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	size_t len;

	ck_assert_ptr_nonnull(file);
	len = fread(text, 1, 4095, file);
	text[len] = '\0';
	fclose(file);
}

static void setup(void)
{
	command_setup();
	lodge_config_init(&config);
	read_own_cgroup(home);
	ck_assert_int_eq(lodge_instance_new("web", NULL, &instance, &error), 0);
}

/* Whatever there was: the process is where it was before, and the directory is empty. */
static void teardown(void)
{
	const struct lodge_result result = {.outcome = LODGE_STOPPED};
	char now[4096];

	lodge_instance_finish(instance, &result);
	lodge_vm_free(vm);
	lodge_instance_free(instance);
	read_own_cgroup(now);
	ck_assert_str_eq(now, home);
	ck_assert_int_eq(rmdir("rt"), 0);
	command_teardown();
}

/* One line, of the command's, that says what and what to do. */
static void expect_no_cgroups(const char *prefix, const char *text)
{
	ck_assert_msg(!strncmp(text, prefix, strlen(prefix)), "%s", text);
	ck_assert_msg(
		strstr(text, "mount") || strstr(text, "systemd") || strstr(text, "another name"), "%s", text);
	ck_assert_ptr_eq(
		strchr(text, '\n'), *text && text[strlen(text) - 1] == '\n' ? text + strlen(text) - 1 : NULL);
}

START_TEST(an_instance_gets_its_limits_or_says_why_not)
{
	const struct lodge_limits limits = {.cpu_max_percent = 50}, none = {0};
	unsigned fds = files_open_fds();
	char now[4096];

	if (lodge_instance_limit(instance, &limits, &error)) {
		ck_assert_int_eq(error.status, LODGE_STATUS_HOST);
		expect_no_cgroups("limits: ", error.text);
		ck_assert_int_ne(access("rt/web/cgroup", F_OK), 0);
	} else {
		read_own_cgroup(now);
		ck_assert_ptr_nonnull(strstr(now, "/lodge-web\n"));
		ck_assert_int_eq(access("rt/web/cgroup", F_OK), 0);
	}
	ck_assert_int_eq(lodge_instance_limit(instance, &none, &error), 0);
	ck_assert_uint_eq(files_open_fds(), fds);
}
END_TEST

static void serve(void)
{
	ck_assert_msg(!lodge_vm_new(&config, &vm, &error), "%s", error.text);
	ck_assert_msg(!lodge_instance_serve(instance, vm, &config, &error), "%s", error.text);
}

static void expect_set(const char *setting, int status, const char *text)
{
	ck_assert_msg(command_call(command, "set", "web", setting, NULL) == status, "%s: %d: %s", setting,
		command->status, command->err);
	ck_assert_msg(strstr(command->err, text), "%s: %s", setting, command->err);
	ck_assert_str_eq(command->out, "");
}

START_TEST(set_changes_a_limit_or_says_why_not)
{
	serve();
	if (command_call(command, "set", "web", "cpu-max=50%", "cpu-share=300", NULL)) {
		ck_assert_int_eq(command->status, LODGE_STATUS_HOST);
		expect_no_cgroups("lodge: set: limits: ", command->err);
		ck_assert_int_eq(command_call(command, "stats", "--json", "web", NULL), 0);
		ck_assert_ptr_nonnull(
			strstr(command->out, "\"limits\":{\"cpu_share\":0,\"cpu_max\":0,\"memory_max\":0}"));
	} else {
		ck_assert_int_eq(command_call(command, "stats", "--json", "web", NULL), 0);
		ck_assert_ptr_nonnull(strstr(command->out, "\"limits\":{\"cpu_share\":300,\"cpu_max\":50,"));
		expect_set("cpu-max=none", 0, "");
	}
	expect_set("memory-max=64M", LODGE_STATUS_USAGE, "memory-max of 64 MiB: with 128 MiB");
}
END_TEST

START_TEST(set_changes_the_rate_of_one_disk_or_of_all)
{
	const struct lodge_disk disks[2] = {{0}, {0}};

	config.disks = disks;
	config.disk_count = 2;
	serve();
	expect_set("disk-rate=bytes=1M,requests=10", 0, "");
	expect_set("disk-rate=1:none", 0, "");
	expect_set("disk-rate=2:bytes=1M", LODGE_STATUS_USAGE, "the guest has no disk 2");
}
END_TEST

START_TEST(set_of_all_disks_where_there_is_none_is_an_error)
{
	serve();
	expect_set("disk-rate=bytes=1M", LODGE_STATUS_USAGE, "the guest has no disk 0");
}
END_TEST

static const char *const bad_settings[] = {
	"cpu-max", "cpu=5", "=5", "", "cpu-maximum=5", "disk-rate", "disk=1"};

START_TEST(a_setting_that_is_none_gets_the_list)
{
	serve();
	expect_set(bad_settings[_i], LODGE_STATUS_USAGE,
		": not one of cpu-share=N, cpu-max=PERCENT, memory-max=SIZE, disk-rate=");
}
END_TEST

/* The first one would be told of by the guest's process, if it was sent. */
START_TEST(all_settings_are_checked_before_one_is_sent)
{
	serve();
	ck_assert_int_eq(
		command_call(command, "set", "web", "memory-max=64M", "cpu-max=0", NULL), LODGE_STATUS_USAGE);
	ck_assert_str_eq(command->err,
		"lodge: set: cpu-max '0': not percent of one CPU, such as 50%, 6400% at most, nor none\n");
	ck_assert_int_eq(command_call(command, "set", "nobody", "cpu-max=0", NULL), LODGE_STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(command->err, "cpu-max '0'"));
	ck_assert_int_eq(command_call(command, "set", "nobody", "cpu-max=5", NULL), LODGE_STATUS_USAGE);
	ck_assert_ptr_nonnull(strstr(command->err, "'nobody': no guest of this name is running"));
}
END_TEST

START_TEST(run_takes_limits_or_says_why_not)
{
	if (command_call(command, "run", "--cpu-max", "200%", "--append", "run=exit 3", NULL) != 3) {
		ck_assert_int_eq(command->status, LODGE_STATUS_HOST);
		expect_no_cgroups("lodge: run: limits: ", command->err);
	}
	ck_assert_int_eq(command_call(command, "list", NULL), 0);
}
END_TEST

Suite *limits_suite(void)
{
	Suite *suite = suite_create("limits");
	TCase *tcase = tcase_create("limits");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, an_instance_gets_its_limits_or_says_why_not);
	tcase_add_test(tcase, set_changes_a_limit_or_says_why_not);
	tcase_add_test(tcase, set_changes_the_rate_of_one_disk_or_of_all);
	tcase_add_test(tcase, set_of_all_disks_where_there_is_none_is_an_error);
	tcase_add_loop_test(tcase, a_setting_that_is_none_gets_the_list, 0,
		sizeof(bad_settings) / sizeof(bad_settings[0]));
	tcase_add_test(tcase, all_settings_are_checked_before_one_is_sent);
	tcase_add_test(tcase, run_takes_limits_or_says_why_not);
	suite_add_tcase(suite, tcase);
	return suite;
}
