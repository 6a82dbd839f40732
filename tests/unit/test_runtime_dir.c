/* The runtime directory: who has a name, and how what dead guests left is told from those that live. */
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/runtime_dir.h"
#include "lib/files.h"
#include "lodge_control.h"
#include "util/error.h"

static struct runtime_entry entry;
static struct error error;

static void setup(void)
{
	files_setup();
	memset(&error, 0, sizeof(error));
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static unsigned count_names(void)
{
	unsigned count = 99;
	char **names;

	ck_assert_int_eq(runtime_list(&names, &count, &error), 0);
	free(names);
	return count;
}

/* What kill -9 leaves: files, and no lock. */
static void leave_a_dead_guest(const char *name)
{
	pid_t pid = fork();

	if (!pid) {
		struct runtime_entry dead;

		_exit(runtime_claim(name, &dead, NULL) ||
			openat(dead.dir_fd, CONTROL_SOCKET, O_CREAT | O_WRONLY, 0600) < 0 ||
			openat(dead.dir_fd, CONSOLE_SOCKET, O_CREAT | O_WRONLY, 0600) < 0);
	}
	ck_assert_int_eq(waitpid(pid, &(int){0}, 0), pid);
}

START_TEST(a_claimed_name_has_a_directory_of_its_own_closed_to_others)
{
	struct stat st;

	ck_assert_int_eq(runtime_claim("web", &entry, &error), 0);
	ck_assert_int_eq(stat("rt", &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	ck_assert_int_eq(stat("rt/web", &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	ck_assert_int_eq(stat("rt/web/lock", &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	runtime_release(&entry);
	ck_assert(!exists("rt/web"));
	runtime_release(&entry);
}
END_TEST

START_TEST(a_name_is_had_once)
{
	struct runtime_entry second;

	ck_assert_int_eq(runtime_claim("web", &entry, &error), 0);
	ck_assert_int_eq(runtime_claim("web", &second, &error), -EEXIST);
	ck_assert_int_eq(error.kind, ERROR_USAGE);
	ck_assert_ptr_nonnull(strstr(error.text, "'web'"));
	ck_assert_int_eq(runtime_claim("web2", &second, &error), 0);
	ck_assert_uint_eq(count_names(), 2);
	runtime_release(&entry);
	runtime_release(&second);
	ck_assert_uint_eq(count_names(), 0);
}
END_TEST

START_TEST(names_are_listed_in_order)
{
	static const char *const wanted[] = {"a", "b1", "b10", "c.d-e_f"};
	struct runtime_entry entries[4];
	unsigned count;
	char **names;

	for (unsigned i = 0; i < 4; i++)
		ck_assert_int_eq(runtime_claim(wanted[(i + 2) % 4], &entries[i], &error), 0);
	ck_assert_int_eq(runtime_list(&names, &count, &error), 0);
	ck_assert_uint_eq(count, 4);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_str_eq(names[i], wanted[i]);
	free(names);
}
END_TEST

START_TEST(without_a_directory_the_list_is_empty_and_nothing_is_made)
{
	ck_assert_uint_eq(count_names(), 0);
	ck_assert(!exists("rt"));
}
END_TEST

static const char *const bad_names[] = {"", ".", "..", ".hidden", "-x", "_x", "a/b", "../a", "a b", "a\n",
	"\xc3\xa4", "0123456789012345678901234567890123456789012345678901234567890123x"};

START_TEST(a_bad_name_is_no_name)
{
	ck_assert(!runtime_name_valid(bad_names[_i]));
	ck_assert_int_eq(runtime_claim(bad_names[_i], &entry, &error), -EINVAL);
	ck_assert_int_eq(error.kind, ERROR_USAGE);
	ck_assert_int_eq(runtime_look(bad_names[_i], &error), -ESRCH);
	ck_assert(!exists("rt"));
}
END_TEST

START_TEST(the_longest_name_is_one)
{
	ck_assert(runtime_name_valid("0123456789012345678901234567890123456789012345678901234567890123"));
}
END_TEST

START_TEST(what_a_killed_guest_left_is_removed_by_who_lists)
{
	leave_a_dead_guest("dead");
	ck_assert(exists("rt/dead/control"));
	ck_assert_uint_eq(count_names(), 0);
	ck_assert(!exists("rt/dead"));
}
END_TEST

START_TEST(what_a_killed_guest_left_is_removed_by_who_looks_for_it)
{
	leave_a_dead_guest("dead");
	ck_assert_int_eq(runtime_look("dead", &error), -ESRCH);
	ck_assert(!exists("rt/dead"));
}
END_TEST

START_TEST(the_name_of_a_killed_guest_can_be_claimed)
{
	leave_a_dead_guest("dead");
	ck_assert_int_eq(runtime_claim("dead", &entry, &error), 0);
	ck_assert(!exists("rt/dead/control"));
	ck_assert_int_eq(runtime_look("dead", &error), 0);
	runtime_release(&entry);
}
END_TEST

START_TEST(a_directory_that_is_open_to_others_is_refused)
{
	ck_assert_int_eq(mkdir("rt", 0700), 0);
	ck_assert_int_eq(chmod("rt", 0770), 0);
	ck_assert_int_eq(runtime_claim("web", &entry, &error), -EPERM);
	ck_assert_int_eq(error.kind, ERROR_HOST);
	ck_assert_ptr_nonnull(strstr(error.text, "/rt: "));
	ck_assert(!exists("rt/web"));
}
END_TEST

/* Nobody else may lay out a directory for root in /tmp, say. */
START_TEST(a_directory_of_another_user_is_refused)
{
	if (geteuid()) {
		printf("SKIPPED: a_directory_of_another_user_is_refused: only root can give one away\n");
		return;
	}
	ck_assert_int_eq(mkdir("rt", 0700), 0);
	ck_assert_int_eq(chown("rt", 65534, 65534), 0);
	ck_assert_int_eq(runtime_claim("web", &entry, &error), -EPERM);
	ck_assert(!exists("rt/web"));
}
END_TEST

/* A process was killed before it could make the lock. */
START_TEST(an_empty_entry_is_removed_by_who_lists)
{
	ck_assert_int_eq(mkdir("rt", 0700), 0);
	ck_assert_int_eq(mkdir("rt/web", 0700), 0);
	ck_assert_uint_eq(count_names(), 0);
	ck_assert(!exists("rt/web"));
}
END_TEST

START_TEST(a_name_is_made_up_of_what_the_kernels_file_has_for_one)
{
	static const char *const kernels[][2] = {
		{"/boot/_vm linuz@6.1", "vmlinuz6.1-1"}, {"dir/\xc3\xa4", "guest-1"}, {NULL, "lodger-1"}};
	struct lodge_instance *instance;

	ck_assert_int_eq(lodge_instance_new(NULL, kernels[_i][0], &instance, NULL), 0);
	ck_assert_str_eq(lodge_instance_name(instance), kernels[_i][1]);
	lodge_instance_free(instance);
	ck_assert_int_eq(rmdir("rt"), 0); /* nothing is left, nor has anybody to remove it */
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
	ck_assert_int_eq(mkdir("elsewhere", 0700), 0);
	ck_assert_int_eq(symlink("elsewhere", "rt"), 0);
	ck_assert_int_lt(runtime_claim("web", &entry, &error), 0);
	ck_assert(!exists("elsewhere/web"));
}
END_TEST

START_TEST(a_path_too_long_for_a_socket_is_told)
{
	char path[RUNTIME_PATH_MAX], base[RUNTIME_PATH_MAX + 10];

	memset(base, 'x', sizeof(base));
	base[0] = '/';
	base[RUNTIME_PATH_MAX - 8] = '\0';
	setenv("LODGE_RUNTIME_DIR", base, 1);
	ck_assert_int_eq(runtime_path("name", CONTROL_SOCKET, path, &error), -ENAMETOOLONG);
	ck_assert_int_eq(error.kind, ERROR_USAGE);
}
END_TEST

START_TEST(the_directory_is_the_first_of_four)
{
	char path[RUNTIME_PATH_MAX], wanted[RUNTIME_PATH_MAX];

	unsetenv("LODGE_RUNTIME_DIR");
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	ck_assert_int_eq(runtime_path("n", "f", path, &error), 0);
	ck_assert_str_eq(path, "/run/user/7/lodge/n/f");
	unsetenv("XDG_RUNTIME_DIR");
	if (geteuid())
		snprintf(wanted, sizeof(wanted), "/tmp/lodge-%u/n/f", (unsigned)geteuid());
	else
		snprintf(wanted, sizeof(wanted), "/run/lodge/n/f");
	ck_assert_int_eq(runtime_path("n", "f", path, &error), 0);
	ck_assert_str_eq(path, wanted);
}
END_TEST

/* Some claim and let go, others list, which removes what looks dead: at no time do two have the name. */
START_TEST(processes_that_race_for_a_name_never_both_get_it)
{
	enum { PROCESSES = 6, ROUNDS = 150 };
	pid_t pids[PROCESSES];

	ck_assert_int_eq(mkdir("mark", 0700), 0);
	for (unsigned p = 0; p < PROCESSES; p++) {
		pids[p] = fork();
		for (unsigned i = 0; !pids[p] && i < ROUNDS; i++) {
			if (p % 3 == 2) {
				count_names();
			} else if (!runtime_claim("web", &entry, NULL)) {
				/* Fails if another one has it. */
				if (mkdir("mark/held", 0700) || rmdir("mark/held"))
					_exit(1);
				runtime_release(&entry);
			}
		}
		if (!pids[p])
			_exit(0);
	}
	for (unsigned p = 0; p < PROCESSES; p++) {
		int status;

		ck_assert_int_eq(waitpid(pids[p], &status, 0), pids[p]);
		ck_assert_int_eq(status, 0);
	}
	ck_assert_uint_eq(count_names(), 0);
	ck_assert(!exists("rt/web"));
}
END_TEST

Suite *runtime_dir_suite(void)
{
	Suite *suite = suite_create("runtime_dir");
	TCase *tcase = tcase_create("runtime_dir");

	tcase_add_checked_fixture(tcase, setup, files_teardown);
	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, a_claimed_name_has_a_directory_of_its_own_closed_to_others);
	tcase_add_test(tcase, a_name_is_had_once);
	tcase_add_test(tcase, names_are_listed_in_order);
	tcase_add_test(tcase, without_a_directory_the_list_is_empty_and_nothing_is_made);
	tcase_add_loop_test(tcase, a_bad_name_is_no_name, 0, sizeof(bad_names) / sizeof(bad_names[0]));
	tcase_add_test(tcase, the_longest_name_is_one);
	tcase_add_test(tcase, what_a_killed_guest_left_is_removed_by_who_lists);
	tcase_add_test(tcase, what_a_killed_guest_left_is_removed_by_who_looks_for_it);
	tcase_add_test(tcase, the_name_of_a_killed_guest_can_be_claimed);
	tcase_add_test(tcase, a_directory_that_is_open_to_others_is_refused);
	tcase_add_test(tcase, a_directory_of_another_user_is_refused);
	tcase_add_test(tcase, an_empty_entry_is_removed_by_who_lists);
	tcase_add_loop_test(tcase, a_name_is_made_up_of_what_the_kernels_file_has_for_one, 0, 3);
	tcase_add_test(tcase, a_symbolic_link_is_not_followed);
	tcase_add_test(tcase, a_path_too_long_for_a_socket_is_told);
	tcase_add_test(tcase, the_directory_is_the_first_of_four);
	tcase_add_test(tcase, processes_that_race_for_a_name_never_both_get_it);
	suite_add_tcase(suite, tcase);
	return suite;
}
