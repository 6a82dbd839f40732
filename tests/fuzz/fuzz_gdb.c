/*
 * What a debugger sends: the input is its bytes, and once more, as checksums are not for a fuzzer to find, the packets'
 * contents, one a line. Behind it is a guest of three CPUs that does what the input says of it.
 */
#include "fuzz.h"

#include <errno.h>
#include <string.h>

#include "gdb/session.h"
#include "util/bytes.h"

#define CPUS 3

#define CR0_PE   (1u << 0)
#define CR0_PG   (1u << 31)
#define EFER_LMA (1u << 10)

static struct {
	struct target_cpu cpus[CPUS];
	int err; /* what calls end with */
	bool stands;
	unsigned mode; /* of the first CPU; the others are further on in the list */
} guest;

/* A guest goes through all modes as it runs, each CPU for itself. */
static void change_modes(void)
{
	static const struct kvm_sregs modes[] = {
		{.cr0 = 0},
		{.cr0 = CR0_PE},
		{.cr0 = CR0_PE, .cs.db = 1},
		{.cr0 = CR0_PE | CR0_PG, .efer = EFER_LMA, .cs.db = 1},
		{.cr0 = CR0_PE | CR0_PG, .efer = EFER_LMA, .cs.l = 1},
	};

	guest.mode++;
	for (unsigned i = 0; i < CPUS; i++) {
		const struct kvm_sregs *mode = &modes[(guest.mode + i) % ARRAY_SIZE(modes)];
		struct kvm_sregs *sregs = &guest.cpus[i].sregs;

		sregs->cr0 = mode->cr0;
		sregs->efer = mode->efer;
		sregs->cs.l = mode->cs.l;
		sregs->cs.db = mode->cs.db;
	}
}

static int resume(struct lodge_vm *vm, const enum debug_go *how)
{
	(void)vm;
	for (unsigned i = 0; i < LODGE_CPUS_MAX; i++)
		FUZZ_CHECK(how[i] == DEBUG_HOLD || how[i] == DEBUG_STEP || how[i] == DEBUG_CONTINUE);
	guest.stands = guest.err;
	if (!guest.err)
		change_modes();
	return guest.err;
}

static int read_cpu(struct lodge_vm *vm, unsigned cpu, struct target_cpu *ret_cpu)
{
	(void)vm;
	FUZZ_CHECK(guest.stands && cpu < CPUS);
	*ret_cpu = guest.cpus[cpu % CPUS];
	return guest.err;
}

static int write_cpu(struct lodge_vm *vm, unsigned cpu, const struct target_cpu *from)
{
	(void)vm;
	FUZZ_CHECK(guest.stands && cpu < CPUS && !guest.err);
	guest.cpus[cpu % CPUS] = *from;
	return guest.err;
}

/* There is memory below 2^48, as the lower half of the addresses goes. */
static int part(unsigned cpu, uint64_t linear, size_t len)
{
	FUZZ_CHECK(guest.stands && cpu < CPUS && len <= PACKET_MAX / 2);
	if (guest.err)
		return guest.err;
	return linear >> 47 ? -EFAULT : (int)MIN(len, (size_t)((UINT64_C(1) << 47) - linear));
}

static int access_memory(
	struct lodge_vm *vm, unsigned cpu, uint64_t linear, void *to, const void *from, size_t len)
{
	static uint8_t taken[PACKET_MAX / 2];
	int count = part(cpu, linear, len);

	(void)vm;
	if (!to)
		memcpy(taken, from, len); /* all of it is there */
	else if (count > 0)
		memset(to, (uint8_t)linear, (size_t)count);
	return count;
}

static int insert(struct lodge_vm *vm, unsigned cpu, enum debug_kind kind, uint64_t linear, unsigned len)
{
	(void)vm;
	(void)linear;
	FUZZ_CHECK(guest.stands && cpu < CPUS && (unsigned)kind <= DEBUG_ACCESS);
	FUZZ_CHECK(kind > DEBUG_HARDWARE || len == 1);
	return guest.err;
}

static int remove_point(struct lodge_vm *vm, enum debug_kind kind, uint64_t linear, unsigned len)
{
	return insert(vm, 0, kind, linear, len);
}

static const struct target_ops ops = {resume, read_cpu, write_cpu, access_memory, insert, remove_point};

/* A reply is a packet that we would take ourselves. */
static void check_reply(const struct session *session)
{
	static struct packet_in in;
	const struct packet_out *reply = &session->reply;

	FUZZ_CHECK(reply->len >= 4 && reply->len <= PACKET_MAX + 4 && reply->data[0] == '$');
	for (size_t i = 0; i < reply->len; i++)
		FUZZ_CHECK(packet_take(&in, reply->data[i]) ==
			   (i + 1 < reply->len ? PACKET_NONE : PACKET_WHOLE));
}

static void answer(struct session *session, const char *packet)
{
	static const struct debug_stop stops[] = {{DEBUG_HALTED, 0, 0, 0}, {DEBUG_STEPPED, 1, 0, 0},
		{DEBUG_POINT, 2, DEBUG_SOFTWARE, 1}, {DEBUG_POINT, 0, DEBUG_READ, UINT64_MAX}};

	guest.stands = true;
	if (session_answer(session, packet) == SESSION_WAIT) {
		FUZZ_CHECK(session->running && !guest.stands);
		session_stopped(session, &stops[strlen(packet) % ARRAY_SIZE(stops)]);
	}
	FUZZ_CHECK(!session->running && session->cpu < CPUS);
	check_reply(session);
}

static void answer_bytes(struct session *session, const uint8_t *data, size_t size)
{
	static struct packet_in in;

	in = (struct packet_in){0};
	for (size_t i = 0; i < size; i++) {
		enum packet_event event = packet_take(&in, (char)data[i]);

		FUZZ_CHECK(in.len <= PACKET_MAX);
		if (event == PACKET_WHOLE)
			answer(session, in.data);
	}
}

static void answer_lines(struct session *session, const char *text, size_t len)
{
	static char line[PACKET_MAX + 1];

	while (len) {
		const char *newline = memchr(text, '\n', len);
		size_t count = newline ? (size_t)(newline - text) : len,
		       taken = MIN(count, (size_t)PACKET_MAX);

		memcpy(line, text, taken);
		line[taken] = '\0';
		answer(session, line);
		count += newline != NULL;
		text += count;
		len -= count;
	}
}

/* The guest ends, as it likes. */
static void end(struct session *session, unsigned how)
{
	static struct lodge_result result;

	result.outcome = (enum lodge_outcome)(how % (LODGE_STOPPED + 1));
	result.status = (int)how;
	session_ended(session, &result);
	check_reply(session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int errors[] = {0, -ENOSPC, -ENOTSUP, -EFAULT};
	static struct session session;

	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		memset(&guest, 0, sizeof(guest));
		guest.err = errors[i];
		session_init(&session, &ops, NULL, CPUS);
		answer_bytes(&session, data, size);
		answer_lines(&session, (const char *)data, size);
		end(&session, size ? data[size - 1] : 0);
	}
	return 0;
}
