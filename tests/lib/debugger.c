#include "lib/debugger.h"

#include <check.h>
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void debugger_connect(struct debugger *debugger, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int err;

	strcpy(address.sun_path, path);
	debugger->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Its file is there a moment before it listens. */
	while ((err = connect(debugger->fd, (const struct sockaddr *)&address, sizeof(address))) &&
		errno == ECONNREFUSED)
		usleep(1000);
	ck_assert_int_eq(err, 0);
	ck_assert_int_eq(debugger_ask(debugger, "?")[0], 'T');
}

void debugger_close(struct debugger *debugger)
{
	close(debugger->fd);
	debugger->fd = -1;
}

static void transmit(struct debugger *debugger, const char *format, va_list args)
{
	char payload[4096], packet[4200];
	uint8_t sum = 0;

	vsnprintf(payload, sizeof(payload), format, args);
	for (const char *at = payload; *at; at++)
		sum += (uint8_t)*at;
	snprintf(packet, sizeof(packet), "$%s#%02x", payload, sum);
	ck_assert_int_eq(send(debugger->fd, packet, strlen(packet), MSG_NOSIGNAL), (ssize_t)strlen(packet));
}

void debugger_send(struct debugger *debugger, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	transmit(debugger, format, args);
	va_end(args);
}

/* A byte; 0: the other side has hung up. */
static char next_byte(struct debugger *debugger)
{
	struct pollfd fd = {.fd = debugger->fd, .events = POLLIN};
	char byte = 0;

	ck_assert_msg(poll(&fd, 1, 30000) == 1, "no answer within 30 s");
	if (recv(debugger->fd, &byte, 1, 0) != 1)
		byte = 0;
	return byte;
}

const char *debugger_wait(struct debugger *debugger)
{
	size_t len = 0;
	char byte;

	do {
		byte = next_byte(debugger);
		ck_assert(byte == '+' || byte == '$' || !byte);
	} while (byte == '+');
	while (byte && (byte = next_byte(debugger)) != '#' && byte) {
		ck_assert_uint_lt(len, sizeof(debugger->reply) - 1);
		debugger->reply[len++] = byte;
	}
	debugger->reply[len] = '\0';
	if (!byte)
		return "closed";
	next_byte(debugger);
	next_byte(debugger);
	send(debugger->fd, "+", 1, MSG_NOSIGNAL); /* it may have hung up behind its last word */
	return debugger->reply;
}

const char *debugger_ask(struct debugger *debugger, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	transmit(debugger, format, args);
	va_end(args);
	return debugger_wait(debugger);
}

void debugger_break(struct debugger *debugger)
{
	ck_assert_int_eq(send(debugger->fd, "\003", 1, MSG_NOSIGNAL), 1);
}

uint64_t debugger_register(struct debugger *debugger, unsigned index)
{
	const char *reply = debugger_ask(debugger, "p%x", index);

	ck_assert_uint_eq(strlen(reply), 16);
	return __builtin_bswap64(strtoull(reply, NULL, 16));
}

/* QEMU's emulation, which the svm lane runs on: docs/gdb.md. */
static bool is_tcg(void)
{
	unsigned eax, name[3];

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return !memcmp(name, "TCGTCGTCGTCG", sizeof(name));
}

bool debugger_has_breakpoints(const char *test)
{
	if (is_tcg())
		printf("SKIPPED: %s: QEMU's emulation of SVM asks nobody about int3, nor heeds KVM's debug registers\n",
			test);
	return !is_tcg();
}

bool debugger_has_watchpoints(const char *test)
{
	if (!debugger_has_breakpoints(test))
		return false;
	if (access("/sys/module/kvm_pvm", F_OK))
		return true;
	printf("SKIPPED: %s: KVM-PVM's emulator does not watch data\n", test);
	return false;
}

uint64_t debugger_symbol(const char *path, const char *name)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	const Elf64_Ehdr *header;
	const Elf64_Shdr *sections;
	struct stat st;
	uint64_t found = 0;

	ck_assert_int_eq(fstat(fd, &st), 0);
	header = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert_ptr_ne(header, MAP_FAILED);
	sections = (const Elf64_Shdr *)(const void *)((const char *)header + header->e_shoff);
	for (unsigned i = 0; i < header->e_shnum; i++) {
		const char *base = (const char *)header, *names;
		const Elf64_Sym *symbols;

		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		symbols = (const Elf64_Sym *)(const void *)(base + sections[i].sh_offset);
		names = base + sections[sections[i].sh_link].sh_offset;
		for (uint64_t s = 0; s < sections[i].sh_size / sizeof(*symbols); s++) {
			if (!strcmp(names + symbols[s].st_name, name))
				found = symbols[s].st_value;
		}
	}
	munmap((void *)(uintptr_t)header, (size_t)st.st_size);
	close(fd);
	ck_assert_uint_ne(found, 0);
	return found;
}
