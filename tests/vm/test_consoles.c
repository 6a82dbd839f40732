/* Several consoles at once: files, a pty, and a socket that many connect to. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/command_fixture.h"
#include "lib/elf_builder.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "vm/suites.h"

#define SECONDS 60 /* nothing good takes as long, even on a busy machine */

static void setup(void)
{
	command_setup();
	command->input = "";
	command->keep_input = true;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	/* lodge may still be on its way to listen(). */
	for (unsigned tries = 0; tries < SECONDS * 100; tries++) {
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return fd;
		usleep(10000);
	}
	ck_abort_msg("%s: %s", path, strerror(errno));
}

/* Reads until the text has come. */
static void expect(int fd, const char *text)
{
	static char seen[65536];
	size_t len = 0;

	seen[0] = '\0';
	while (!strstr(seen, text)) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		ssize_t count;

		ck_assert_msg(poll(&ready, 1, SECONDS * 1000) == 1, "no '%s' in '%s'", text, seen);
		count = read(fd, seen + len, sizeof(seen) - 1 - len);
		ck_assert_msg(count > 0, "no '%s' at the end of '%s'", text, seen);
		len += (size_t)count;
		seen[len] = '\0';
	}
}

static void type(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void start(const char *first, const char *second)
{
	const char *const argv[] = {command_lodge(), "run", "--console", first, "--console", second, NULL};

	command_start(command, argv);
	ck_assert_msg(command_expect(command, "lodger> ", SECONDS), "%s", command->err);
}

START_TEST(two_consoles_get_the_same_bytes)
{
	char text[4096] = "";
	int fd;

	ck_assert_int_eq(command_call(command, "run", "--console", "stdio", "--console", "file=log",
				 "--append", "run=info;exit 2", NULL),
		2);
	fd = open("log", O_RDONLY);
	ck_assert_int_eq(read(fd, text, sizeof(text)), (ssize_t)command->out_len);
	close(fd);
	ck_assert_uint_gt(command->out_len, 100);
	ck_assert_mem_eq(text, command->out, command->out_len);
}
END_TEST

START_TEST(a_pty_is_a_console_for_whoever_opens_it)
{
	char name[64];
	int fd = posix_openpt(O_RDWR | O_NOCTTY);

	if (fd < 0) {
		printf("SKIPPED: pty: none can be had: is /dev/pts mounted?\n");
		return;
	}
	close(fd);
	start("pty", "stdio");
	ck_assert_msg(
		sscanf(command->err, "lodge: run: the console is at %63s\n", name) == 1, "%s", command->err);
	fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	expect(fd, "lodger> ");
	type(fd, "echo abc-def\r");
	expect(fd, "\r\nabc-def");
	close(fd);
	/* Nobody is there; and then somebody is again. */
	usleep(100000);
	fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	type(fd, "exit 7\r");
	ck_assert_int_eq(command_finish(command, SECONDS), 7);
	close(fd);
}
END_TEST

START_TEST(a_socket_replays_and_takes_input)
{
	struct stat st;
	int fd;

	umask(0);
	start("socket=sock", "stdio");
	ck_assert_int_eq(stat("sock", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	fd = connect_to("sock");
	expect(fd, "lodger: ready");
	type(fd, "echo abc-def\r");
	ck_assert(command_expect(command, "\nabc-def", SECONDS));
	close(fd);
	fd = connect_to("sock");
	expect(fd, "\nabc-def");
	type(fd, "exit 5\r");
	ck_assert_int_eq(command_finish(command, SECONDS), 5);
	close(fd);
	ck_assert_int_eq(stat("sock", &st), -1);
}
END_TEST

START_TEST(a_socket_without_any_other_console_is_enough)
{
	const char *const argv[] = {command_lodge(), "run", "--console", "socket=sock", NULL};
	int fd;

	command_start(command, argv);
	fd = connect_to("sock");
	expect(fd, "lodger> ");
	type(fd, "exit 6\r");
	ck_assert_int_eq(command_finish(command, SECONDS), 6);
	ck_assert_uint_eq(command->out_len, 0);
	close(fd);
}
END_TEST

START_TEST(a_signal_removes_the_socket_too)
{
	struct stat st;

	umask(0777);
	start("stdio", "socket=sock");
	ck_assert_int_eq(stat("sock", &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	kill(command->pid, SIGTERM);
	ck_assert_int_eq(command_finish(command, SECONDS), 115);
	ck_assert_int_eq(stat("sock", &st), -1);
}
END_TEST

static int run_with_socket(const char *console)
{
	return command_call(command, "run", "--console", console, "--append", "run=exit 3", NULL);
}

START_TEST(a_socket_is_replaced_when_its_owner_is_dead_and_never_else)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(run_with_socket("socket=sock"), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "--console socket=sock: another process listens there"));
	close(fd);
	ck_assert_int_eq(stat("sock", &st), 0);
	ck_assert_int_eq(run_with_socket("socket=sock"), 3);
	ck_assert_int_eq(stat("sock", &st), -1);
	files_write("sock", "precious", 8);
	ck_assert_int_eq(run_with_socket("socket=sock"), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "--console socket=sock: there is another file"));
	ck_assert_int_eq(stat("sock", &st), 0);
	ck_assert_int_eq(st.st_size, 8);
}
END_TEST

START_TEST(consoles_that_cannot_be_opened_are_named)
{
	char name[200] = "socket=";

	memset(name + 7, 'x', 120);
	ck_assert_int_eq(run_with_socket(name), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "longer than the 107 bytes"));
	ck_assert_int_eq(run_with_socket("socket=missing/sock"), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "--console socket=missing/sock: No such file"));
	ck_assert_int_eq(run_with_socket("file=missing/log"), 100);
	ck_assert_ptr_nonnull(strstr(command->err, "--console file=missing/log: No such file"));
}
END_TEST

#define TEXT_SIZE 4099
#define TEXTS     75
#define CODE_SIZE 30

/* Prints the text that follows it so many times, and leaves with 42. */
static const uint8_t print_code[CODE_SIZE] = {
	0x66, 0xba, 0xf8, 0x03,           /* mov dx,0x3f8 */
	0xbb, TEXTS, 0, 0, 0,             /* mov ebx,TEXTS */
	0xbe, CODE_SIZE, 0, 0x10, 0,      /* 1: mov esi,text */
	0xb9, 0x03, 0x10, 0, 0,           /* mov ecx,TEXT_SIZE */
	0xf3, 0x6e,                       /* rep outsb */
	0x4b,                             /* dec ebx */
	0x75, 0xf1,                       /* jnz 1b */
	0xb0, 42, 0xe6, 0xf4, 0xeb, 0xfe, /* mov al,42; out 0xf4,al; jmp . */
};

static uint8_t kernel[CODE_SIZE + TEXT_SIZE];

static void write_print_kernel(void)
{
	uint32_t state = 1;

	memcpy(kernel, print_code, CODE_SIZE);
	for (unsigned i = CODE_SIZE; i < sizeof(kernel); i++) {
		state = state * 1664525 + 1013904223;
		kernel[i] = (uint8_t)(state >> 24);
	}
	ck_assert_int_eq(elf_write_pvh("print.elf", kernel, sizeof(kernel)), 0);
}

/* More than a socket holds: who reads gets all of it, and who does not is waited for by nobody. */
START_TEST(readers_of_a_socket_get_all_while_one_stalls)
{
	const char *const argv[] = {command_lodge(), "run", "--console", "socket=sock", "print.elf", NULL};
	size_t lens[2] = {0, 0};
	unsigned open = 2;
	int fds[2], never;

	write_print_kernel();
	command_start(command, argv);
	never = connect_to("sock");
	fds[0] = connect_to("sock");
	fds[1] = connect_to("sock");
	while (open) {
		struct pollfd ready[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLIN, 0}};

		ck_assert_msg(poll(ready, 2, SECONDS * 1000) > 0, "%zu and %zu bytes", lens[0], lens[1]);
		for (unsigned i = 0; i < 2; i++) {
			uint8_t bytes[8192];
			ssize_t count = ready[i].revents ? read(fds[i], bytes, sizeof(bytes)) : -1;

			if (!ready[i].revents)
				continue;
			for (ssize_t k = 0; k < count; k++)
				ck_assert_uint_eq(bytes[k], kernel[CODE_SIZE + (lens[i]++ % TEXT_SIZE)]);
			if (count <= 0) {
				close(fds[i]);
				fds[i] = -1;
				open--;
			}
		}
	}
	ck_assert_uint_eq(lens[0], TEXTS * TEXT_SIZE);
	ck_assert_uint_eq(lens[1], TEXTS * TEXT_SIZE);
	ck_assert_int_eq(command_finish(command, SECONDS), 42);
	close(never);
}
END_TEST

/* The library */

static struct guest guest;

static void *run_vm(void *vm)
{
	lodge_vm_run(vm, &guest.result);
	return NULL;
}

START_TEST(what_was_printed_can_be_copied_before_during_and_after_a_run)
{
	static char text[LODGE_CONSOLE_KEPT + 1];
	struct lodge_vm *vm;
	pthread_t thread;
	size_t len;

	guest_init(&guest, NULL);
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	ck_assert_uint_eq(lodge_vm_console_copy(vm, text, sizeof(text)), 0);
	pthread_create(&thread, NULL, run_vm, vm);
	for (unsigned tries = 0; tries < SECONDS * 100 && !strstr(text, "lodger> "); tries++) {
		usleep(10000);
		text[lodge_vm_console_copy(vm, text, sizeof(text) - 1)] = '\0';
	}
	lodge_vm_stop(vm);
	pthread_join(thread, NULL);
	ck_assert_int_eq(guest.result.status, 115);
	len = lodge_vm_console_copy(vm, text, sizeof(text) - 1);
	ck_assert_uint_eq(len, guest.result.console_bytes_out);
	text[len] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "lodger: ready"));
	ck_assert_str_eq(text, guest.result.console_tail);
	ck_assert_uint_eq(lodge_vm_console_copy(vm, text, 8), 8);
	ck_assert_mem_eq(text, "lodger> ", 8);
	lodge_vm_free(vm);
}
END_TEST

START_TEST(a_size_reaches_the_pty_and_no_one_elses_terminal)
{
	struct lodge_console consoles[2] = {{.kind = LODGE_CONSOLE_VIEWER}, {.kind = LODGE_CONSOLE_VIEWER}};
	struct winsize size = {.ws_col = 1};
	int master, slave, slave2;
	struct lodge_vm *vm;

	if (openpty(&consoles[0].in, &slave, NULL, NULL, NULL) ||
		openpty(&master, &slave2, NULL, NULL, NULL)) {
		printf("SKIPPED: pty: none can be had: is /dev/pts mounted?\n");
		return;
	}
	consoles[0].out = consoles[0].in;
	consoles[1].in = consoles[1].out = slave2;
	guest_init(&guest, NULL);
	guest.config.consoles = consoles;
	guest.config.console_count = 2;
	ck_assert_int_eq(lodge_vm_new(&guest.config, &vm, &guest.error), 0);
	lodge_vm_console_resize(vm, 132, 43);
	ck_assert_int_eq(ioctl(slave, TIOCGWINSZ, &size), 0);
	ck_assert_uint_eq(size.ws_col, 132);
	ck_assert_uint_eq(size.ws_row, 43);
	ck_assert_int_eq(ioctl(slave2, TIOCGWINSZ, &size), 0);
	ck_assert_uint_eq(size.ws_col, 0);
	lodge_vm_free(vm);
}
END_TEST

Suite *consoles_suite(void)
{
	Suite *suite = suite_create("consoles");
	TCase *tcase = tcase_create("consoles"), *volume = tcase_create("volume");

	tcase_set_timeout(tcase, 240);
	tcase_add_checked_fixture(tcase, setup, command_teardown);
	tcase_add_test(tcase, two_consoles_get_the_same_bytes);
	tcase_add_test(tcase, a_pty_is_a_console_for_whoever_opens_it);
	tcase_add_test(tcase, a_socket_replays_and_takes_input);
	tcase_add_test(tcase, a_socket_without_any_other_console_is_enough);
	tcase_add_test(tcase, a_signal_removes_the_socket_too);
	tcase_add_test(tcase, a_socket_is_replaced_when_its_owner_is_dead_and_never_else);
	tcase_add_test(tcase, consoles_that_cannot_be_opened_are_named);
	tcase_add_test(volume, readers_of_a_socket_get_all_while_one_stalls);
	tcase_add_test(tcase, what_was_printed_can_be_copied_before_during_and_after_a_run);
	tcase_add_test(tcase, a_size_reaches_the_pty_and_no_one_elses_terminal);
	suite_add_tcase(suite, tcase);
	/* Bytes by the hundred thousand: the same on every host, and the lane is too slow for them. */
	tcase_set_tags(volume, "volume");
	tcase_set_timeout(volume, 240);
	tcase_add_checked_fixture(volume, setup, command_teardown);
	suite_add_tcase(suite, volume);
	return suite;
}
