/* The console on files, pipes and nothing at all: no byte is lost, and nothing hangs. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/command_fixture.h"
#include "lib/elf_builder.h"
#include "lib/files.h"
#include "vm/suites.h"

#define PASTE_SIZE 100000
#define LINE_SIZE  80

START_TEST(a_paste_of_100_kb_is_echoed_whole)
{
	const char *const argv[] = {command_lodge(), "run", NULL};
	char *paste = calloc(1, PASTE_SIZE + LINE_SIZE + 1), line[LINE_SIZE + 1];
	size_t len = 0;
	const char *at;

	while (len < PASTE_SIZE)
		len += (size_t)sprintf(paste + len, "echo %06zu %.*s\n", len, 60,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
	command->input = "";
	command->keep_input = true;
	command_start(command, argv);
	ck_assert(command_expect(command, "lodger> ", 20));
	command_send(command, paste, len);
	command_send(command, "poweroff\n", 9);
	ck_assert_int_eq(command_finish(command, 100), 0);
	/* Each line comes twice, as typed and as answered, and in order. */
	at = command->out;
	for (size_t pos = 0; pos < len;) {
		const char *end = strchr(paste + pos, '\n');

		snprintf(line, sizeof(line), "%.*s", (int)(end - (paste + pos)), paste + pos);
		at = strstr(at, line);
		ck_assert_msg(at != NULL, "no echo of '%s'", line);
		at = strstr(at + strlen(line), line + strlen("echo "));
		ck_assert_msg(at != NULL, "no answer to '%s'", line);
		pos = (size_t)(end - paste) + 1;
	}
	free(paste);
}
END_TEST

START_TEST(input_from_a_file_is_read_whole)
{
	const char *const argv[] = {"/bin/sh", "-c", "\"$0\" run < commands", command_lodge(), NULL};

	files_write("commands", "echo one\necho two\nexit 9\n", 25);
	command_start(command, argv);
	ck_assert_int_eq(command_finish(command, 30), 9);
	ck_assert_ptr_nonnull(strstr(command->out, "two"));
}
END_TEST

START_TEST(the_end_of_the_input_is_not_the_end_of_the_guest)
{
	command_start(command, (const char *const[]){command_lodge(), "run", NULL});
	ck_assert(command_expect(command, "lodger: ready", 30));
	usleep(300000);
	kill(command->pid, SIGTERM);
	ck_assert_int_eq(command_finish(command, 30), 115);
}
END_TEST

START_TEST(a_closed_stdin_is_no_input)
{
	command->close_stdin = true;
	ck_assert_int_eq(command_call(command, "run", "--append", "run=exit 3", NULL), 3);
	ck_assert_ptr_nonnull(strstr(command->out, "lodger"));
}
END_TEST

START_TEST(closed_standard_descriptors_do_not_end_up_as_disks)
{
	const char *const argv[] = {"/bin/sh", "-c",
		"\"$0\" run --disk path=disk.img --append 'run=echo hello;blk flush 0' 0<&- 1>&- 2>&-",
		command_lodge(), NULL};
	char bytes[4096] = {0}, zeroes[4096] = {0};
	int fd;

	files_make("disk.img", 1 << 20);
	command_start(command, argv);
	ck_assert_int_eq(command_finish(command, 30), 0);
	fd = open("disk.img", O_RDONLY);
	ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), sizeof(bytes));
	close(fd);
	ck_assert_mem_eq(bytes, zeroes, sizeof(bytes));
}
END_TEST

START_TEST(a_full_stdout_is_an_error_of_lodge)
{
	command->stdout_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(command_call(command, "run", NULL), 103);
	ck_assert_ptr_nonnull(strstr(command->err, "No space left on device"));
}
END_TEST

START_TEST(a_closed_pipe_is_an_error_of_lodge)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	close(fds[0]);
	command->stdout_fd = fds[1];
	ck_assert_int_eq(command_call(command, "run", NULL), 103);
	ck_assert_ptr_nonnull(strstr(command->err, "Broken pipe"));
}
END_TEST

START_TEST(other_commands_notice_a_full_stdout_too)
{
	command->stdout_fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_eq(command_call(command, "version", NULL), 103);
	ck_assert_int_eq(command_call(command, "info", NULL), 103);
	ck_assert_int_eq(command_call(command, "run", "--help", NULL), 103);
}
END_TEST

/* mov dx,0x3f8; 1: mov esi,0x100000; mov ecx,0x1000; rep outsb; jmp 1b: prints the memory that it lies in */
static const uint8_t print_for_ever[] = {
	0x66, 0xba, 0xf8, 0x03, 0xbe, 0, 0, 0x10, 0, 0xb9, 0, 0x10, 0, 0, 0xf3, 0x6e, 0xeb, 0xf2};

/* A pipe that nobody reads, filled by the guest, and then the ring. */
static void start_stalled(const char *timeout)
{
	const char *const argv[] = {command_lodge(), "run", "--timeout", timeout, "print.elf", NULL};
	int fds[2];

	elf_write_pvh("print.elf", print_for_ever, sizeof(print_for_ever));
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	fcntl(fds[1], F_SETPIPE_SZ, 4096);
	command->stdout_fd = fds[1];
	command_start(command, argv);
}

START_TEST(a_reader_that_stalls_does_not_outlive_the_timeout)
{
	start_stalled("1");
	ck_assert_int_eq(command_finish(command, 20), 114);
}
END_TEST

START_TEST(a_reader_that_stalls_does_not_keep_a_signal_from_stopping)
{
	start_stalled("100");
	sleep(1);
	kill(command->pid, SIGTERM);
	ck_assert_int_eq(command_finish(command, 20), 115);
}
END_TEST

START_TEST(a_slow_reader_gets_every_byte)
{
	const char *const argv[] = {"/bin/sh", "-c",
		"\"$0\" run --append 'run=blk read 0 0 16;echo the end' | (sleep 1; cat > slow)",
		command_lodge(), NULL};
	const char *const compare[] = {"/bin/sh", "-c",
		"\"$0\" run --append 'run=blk read 0 0 16;echo the end' > fast; cmp slow fast && "
		"grep -q 'the end' slow && test $(wc -c < slow) -gt 25000",
		command_lodge(), NULL};

	command_start(command, argv);
	ck_assert_int_eq(command_finish(command, 60), 0);
	command_start(command, compare);
	ck_assert_int_eq(command_finish(command, 60), 0);
}
END_TEST

START_TEST(console_none_prints_nothing_and_console_file_prints_there)
{
	char text[4096] = {0};
	int fd;

	ck_assert_int_eq(
		command_call(command, "run", "--console", "none", "--append", "run=exit 2", NULL), 2);
	ck_assert_str_eq(command->out, "");
	ck_assert_int_eq(
		command_call(command, "run", "--console", "file=log", "--append", "run=exit 2", NULL), 2);
	ck_assert_str_eq(command->out, "");
	fd = open("log", O_RDONLY);
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	close(fd);
	ck_assert_ptr_nonnull(strstr(text, "lodger"));
}
END_TEST

START_TEST(stdout_is_the_guests_console_and_nothing_else)
{
	ck_assert_int_eq(command_call(command, "run", "-v", "--append", "run=panic", NULL), 113);
	ck_assert_ptr_null(strstr(command->out, "lodge: "));
	ck_assert_ptr_nonnull(strstr(command->err, "lodge: run: panic"));
}
END_TEST

START_TEST(a_console_file_at_its_size_limit_is_an_error_of_lodge)
{
	const char *const argv[] = {"/bin/sh", "-c",
		"ulimit -f 1; exec \"$0\" run --console file=log --append 'run=blk read 0 0 64'",
		command_lodge(), NULL};

	command_start(command, argv);
	ck_assert_int_eq(command_finish(command, 30), 103);
	ck_assert_ptr_nonnull(strstr(command->err, "File too large"));
}
END_TEST

START_TEST(traces_tell_events_by_topic_on_stderr)
{
	ck_assert_int_eq(
		command_call(command, "run", "--trace", "all", "--append", "run=blk read 0 0;exit 5", NULL),
		5);
	ck_assert_ptr_nonnull(strstr(command->err, "\nexit io cpu 0\n"));
	ck_assert_ptr_nonnull(strstr(command->err, "\npio out 0xf4 4 0x5\n"));
	ck_assert_ptr_nonnull(strstr(command->err, "\nmmio read 0xd0000000 4 0x74726976\n"));
	ck_assert_ptr_nonnull(strstr(command->err, "\nvirtio slot 0 doorbell\n"));
	ck_assert_ptr_nonnull(strstr(command->err, "\nirq 16 edge\n"));
	ck_assert_int_eq(
		command_call(command, "run", "--trace", "irq", "--append", "run=blk read 0 0", NULL), 0);
	ck_assert_ptr_nonnull(strstr(command->err, "irq 16 edge\n"));
	ck_assert_ptr_null(strstr(command->err, "pio "));
	ck_assert_ptr_null(strstr(command->err, "exit "));
}
END_TEST

START_TEST(the_callers_descriptors_keep_their_flags)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	command->stdout_fd = fds[1];
	ck_assert_int_eq(command_call(command, "run", "--append", "run=poweroff", NULL), 0);
	ck_assert_int_eq(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

Suite *console_suite(void)
{
	Suite *suite = suite_create("console");
	TCase *tcase = tcase_create("descriptors"), *volume = tcase_create("volume");

	tcase_set_timeout(tcase, 240);
	tcase_add_checked_fixture(tcase, command_setup, command_teardown);
	tcase_add_test(volume, a_paste_of_100_kb_is_echoed_whole);
	tcase_add_test(tcase, input_from_a_file_is_read_whole);
	tcase_add_test(tcase, the_end_of_the_input_is_not_the_end_of_the_guest);
	tcase_add_test(tcase, a_closed_stdin_is_no_input);
	tcase_add_test(tcase, closed_standard_descriptors_do_not_end_up_as_disks);
	tcase_add_test(tcase, a_full_stdout_is_an_error_of_lodge);
	tcase_add_test(tcase, a_closed_pipe_is_an_error_of_lodge);
	tcase_add_test(tcase, other_commands_notice_a_full_stdout_too);
	tcase_add_test(tcase, a_reader_that_stalls_does_not_outlive_the_timeout);
	tcase_add_test(tcase, a_reader_that_stalls_does_not_keep_a_signal_from_stopping);
	tcase_add_test(volume, a_slow_reader_gets_every_byte);
	tcase_add_test(tcase, console_none_prints_nothing_and_console_file_prints_there);
	tcase_add_test(tcase, stdout_is_the_guests_console_and_nothing_else);
	tcase_add_test(tcase, a_console_file_at_its_size_limit_is_an_error_of_lodge);
	tcase_add_test(tcase, traces_tell_events_by_topic_on_stderr);
	tcase_add_test(tcase, the_callers_descriptors_keep_their_flags);
	suite_add_tcase(suite, tcase);
	/* Bytes by the hundred thousand: the same on every host, and the lane is too slow for them. */
	tcase_set_tags(volume, "volume");
	tcase_set_timeout(volume, 240);
	tcase_add_checked_fixture(volume, command_setup, command_teardown);
	suite_add_tcase(suite, volume);
	return suite;
}
