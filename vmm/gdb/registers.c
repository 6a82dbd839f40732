#include "gdb/registers.h"

#include <linux/kvm.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "gdb/target.h"
#include "util/bytes.h"
#include "x86/control_regs.h"

/* How bytes of struct target_cpu become a register. */
enum rule {
	PLAIN,
	READ_ONLY,
	SELECTOR, /* in real mode its base goes with it */
	LINEAR,   /* rip: with the base of CS, so that it is an address in real mode too */
	TAGS,     /* x87's tag word, two bits a register; KVM has one */
	ZERO,     /* not kept by KVM */
};

struct row {
	const char *name, *type;
	uint16_t offset;
	uint8_t kept, size; /* bytes in struct target_cpu, and in the packet */
	enum rule rule;
};

/* clang-format off */
#define AT(field)      (uint16_t)offsetof(struct target_cpu, field), (uint8_t)sizeof(((struct target_cpu *)0)->field)
#define GPR(name)      {#name, "int64", AT(regs.name), 8, PLAIN}
#define GPR32(name, r) {#name, "int32", AT(regs.r), 4, PLAIN}
#define SEL(name)      {#name, "int32", AT(sregs.name.selector), 4, SELECTOR}
#define BASE(name)     {#name "_base", "uint64", AT(sregs.name.base), 8, PLAIN}
#define CR(name)       {#name, "uint64", AT(sregs.name), 8, PLAIN}
#define ST(n)          {"st" #n, "i387_ext", AT(fpu.fpr[n]), 10, PLAIN}
#define XMM(n)         {"xmm" #n, "vec128", AT(fpu.xmm[n]), 16, PLAIN}
#define X87(name, of)  {#name, "int", AT(fpu.of), 4, PLAIN}
#define NOWHERE(name)  {#name, "int", 0, 0, 4, ZERO}
#define MXCSR          {"mxcsr", "int", AT(fpu.mxcsr), 4, PLAIN}

/* Names and order are GDB's (its manual, "i386 Features"). */
static const struct row general_64[] = {
	GPR(rax), GPR(rbx), GPR(rcx), GPR(rdx), GPR(rsi), GPR(rdi),
	{"rbp", "data_ptr", AT(regs.rbp), 8, PLAIN}, {"rsp", "data_ptr", AT(regs.rsp), 8, PLAIN},
	GPR(r8), GPR(r9), GPR(r10), GPR(r11), GPR(r12), GPR(r13), GPR(r14), GPR(r15),
	{"rip", "code_ptr", AT(regs.rip), 8, LINEAR},
};
static const struct row general_32[] = {
	GPR32(eax, rax), GPR32(ecx, rcx), GPR32(edx, rdx), GPR32(ebx, rbx),
	{"esp", "data_ptr", AT(regs.rsp), 4, PLAIN}, {"ebp", "data_ptr", AT(regs.rbp), 4, PLAIN},
	GPR32(esi, rsi), GPR32(edi, rdi),
	{"eip", "code_ptr", AT(regs.rip), 4, LINEAR},
};
static const struct row core[] = {
	{"eflags", "i386_eflags", AT(regs.rflags), 4, PLAIN},
	SEL(cs), SEL(ss), SEL(ds), SEL(es), SEL(fs), SEL(gs),
	ST(0), ST(1), ST(2), ST(3), ST(4), ST(5), ST(6), ST(7),
	X87(fctrl, fcw), X87(fstat, fsw), {"ftag", "int", AT(fpu.ftwx), 4, TAGS},
	NOWHERE(fiseg), X87(fioff, last_ip), NOWHERE(foseg), X87(fooff, last_dp), X87(fop, last_opcode),
};
static const struct row sse_64[] = {
	XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7),
	XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15), MXCSR,
};
static const struct row sse_32[] = {XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7), MXCSR};
static const struct row segments[] = {BASE(fs), BASE(gs)};
/* Ours; the names are QEMU's as far as it has them. */
static const struct row others[] = {
	BASE(cs), BASE(ss), BASE(ds), BASE(es),
	{"k_gs_base", "uint64", AT(kernel_gs_base), 8, READ_ONLY},
	CR(cr0), CR(cr2), CR(cr3), CR(cr4), CR(cr8), CR(efer),
};
/* clang-format on */

static const char flags_type[] =
	"<flags id=\"i386_eflags\" size=\"4\">"
	"<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
	"<field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/>"
	"<field name=\"SF\" start=\"7\" end=\"7\"/><field name=\"TF\" start=\"8\" end=\"8\"/>"
	"<field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
	"<field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/>"
	"<field name=\"RF\" start=\"16\" end=\"16\"/><field name=\"VM\" start=\"17\" end=\"17\"/>"
	"<field name=\"AC\" start=\"18\" end=\"18\"/><field name=\"ID\" start=\"21\" end=\"21\"/></flags>";
static const char vector_type[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
	"<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
	"<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
	"<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
	"<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
	"<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
	"<field name=\"uint128\" type=\"uint128\"/></union>";

/* Rows that follow each other; where there is a name a feature begins. */
struct part {
	const char *feature, *types;
	const struct row *rows;
	unsigned count;
};

#define PARTS      6
#define ROWS(name) name, ARRAY_SIZE(name)

static const struct part layouts[][PARTS] = {
	[REGISTERS_64] = {{"org.gnu.gdb.i386.core", flags_type, ROWS(general_64)}, {NULL, NULL, ROWS(core)},
		{"org.gnu.gdb.i386.sse", vector_type, ROWS(sse_64)},
		{"org.gnu.gdb.i386.segments", "", ROWS(segments)}, {"lodge.system", "", ROWS(others)}},
	[REGISTERS_32] = {{"org.gnu.gdb.i386.core", flags_type, ROWS(general_32)}, {NULL, NULL, ROWS(core)},
		{"org.gnu.gdb.i386.sse", vector_type, ROWS(sse_32)}, {"lodge.segments", "", ROWS(segments)},
		{"lodge.system", "", ROWS(others)}},
};

static void __attribute__((format(printf, 3, 4))) add(char *to, size_t *len, const char *format, ...)
{
	va_list args;
	int count;

	va_start(args, format);
	count = vsnprintf(to + *len, REGISTERS_TEXT_MAX - *len, format, args);
	va_end(args);
	*len += MIN((size_t)MAX(count, 0), REGISTERS_TEXT_MAX - 1 - *len);
}

size_t registers_describe(enum registers_layout layout, char to[REGISTERS_TEXT_MAX])
{
	size_t len = 0;
	unsigned p, i;

	add(to, &len, "<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target>");
	add(to, &len, "<architecture>%s</architecture>", layout == REGISTERS_64 ? "i386:x86-64" : "i8086");
	for (p = 0; p < PARTS; p++) {
		const struct part *part = &layouts[layout][p];

		if (p && (part->feature || !part->count))
			add(to, &len, "</feature>");
		if (!part->count)
			break;
		if (part->feature)
			add(to, &len, "<feature name=\"%s\">%s", part->feature, part->types);
		for (i = 0; i < part->count; i++) {
			const struct row *row = &part->rows[i];

			add(to, &len, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"/>", row->name,
				row->size * 8u, row->type);
		}
	}
	add(to, &len, "</target>");
	return len;
}

static const struct row *row_of(enum registers_layout layout, unsigned index)
{
	unsigned p;

	for (p = 0; p < PARTS; index -= layouts[layout][p].count, p++) {
		if (index < layouts[layout][p].count)
			return &layouts[layout][p].rows[index];
	}
	return NULL;
}

size_t register_size(enum registers_layout layout, unsigned index)
{
	const struct row *row = row_of(layout, index);

	return row ? row->size : 0;
}

/* Empty registers have the tag 3; what is in the others is for GDB to see. */
static uint64_t tags_from(uint8_t valid)
{
	uint64_t tags = 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		tags |= valid >> i & 1 ? 0 : UINT64_C(3) << (2 * i);
	return tags;
}

static uint8_t tags_to(uint64_t tags)
{
	uint8_t valid = 0;
	unsigned i;

	for (i = 0; i < 8; i++)
		valid |= (uint8_t)((tags >> (2 * i) & 3) != 3) << i;
	return valid;
}

static uint64_t code_base(const struct target_cpu *cpu)
{
	/* In 64-bit mode it counts as 0. */
	return cpu->sregs.efer & EFER_LMA && cpu->sregs.cs.l ? 0 : cpu->sregs.cs.base;
}

size_t register_read(enum registers_layout layout, const struct target_cpu *cpu, unsigned index, uint8_t *to)
{
	const struct row *row = row_of(layout, index);

	if (!row)
		return 0;
	memset(to, 0, row->size);
	if (row->rule == LINEAR)
		store_le(to, cpu->regs.rip + code_base(cpu), row->size);
	else if (row->rule == TAGS)
		store_le(to, tags_from(cpu->fpu.ftwx), row->size);
	else
		memcpy(to, (const uint8_t *)cpu + row->offset, MIN(row->kept, row->size));
	return row->size;
}

static void write_selector(struct target_cpu *cpu, const struct row *row, uint16_t selector)
{
	uint8_t *at = (uint8_t *)cpu + row->offset - offsetof(struct kvm_segment, selector);
	struct kvm_segment *segment = (struct kvm_segment *)(void *)at;

	segment->selector = selector;
	if (!(cpu->sregs.cr0 & CR0_PE))
		segment->base = (uint64_t)selector << 4;
}

bool register_write(enum registers_layout layout, struct target_cpu *cpu, unsigned index, const uint8_t *from)
{
	const struct row *row = row_of(layout, index);

	if (!row)
		return false;
	if (row->rule == LINEAR)
		cpu->regs.rip = load_le(from, row->size) - code_base(cpu);
	else if (row->rule == TAGS)
		cpu->fpu.ftwx = tags_to(load_le(from, row->size));
	else if (row->rule == SELECTOR)
		write_selector(cpu, row, (uint16_t)load_le(from, row->size));
	else if (row->rule == PLAIN)
		memcpy((uint8_t *)cpu + row->offset, from, MIN(row->kept, row->size));
	return true;
}
