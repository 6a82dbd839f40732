/*
 * Limits by cgroup v2: where a process is, what is written, and what is said where it cannot be. Processes are moved
 * for real in tests/linux/limits.
 */
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/cgroup.h"
#include "lib/files.h"
#include "util/bytes.h"
#include "util/error.h"

static struct cgroup cgroup;
static struct error error;
static char here[80];

static FILE *as_file(const char *text)
{
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	rewind(file);
	return file;
}

#define MOUNT(ROOT, POINT) \
	"31 23 0:27 " ROOT " " POINT " rw,nosuid shared:9 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"
#define OTHERS                                             \
	"23 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n" \
	"24 23 0:22 / /proc rw,nosuid - proc proc rw\n"    \
	"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"

static const struct {
	const char *mountinfo, *self, *home, *top;
} found[] = {
	/* systemd's usual. */
	{OTHERS MOUNT("/", "/sys/fs/cgroup"), "0::/user.slice/session-1.scope\n",
		"/sys/fs/cgroup/user.slice/session-1.scope", "/sys/fs/cgroup"},
	/* Hybrid: the lines of v1 are passed over. */
	{OTHERS MOUNT("/", "/sys/fs/cgroup/unified"), "4:memory:/other\n1:name=systemd:/x\n0::/a/b\n",
		"/sys/fs/cgroup/unified/a/b", "/sys/fs/cgroup/unified"},
	/* The topmost one, as in a namespace of cgroups. */
	{MOUNT("/", "/sys/fs/cgroup"), "0::/\n", "/sys/fs/cgroup", "/sys/fs/cgroup"},
	/* A container that has a part of it mounted. */
	{MOUNT("/docker/1f", "/sys/fs/cgroup"), "0::/docker/1f/me\n", "/sys/fs/cgroup/me", "/sys/fs/cgroup"},
	{MOUNT("/docker/1f", "/sys/fs/cgroup"), "0::/docker/1f\n", "/sys/fs/cgroup", "/sys/fs/cgroup"},
	/* Of two, the one where this process is. */
	{MOUNT("/docker/1f", "/one") MOUNT("/", "/two"), "0::/docker/1f2\n", "/two/docker/1f2", "/two"},
	{MOUNT("/", "/a\\040b"), "0::/c\n", "/a b/c", "/a b"},
	{MOUNT("/", "/cg"), "0::/..hidden\n", NULL, NULL},
	{MOUNT("/docker/1f", "/cg"), "0::/docker/1f2\n", NULL, NULL},
	{MOUNT("/docker/1f", "/cg"), "0::/\n", NULL, NULL},
	{MOUNT("/", "/cg"), "0::/../../other\n", NULL, NULL},
};

START_TEST(the_cgroup_of_a_process_is_found)
{
	FILE *mountinfo = as_file(found[_i].mountinfo), *self = as_file(found[_i].self);
	char home[CGROUP_PATH_MAX], top[CGROUP_PATH_MAX];
	int err = cgroup_find(mountinfo, self, home, top, &error);

	if (found[_i].home) {
		ck_assert_int_eq(err, 0);
		ck_assert_str_eq(home, found[_i].home);
		ck_assert_str_eq(top, found[_i].top);
	} else {
		ck_assert_int_eq(err, -ENOENT);
		ck_assert_int_eq(error.kind, ERROR_HOST);
		ck_assert_ptr_nonnull(strstr(error.text, "without this process's cgroup, /"));
	}
	fclose(mountinfo);
	fclose(self);
}
END_TEST

static const struct {
	const char *mountinfo, *self;
} absent[] = {
	{OTHERS, "0::/\n"},
	{OTHERS, "4:memory:/\n"},
	{"", ""},
	{"31 23 0:27 / - cgroup2 cgroup2 rw\n", "0::/\n"},
	{"31 - cgroup2 \n - cgroup2 cgroup2", "0::/\n"},
};

START_TEST(where_there_is_none_the_line_says_so)
{
	FILE *mountinfo = as_file(absent[_i].mountinfo), *self = as_file(absent[_i].self);
	char home[CGROUP_PATH_MAX], top[CGROUP_PATH_MAX];

	ck_assert_int_eq(cgroup_find(mountinfo, self, home, top, &error), -ENOENT);
	ck_assert_int_eq(error.kind, ERROR_HOST);
	ck_assert_ptr_nonnull(strstr(error.text, "not mounted here"));
	fclose(mountinfo);
	fclose(self);
}
END_TEST

/* A folder that looks like cgroups: top/home, with files that take what is written to them. */

static void put(const char *path, const char *text)
{
	files_write(path, text, strlen(text));
}

static void expect_file(const char *path, const char *wanted)
{
	char text[256] = "";
	int fd = open(path, O_RDONLY);

	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	ck_assert_str_eq(text, wanted);
}

static void setup(void)
{
	char text[256];
	int dir_fd;

	files_setup();
	memset(&error, 0, sizeof(error));
	ck_assert_ptr_nonnull(getcwd(here, sizeof(here)));
	ck_assert(!mkdir("top", 0700) && !mkdir("top/home", 0700) && !mkdir("entry", 0700));
	put("top/cgroup.controllers", "cpuset cpu io memory\n");
	put("top/home/cgroup.controllers", "cpuset cpu memory pids\n");
	put("top/home/cgroup.subtree_control", "");
	put("top/home/cgroup.procs", "");
	snprintf(text, sizeof(text), "31 23 0:27 / %s/top rw - cgroup2 cgroup2 rw\n", here);
	put("mountinfo", text);
	put("self", "0::/home\n");
	dir_fd = open("entry", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir_fd, 0);
	cgroup_init(&cgroup, "web", dir_fd);
	cgroup.mountinfo = "mountinfo";
	cgroup.self = "self";
}

static void teardown(void)
{
	if (cgroup.dir_fd >= 0)
		close(cgroup.dir_fd);
	cgroup_fini(&cgroup);
	files_teardown();
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

/* Nothing is left of an attempt. */
static void expect_failure(const struct lodge_limits *limits, int wanted, const char *text)
{
	struct cgroup_figures figures;

	ck_assert_int_eq(cgroup_limit(&cgroup, limits, &error), wanted);
	ck_assert_int_eq(error.kind, ERROR_HOST);
	ck_assert_msg(strstr(error.text, text), "%s", error.text);
	ck_assert(!exists("top/home/lodge-web"));
	ck_assert(!exists("entry/cgroup"));
	cgroup_read(&cgroup, &figures);
	ck_assert(!figures.present);
	ck_assert_uint_eq(figures.limits.cpu_max_percent, 0);
}

static const struct lodge_limits half = {.cpu_max_percent = 50}, small = {.memory_max = GIB(1)}, none;

START_TEST(no_limit_makes_nothing)
{
	struct cgroup_figures figures = {.present = true};

	unlink("mountinfo");
	ck_assert_int_eq(cgroup_limit(&cgroup, &none, &error), 0);
	cgroup_read(&cgroup, &figures);
	ck_assert(!figures.present);
	ck_assert(!exists("top/home/lodge-web"));
}
END_TEST

START_TEST(a_host_without_the_controller_is_told_of)
{
	put("top/cgroup.controllers", "hugetlb cpuset\n");
	put("top/home/cgroup.controllers", "hugetlb cpuset\n");
	expect_failure(&half, -EOPNOTSUPP, "/top: cgroup v2 has no cpu controller here");
	expect_failure(&small, -EOPNOTSUPP, "no memory controller here");
	ck_assert_ptr_nonnull(strstr(error.text, "systemd.unified_cgroup_hierarchy=1"));
}
END_TEST

START_TEST(a_cgroup_that_was_not_given_the_controller_is_told_of)
{
	put("top/home/cgroup.controllers", "memory pids\n");
	expect_failure(&half, -EOPNOTSUPP, "/top/home: the cpu controller is not given to this cgroup");
	ck_assert_ptr_nonnull(strstr(error.text, "-p Delegate=yes"));
	ck_assert_ptr_nonnull(strstr(error.text, geteuid() ? "systemd-run --user" : "systemd-run --scope"));
}
END_TEST

/* In a folder there is no cgroup.procs to move into. */
START_TEST(a_move_that_fails_leaves_nothing)
{
	expect_failure(&half, -ENOENT, "/top/home/lodge-web: this process cannot be moved there");
	expect_file("top/home/cgroup.procs", "0");
	expect_file("top/home/cgroup.subtree_control", "");
}
END_TEST

START_TEST(a_cgroup_that_cannot_be_made_is_told_of)
{
	put("self", "0::/home/cgroup.procs\n");
	put("top/home/cgroup.controllers", "cpu\n");
	expect_failure(&half, -EOPNOTSUPP, "");
	cgroup.sought = false;
	put("self", "0::/gone\n");
	expect_failure(&half, -EOPNOTSUPP, "/top/gone: ");
}
END_TEST

START_TEST(the_cgroup_of_another_guest_is_left_alone)
{
	ck_assert(!mkdir("top/home/lodge-web", 0700));
	put("top/home/lodge-web/cgroup.procs", "4711\n");
	ck_assert_int_eq(cgroup_limit(&cgroup, &half, &error), -EEXIST);
	ck_assert_int_eq(error.kind, ERROR_HOST);
	ck_assert_ptr_nonnull(strstr(error.text, "/top/home/lodge-web: this cgroup is in use"));
	expect_file("top/home/lodge-web/cgroup.procs", "4711\n");
	ck_assert(!exists("entry/cgroup"));
}
END_TEST

/* What is written, into files that are there. */
static void expect_written(const struct lodge_limits *limits, unsigned mask, const char *weight,
	const char *quota, const char *memory)
{
	put("top/cpu.weight", "");
	put("top/cpu.max", "");
	put("top/memory.max", "");
	ck_assert_int_eq(cgroup_write(AT_FDCWD, "top", mask, limits, &error), 0);
	expect_file("top/cpu.weight", weight);
	expect_file("top/cpu.max", quota);
	expect_file("top/memory.max", memory);
}

START_TEST(the_files_say_what_was_asked_for)
{
	const struct lodge_limits all = {.cpu_share = 300, .cpu_max_percent = 250, .memory_max = GIB(3)};
	const struct lodge_limits least = {.cpu_share = 1, .cpu_max_percent = 1, .memory_max = 1};
	const struct lodge_limits most = {.cpu_share = LODGE_CPU_SHARE_MAX,
		.cpu_max_percent = LODGE_CPU_MAX_MAX,
		.memory_max = INT64_MAX};

	expect_written(&all, CGROUP_CPU | CGROUP_MEMORY, "300", "250000 100000", "3221225472");
	expect_written(&all, CGROUP_CPU, "300", "250000 100000", "");
	expect_written(&all, CGROUP_MEMORY, "", "", "3221225472");
	expect_written(&least, CGROUP_CPU | CGROUP_MEMORY, "1", "1000 100000", "1");
	expect_written(&most, CGROUP_CPU | CGROUP_MEMORY, "10000", "6400000 100000", "9223372036854775807");
	expect_written(&none, CGROUP_CPU | CGROUP_MEMORY, "100", "max", "max");
	unlink("top/cpu.max");
	ck_assert_int_eq(cgroup_write(AT_FDCWD, "top", CGROUP_CPU, &all, &error), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error.text, "top/cpu.max: No such file"));
}
END_TEST

START_TEST(the_figures_are_those_of_the_kernel)
{
	struct cgroup_figures figures;

	snprintf(cgroup.path, sizeof(cgroup.path), "top");
	cgroup.controllers = CGROUP_CPU | CGROUP_MEMORY;
	cgroup.limits = half;
	put("top/cpu.stat", "usage_usec 7\nnr_periods 1\nnr_throttled 2\nthrottled_usec 345\nburst_usec 0\n");
	put("top/memory.current", "2883584\n");
	cgroup_read(&cgroup, &figures);
	ck_assert(figures.present);
	ck_assert_uint_eq(figures.limits.cpu_max_percent, 50);
	ck_assert_uint_eq(figures.throttled_us, 345);
	ck_assert_uint_eq(figures.memory, 2883584);
	cgroup.controllers = CGROUP_CPU;
	cgroup_read(&cgroup, &figures);
	ck_assert_uint_eq(figures.memory, 0);
	unlink("top/cpu.stat");
	cgroup_read(&cgroup, &figures);
	ck_assert_uint_eq(figures.throttled_us, 0);
	*cgroup.path = '\0';
}
END_TEST

START_TEST(what_a_killed_guest_left_is_removed)
{
	char path[128];

	ck_assert(!mkdir("top/home/lodge-web", 0700));
	snprintf(path, sizeof(path), "%s/top/home/lodge-web", here);
	put("entry/cgroup", path);
	cgroup_remove_noted(cgroup.dir_fd);
	ck_assert(!exists("top/home/lodge-web"));
	ck_assert(!exists("entry/cgroup"));
	cgroup_remove_noted(cgroup.dir_fd);
}
END_TEST

START_TEST(nothing_else_is_removed)
{
	char path[128];

	ck_assert(!mkdir("top/home/other", 0700));
	snprintf(path, sizeof(path), "%s/top/home/other", here);
	put("entry/cgroup", path);
	cgroup_remove_noted(cgroup.dir_fd);
	ck_assert(exists("top/home/other"));
	ck_assert(!exists("entry/cgroup"));
	put("entry/cgroup", "");
	cgroup_remove_noted(cgroup.dir_fd);
	ck_assert(!exists("entry/cgroup"));
}
END_TEST

START_TEST(limits_are_checked_against_the_machine)
{
	struct lodge_disk scratch[2] = {{.path = "a.img", .size = GIB(1)}, {.size = MIB(100)}};
	struct lodge_limits limits = {.cpu_share = LODGE_CPU_SHARE_MAX, .cpu_max_percent = LODGE_CPU_MAX_MAX};
	struct lodge_config config;

	lodge_config_init(&config);
	ck_assert_int_eq(cgroup_check(&limits, &config, &error), 0);
	limits.cpu_share++;
	ck_assert_int_eq(cgroup_check(&limits, &config, &error), -EINVAL);
	ck_assert_int_eq(error.kind, ERROR_USAGE);
	limits = (struct lodge_limits){.cpu_max_percent = LODGE_CPU_MAX_MAX + 1};
	ck_assert_int_eq(cgroup_check(&limits, &config, &error), -EINVAL);
	/* 128 MiB, 2 for tables, 32 for lodge. */
	limits = (struct lodge_limits){.memory_max = MIB(162)};
	ck_assert_int_eq(cgroup_check(&limits, &config, &error), 0);
	limits.memory_max--;
	ck_assert_int_eq(cgroup_check(&limits, &config, &error), -EINVAL);
	ck_assert_ptr_nonnull(strstr(error.text, "128 MiB of guest memory it is to be 162 MiB at least"));
	config.overcommit = true;
	ck_assert_int_eq(cgroup_check(&limits, &config, &error), 0);
	config.overcommit = false;
	config.disks = scratch;
	config.disk_count = 2;
	limits.memory_max = MIB(262) - 1;
	ck_assert_int_eq(cgroup_check(&limits, &config, &error), -EINVAL);
	limits.memory_max++;
	ck_assert_int_eq(cgroup_check(&limits, &config, &error), 0);
}
END_TEST

Suite *cgroup_suite(void)
{
	Suite *suite = suite_create("cgroup");
	TCase *tcase = tcase_create("cgroup");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, the_cgroup_of_a_process_is_found, 0, ARRAY_SIZE(found));
	tcase_add_loop_test(tcase, where_there_is_none_the_line_says_so, 0, ARRAY_SIZE(absent));
	tcase_add_test(tcase, no_limit_makes_nothing);
	tcase_add_test(tcase, a_host_without_the_controller_is_told_of);
	tcase_add_test(tcase, a_cgroup_that_was_not_given_the_controller_is_told_of);
	tcase_add_test(tcase, a_move_that_fails_leaves_nothing);
	tcase_add_test(tcase, a_cgroup_that_cannot_be_made_is_told_of);
	tcase_add_test(tcase, the_cgroup_of_another_guest_is_left_alone);
	tcase_add_test(tcase, the_files_say_what_was_asked_for);
	tcase_add_test(tcase, the_figures_are_those_of_the_kernel);
	tcase_add_test(tcase, what_a_killed_guest_left_is_removed);
	tcase_add_test(tcase, nothing_else_is_removed);
	tcase_add_test(tcase, limits_are_checked_against_the_machine);
	suite_add_tcase(suite, tcase);
	return suite;
}
