/* A guest that is none, and a session of a debugger's in front of it. */
#pragma once

#include <check.h>
#include <errno.h>
#include <string.h>

#include "gdb/session.h"
#include "util/bytes.h"

#define CPUS   3
#define MEMORY 0x2000

static struct session session;

/* The guest, and what was done to it last. */
static struct {
	struct target_cpu cpus[CPUS];
	uint8_t memory[MEMORY];
	enum debug_go how[LODGE_CPUS_MAX];
	unsigned resumes, inserts, removes, cpu;
	enum debug_kind kind;
	uint64_t address;
	unsigned len;
	int err; /* what all of it returns */
} guest;

static int mock_resume(struct lodge_vm *vm, const enum debug_go *how)
{
	(void)vm;
	guest.resumes++;
	memcpy(guest.how, how, sizeof(guest.how));
	return guest.err;
}

static int mock_read_cpu(struct lodge_vm *vm, unsigned cpu, struct target_cpu *ret_cpu)
{
	(void)vm;
	ck_assert_uint_lt(cpu, CPUS);
	if (!guest.err)
		*ret_cpu = guest.cpus[cpu];
	return guest.err;
}

static int mock_write_cpu(struct lodge_vm *vm, unsigned cpu, const struct target_cpu *from)
{
	(void)vm;
	ck_assert_uint_lt(cpu, CPUS);
	if (!guest.err)
		guest.cpus[cpu] = *from;
	return guest.err;
}

/* As far as there is memory. */
static int mock_part(uint64_t linear, size_t len)
{
	if (guest.err)
		return guest.err;
	if (linear >= MEMORY)
		return -EFAULT;
	return (int)MIN(len, (size_t)(MEMORY - linear));
}

static int mock_access_memory(
	struct lodge_vm *vm, unsigned cpu, uint64_t linear, void *to, const void *from, size_t len)
{
	int part = mock_part(linear, len);

	(void)vm;
	guest.cpu = cpu;
	ck_assert(!to != !from);
	if (part > 0 && to)
		memcpy(to, guest.memory + linear, (size_t)part);
	else if (part > 0)
		memcpy(guest.memory + linear, from, (size_t)part);
	return part;
}

static int mock_point(enum debug_kind kind, uint64_t linear, unsigned len)
{
	guest.kind = kind;
	guest.address = linear;
	guest.len = len;
	return guest.err;
}

static int mock_insert(struct lodge_vm *vm, unsigned cpu, enum debug_kind kind, uint64_t linear, unsigned len)
{
	(void)vm;
	guest.cpu = cpu;
	guest.inserts++;
	return mock_point(kind, linear, len);
}

static int mock_remove(struct lodge_vm *vm, enum debug_kind kind, uint64_t linear, unsigned len)
{
	(void)vm;
	guest.removes++;
	return mock_point(kind, linear, len);
}

static const struct target_ops mock_ops = {
	.resume = mock_resume,
	.read_cpu = mock_read_cpu,
	.write_cpu = mock_write_cpu,
	.access_memory = mock_access_memory,
	.insert = mock_insert,
	.remove = mock_remove,
};

static inline void mock_setup(void)
{
	memset(&guest, 0, sizeof(guest));
	session_init(&session, &mock_ops, NULL, CPUS);
}

/* A reply without its frame. */
static inline const char *payload(void)
{
	static char text[PACKET_MAX + 1];
	size_t len = session.reply.len;

	ck_assert_uint_ge(len, 4);
	ck_assert_int_eq(session.reply.data[0], '$');
	ck_assert_int_eq(session.reply.data[len - 3], '#');
	memcpy(text, session.reply.data + 1, len - 4);
	text[len - 4] = '\0';
	return text;
}

static inline const char *ask(const char *packet)
{
	ck_assert_int_eq(session_answer(&session, packet), SESSION_REPLY);
	return payload();
}
