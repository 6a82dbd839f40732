#include "vm/debugged.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/elf_builder.h"
#include "lib/files.h"

struct guest debugged;
struct debugger gdb;

void debugged_setup(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "gdb"};

	files_setup();
	guest_init(&debugged, NULL);
	debugged.gdb_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	debugged.gdb_wait = true;
	ck_assert_int_eq(bind(debugged.gdb_fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(debugged.gdb_fd, 8), 0);
}

void debugged_teardown(void)
{
	close(debugged.gdb_fd);
	files_teardown();
}

void debugged_start(const void *code, size_t len, const char *append)
{
	if (code) {
		elf_write_pvh("kernel.elf", code, len);
		debugged.config.kernel = "kernel.elf";
	}
	debugged.config.append = append;
	guest_start(&debugged);
	debugger_connect(&gdb, "gdb");
}

int debugged_finish(void)
{
	char end[8];
	int status;

	debugger_send(&gdb, "vCont;c");
	status = guest_finish(&debugged);
	snprintf(end, sizeof(end), "W%02x", (unsigned)status);
	ck_assert_str_eq(debugger_wait(&gdb), end);
	ck_assert_str_eq(debugger_wait(&gdb), "closed");
	return status;
}

void debugged_stop(void)
{
	lodge_vm_stop(debugged.vm);
	ck_assert_int_eq(guest_finish(&debugged), LODGE_STATUS_STOPPED);
}
