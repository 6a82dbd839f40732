#include "gdb/session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "util/bytes.h"
#include "x86/control_regs.h"

void session_init(struct session *session, const struct target_ops *ops, struct lodge_vm *vm, unsigned cpus)
{
	*session = (struct session){.ops = ops, .vm = vm, .cpus = cpus, .stop.cause = DEBUG_STEPPED};
}

static enum session_next say(struct session *session, const char *text)
{
	packet_add(&session->reply, "%s", text);
	return SESSION_REPLY;
}

/* OK, or an error by its number. */
static enum session_next say_whether(struct session *session, int err)
{
	if (err < 0)
		packet_add(&session->reply, "E%02x", -err & 0xff);
	else
		packet_add(&session->reply, "OK");
	return SESSION_REPLY;
}

static enum session_next complain(struct session *session)
{
	return say_whether(session, -EINVAL);
}

/* Stops */

static void say_stop(struct session *session)
{
	static const char *const kinds[] = {
		[DEBUG_SOFTWARE] = "swbreak:;",
		[DEBUG_HARDWARE] = "hwbreak:;",
		[DEBUG_WRITE] = "watch",
		[DEBUG_READ] = "rwatch",
		[DEBUG_ACCESS] = "awatch",
	};
	const struct debug_stop *stop = &session->stop;

	/* GDB's numbers of signals are its own; these are Linux's. */
	packet_add(&session->reply, "T%02x", stop->cause == DEBUG_HALTED ? SIGINT : SIGTRAP);
	if (stop->cause == DEBUG_POINT && stop->kind > DEBUG_HARDWARE)
		packet_add(&session->reply, "%s:%llx;", kinds[stop->kind], (unsigned long long)stop->address);
	else if (stop->cause == DEBUG_POINT && session->says_kind)
		packet_add(&session->reply, "%s", kinds[stop->kind]);
	packet_add(&session->reply, "thread:%x;", stop->cpu + 1);
}

void session_stopped(struct session *session, const struct debug_stop *stop)
{
	session->running = false;
	session->stop = *stop;
	session->cpu = stop->cpu;
	packet_begin(&session->reply);
	say_stop(session);
	packet_end(&session->reply);
}

void session_ended(struct session *session, const struct lodge_result *result)
{
	packet_begin(&session->reply);
	if (result->outcome == LODGE_STOPPED)
		packet_add(&session->reply, "X%02x", SIGTERM);
	else
		packet_add(&session->reply, "W%02x", (unsigned)result->status & 0xff);
	packet_end(&session->reply);
}

/* Threads: vCPU 0 is thread 1. 0 means any of them, -1 all. */

static bool take_thread(const struct session *session, const char **at, bool *ret_all, unsigned *ret_cpu)
{
	uint64_t thread;

	*ret_all = packet_char(at, '-');
	if (!packet_number(at, &thread))
		return false;
	if (*ret_all)
		return thread == 1;
	if (thread > session->cpus)
		return false;
	*ret_cpu = thread ? (unsigned)thread - 1 : session->cpu;
	return true;
}

static enum session_next choose_thread(struct session *session, const char *at)
{
	unsigned cpu;
	bool all;

	/* Hc is for `s` and `c`, in whose place vCont comes. */
	if (!packet_char(&at, 'g'))
		return say_whether(session, 0);
	if (!take_thread(session, &at, &all, &cpu))
		return complain(session);
	if (!all)
		session->cpu = cpu;
	return say_whether(session, 0);
}

static enum session_next is_alive(struct session *session, const char *at)
{
	unsigned cpu;
	bool all;

	return take_thread(session, &at, &all, &cpu) && !all ? say_whether(session, 0) : complain(session);
}

static enum session_next list_threads(struct session *session, const char *at)
{
	unsigned i;

	(void)at;
	packet_add(&session->reply, "m1");
	for (i = 1; i < session->cpus; i++)
		packet_add(&session->reply, ",%x", i + 1);
	return SESSION_REPLY;
}

static const char *mode_of(const struct target_cpu *cpu)
{
	const struct kvm_sregs *sregs = &cpu->sregs;

	if (!(sregs->cr0 & CR0_PE))
		return "real mode";
	if (sregs->efer & EFER_LMA)
		return sregs->cs.l ? "64-bit mode" : "compatibility mode";
	return sregs->cs.db ? "32-bit protected mode" : "16-bit protected mode";
}

static void describe_cpu(struct session *session, unsigned cpu, char text[64])
{
	struct target_cpu state;

	if (session->ops->read_cpu(session->vm, cpu, &state))
		snprintf(text, 64, "gone");
	else
		snprintf(text, 64, "%s, paging %s", mode_of(&state), state.sregs.cr0 & CR0_PG ? "on" : "off");
}

static enum session_next describe_thread(struct session *session, const char *at)
{
	char text[64];
	unsigned cpu;
	bool all;

	if (!take_thread(session, &at, &all, &cpu) || all)
		return complain(session);
	describe_cpu(session, cpu, text);
	packet_add_hex(&session->reply, text, strlen(text));
	return SESSION_REPLY;
}

/* Registers */

static enum session_next read_registers(struct session *session, const char *at, bool all)
{
	struct target_cpu cpu;
	uint8_t bytes[REGISTER_SIZE_MAX];
	uint64_t index = 0;
	size_t size;
	int err;

	if (!all && !packet_number(&at, &index))
		return complain(session);
	err = session->ops->read_cpu(session->vm, session->cpu, &cpu);
	if (err)
		return say_whether(session, err);
	if (!register_size(session->layout, (unsigned)MIN(index, (uint64_t)UINT32_MAX)))
		return complain(session);
	do {
		size = register_read(session->layout, &cpu, (unsigned)index++, bytes);
		packet_add_hex(&session->reply, bytes, size);
	} while (all && size);
	return SESSION_REPLY;
}

static enum session_next write_registers(struct session *session, const char *at, bool all)
{
	struct target_cpu cpu;
	uint8_t bytes[REGISTER_SIZE_MAX];
	uint64_t index = 0;
	size_t size;
	int err;

	if (!all && (!packet_number(&at, &index) || !packet_char(&at, '=')))
		return complain(session);
	err = session->ops->read_cpu(session->vm, session->cpu, &cpu);
	if (err)
		return say_whether(session, err);
	do {
		size = register_size(session->layout, (unsigned)MIN(index, (uint64_t)UINT32_MAX));
		if (!size || !packet_hex(&at, bytes, size))
			return complain(session);
		register_write(session->layout, &cpu, (unsigned)index++, bytes);
	} while (all && *at);
	return say_whether(session, session->ops->write_cpu(session->vm, session->cpu, &cpu));
}

/* Memory */

static bool take_range(const char **at, uint64_t *ret_address, uint64_t *ret_len)
{
	return packet_number(at, ret_address) && packet_char(at, ',') && packet_number(at, ret_len);
}

static enum session_next read_memory(struct session *session, const char *at)
{
	uint8_t bytes[PACKET_MAX / 2];
	uint64_t address, len;
	int count;

	if (!take_range(&at, &address, &len))
		return complain(session);
	/* Fewer bytes than were wanted are a fair answer. */
	count = session->ops->access_memory(
		session->vm, session->cpu, address, bytes, NULL, MIN(len, (uint64_t)sizeof(bytes)));
	if (count < 0)
		return say_whether(session, count);
	packet_add_hex(&session->reply, bytes, (size_t)count);
	return SESSION_REPLY;
}

static enum session_next write_memory(struct session *session, const char *at)
{
	uint8_t bytes[PACKET_MAX / 2];
	uint64_t address, len;
	int count;

	if (!take_range(&at, &address, &len) || !packet_char(&at, ':') || len > sizeof(bytes) ||
		!packet_hex(&at, bytes, len))
		return complain(session);
	count = session->ops->access_memory(session->vm, session->cpu, address, NULL, bytes, len);
	return say_whether(session, count < 0 || (uint64_t)count == len ? count : -EFAULT);
}

/* Breakpoints */

static enum session_next change_point(struct session *session, const char *at, bool insert)
{
	uint64_t kind, address, len;
	int err;

	if (!packet_number(&at, &kind) || !packet_char(&at, ',') || !take_range(&at, &address, &len))
		return complain(session);
	if (kind > DEBUG_ACCESS)
		return SESSION_REPLY;
	if (kind <= DEBUG_HARDWARE)
		len = 1;
	len = MIN(len, (uint64_t)UINT32_MAX);
	if (insert)
		err = session->ops->insert(
			session->vm, session->cpu, (enum debug_kind)kind, address, (unsigned)len);
	else
		err = session->ops->remove(session->vm, (enum debug_kind)kind, address, (unsigned)len);
	/* "This is not supported": GDB has better words for it than for an error. */
	return err == -ENOTSUP ? SESSION_REPLY : say_whether(session, err);
}

/* Going on */

/* vCont;ACTION[:THREAD]...: of several that fit a thread the first one counts; who has none waits. */
static enum session_next go_on(struct session *session, const char *at)
{
	enum debug_go how[LODGE_CPUS_MAX];
	bool told[LODGE_CPUS_MAX] = {0}, all;
	unsigned i, cpu = 0;
	uint64_t signal;
	int err;

	for (i = 0; i < LODGE_CPUS_MAX; i++)
		how[i] = DEBUG_HOLD;
	do {
		/* A signal to be delivered is nothing that a machine could take. */
		bool with_signal = *at == 'S' || *at == 'C', step = *at == 's' || *at == 'S';

		if ((!step && *at != 'c' && *at != 'C') ||
			(++at, with_signal && !packet_number(&at, &signal)))
			return complain(session);
		all = true;
		if (packet_char(&at, ':') && !take_thread(session, &at, &all, &cpu))
			return complain(session);
		for (i = all ? 0 : cpu; i < (all ? session->cpus : cpu + 1); i++) {
			if (!told[i])
				how[i] = step ? DEBUG_STEP : DEBUG_CONTINUE;
			told[i] = true;
		}
	} while (packet_char(&at, ';'));
	if (*at)
		return complain(session);
	err = session->ops->resume(session->vm, how);
	session->running = !err;
	return err ? say_whether(session, err) : SESSION_WAIT;
}

/* s, S: one vCPU, and the others wait; GDB itself says vCont. */
static enum session_next step(struct session *session)
{
	char action[16];

	snprintf(action, sizeof(action), "s:%x", session->cpu + 1);
	return go_on(session, action);
}

/* Questions */

static enum session_next introduce(struct session *session, const char *at)
{
	session->says_kind = strstr(at, "swbreak+") && strstr(at, "hwbreak+");
	packet_add(&session->reply,
		"PacketSize=%x;qXfer:features:read+;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+",
		PACKET_MAX);
	return SESSION_REPLY;
}

/* Nothing in it has to be escaped. */
static enum session_next send_description(struct session *session, const char *at)
{
	char text[REGISTERS_TEXT_MAX];
	uint64_t offset, len, size;

	if (!take_range(&at, &offset, &len))
		return complain(session);
	size = registers_describe(session->layout, text);
	offset = MIN(offset, size);
	len = MIN(MIN(len, size - offset), (uint64_t)PACKET_MAX - 1);
	packet_add(&session->reply, "%c%.*s", offset + len < size ? 'm' : 'l', (int)len, text + offset);
	return SESSION_REPLY;
}

static void describe_cpus(struct session *session, struct packet_out *out)
{
	char state[64], line[80];
	unsigned i;

	for (i = 0; i < session->cpus; i++) {
		describe_cpu(session, i, state);
		packet_add_hex(out, line, (size_t)snprintf(line, sizeof(line), "CPU %u: %s\n", i, state));
	}
}

/* What is typed behind `monitor`; the reply is printed. */
static enum session_next run_command(struct session *session, const char *at)
{
	static const char help[] =
		"info    what mode each CPU is in\n"
		"i8086   16-bit code: registers of 32 bits, from `unset tdesc filename` on\n"
		"x86-64  registers of 64 bits again, likewise\n";
	static const char unknown[] = "no such command; see `monitor help`\n";
	char command[16] = "";
	size_t len = 0;

	while (len < sizeof(command) - 1 && packet_hex(&at, command + len, 1))
		len++;
	if (!strcmp(command, "i8086") || !strcmp(command, "x86-64")) {
		session->layout = *command == 'i' ? REGISTERS_32 : REGISTERS_64;
		return say(session, "OK");
	}
	if (!strcmp(command, "info"))
		describe_cpus(session, &session->reply);
	else if ((!*command && !*at) || !strcmp(command, "help"))
		packet_add_hex(&session->reply, help, sizeof(help) - 1);
	else
		packet_add_hex(&session->reply, unknown, sizeof(unknown) - 1);
	return SESSION_REPLY;
}

/* Names that end with a separator have something behind it. What is not here gets an empty reply: not known. */
static enum session_next answer_by_name(struct session *session, const char *packet)
{
	static const struct {
		const char *name;
		enum session_next (*answer)(struct session *session, const char *at);
		const char *text; /* or this */
	} rows[] = {
		{"qSupported:", introduce, NULL},
		{"qXfer:features:read:target.xml:", send_description, NULL},
		{"qRcmd,", run_command, NULL},
		{"qfThreadInfo", list_threads, NULL},
		{"qsThreadInfo", NULL, "l"},
		{"qThreadExtraInfo,", describe_thread, NULL},
		{"qAttached", NULL, "1"}, /* the guest outlives a debugger that quits */
		{"vCont?", NULL, "vCont;c;C;s;S"},
		{"vCont;", go_on, NULL},
	};
	unsigned i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = strlen(rows[i].name);

		if (strncmp(packet, rows[i].name, len) != 0 ||
			(packet[len] && !strchr(":,;", packet[len - 1])))
			continue;
		return rows[i].answer ? rows[i].answer(session, packet + len) : say(session, rows[i].text);
	}
	if (!strcmp(packet, "qC")) {
		packet_add(&session->reply, "QC%x", session->cpu + 1);
	} else if (!strcmp(packet, "QStartNoAckMode")) {
		session->no_ack = true;
		say(session, "OK");
	} else if (!strncmp(packet, "vKill;", 6)) {
		say(session, "OK");
		return SESSION_KILL;
	}
	return SESSION_REPLY;
}

static enum session_next answer(struct session *session, const char *packet)
{
	const char *at = packet + 1;

	switch (*packet) {
	case '?':
		say_stop(session);
		return SESSION_REPLY;
	case 'g':
	case 'p':
		return read_registers(session, at, *packet == 'g');
	case 'G':
	case 'P':
		return write_registers(session, at, *packet == 'G');
	case 'm':
		return read_memory(session, at);
	case 'M':
		return write_memory(session, at);
	case 'Z':
	case 'z':
		return change_point(session, at, *packet == 'Z');
	case 'c':
	case 'C':
		return go_on(session, "c");
	case 's':
	case 'S':
		return step(session);
	case 'H':
		return choose_thread(session, at);
	case 'T':
		return is_alive(session, at);
	case 'D':
		say(session, "OK");
		return SESSION_DETACH;
	case 'k':
		return SESSION_KILL;
	default:
		return answer_by_name(session, packet);
	}
}

enum session_next session_answer(struct session *session, const char *packet)
{
	enum session_next next;

	packet_begin(&session->reply);
	next = answer(session, packet);
	packet_end(&session->reply);
	return next;
}
