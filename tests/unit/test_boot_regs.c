/* The boot processor's registers at a kernel's entry, for both ways in. */
#include "suites.h"

#include <linux/kvm.h>
#include <string.h>

#include "x86/boot_regs.h"
#include "x86/layout.h"

#define CR0_PE   (1u << 0)
#define CR0_PG   (1u << 31)
#define CR4_PAE  (1u << 5)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)

static struct kvm_regs regs;
static struct kvm_sregs sregs;
static struct {
	uint8_t gdt[BOOT_GDT_SIZE];
	uint8_t guard;
} memory;

/* Over what KVM made: what is not ours to change must stay. */
static void build(enum boot_mode mode)
{
	const struct boot_state state = {.mode = mode,
		.rip = 0x100123,
		.rax = 0x2badb002,
		.rbx = 0x6000,
		.rdx = 0xa20f10,
		.rsi = 0x7000,
		.rsp = 0x8ff0};

	memset(&regs, 0xaa, sizeof(regs));
	memset(&sregs, 0xaa, sizeof(sregs));
	memset(&memory, 0xaa, sizeof(memory));
	boot_regs_build(&state, &regs, &sregs, &memory);
}

static void check_general(void)
{
	const struct kvm_regs expected = {.rip = 0x100123,
		.rax = 0x2badb002,
		.rbx = 0x6000,
		.rdx = 0xa20f10,
		.rsi = 0x7000,
		.rsp = 0x8ff0,
		.rflags = 2};

	ck_assert_mem_eq(&regs, &expected, sizeof(regs));
}

START_TEST(pvh_is_entered_in_flat_protected_mode_without_paging)
{
	build(BOOT_PROTECTED_32);
	check_general();
	ck_assert(sregs.cr0 & CR0_PE);
	ck_assert(!(sregs.cr0 & CR0_PG));
	ck_assert_uint_eq(sregs.cr4, 0);
	ck_assert_uint_eq(sregs.efer, 0);
	ck_assert_uint_eq(sregs.cs.db, 1);
	ck_assert_uint_eq(sregs.cs.l, 0);
}
END_TEST

START_TEST(linux_is_entered_in_long_mode_with_paging)
{
	build(BOOT_LONG_64);
	check_general();
	ck_assert_uint_eq(sregs.cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	ck_assert_uint_eq(sregs.cr4, CR4_PAE);
	ck_assert_uint_eq(sregs.efer, EFER_LME | EFER_LMA);
	ck_assert_uint_eq(sregs.cr3, BOOT_PAGES_BASE);
	ck_assert_uint_eq(sregs.cs.l, 1);
	ck_assert_uint_eq(sregs.cs.db, 0);
}
END_TEST

static void check_flat(const struct kvm_segment *segment)
{
	ck_assert_uint_eq(segment->base, 0);
	ck_assert_uint_eq(segment->limit, UINT32_MAX);
	ck_assert_uint_eq(segment->g, 1);
	ck_assert_uint_eq(segment->s, 1);
	ck_assert_uint_eq(segment->present, 1);
	ck_assert_uint_eq(segment->dpl, 0);
	ck_assert_uint_eq(segment->unusable, 0);
}

START_TEST(segments_are_flat_and_of_the_right_kind)
{
	const struct kvm_segment *const data[] = {&sregs.ds, &sregs.es, &sregs.fs, &sregs.gs, &sregs.ss};

	build((enum boot_mode)_i);
	check_flat(&sregs.cs);
	ck_assert_uint_eq(sregs.cs.type & 0xa, 0xa); /* code, readable */
	for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
		check_flat(data[i]);
		ck_assert_uint_eq(data[i]->type & 0xa, 0x2); /* data, writable */
		ck_assert_uint_eq(data[i]->db, 1);
	}
	/* PVH: TR is a 32-bit TSS of 0x67; VM entry wants it busy. */
	ck_assert_uint_eq(sregs.tr.type, 0xb);
	ck_assert_uint_eq(sregs.tr.s, 0);
	ck_assert_uint_eq(sregs.tr.limit, 0x67);
	ck_assert_uint_eq(sregs.tr.present, 1);
}
END_TEST

/* Linux's boot protocol: __BOOT_CS is 0x10 and __BOOT_DS 0x18. */
START_TEST(selectors_are_those_of_the_linux_boot_protocol)
{
	build((enum boot_mode)_i);
	ck_assert_uint_eq(sregs.cs.selector, 0x10);
	ck_assert_uint_eq(sregs.ds.selector, 0x18);
	ck_assert_uint_eq(sregs.es.selector, 0x18);
	ck_assert_uint_eq(sregs.ss.selector, 0x18);
}
END_TEST

/* Decodes the descriptor a selector names (Intel SDM vol. 3, 3.4.5). */
static void check_descriptor(const struct kvm_segment *cache)
{
	uint64_t d = load_le(memory.gdt + (cache->selector & ~7u), 8);
	uint64_t base = (d >> 16 & 0xffffff) | (d >> 56 & 0xff) << 24;
	uint64_t limit = (d & 0xffff) | (d >> 48 & 0xf) << 16;

	if (d >> 55 & 1)
		limit = limit << 12 | 0xfff;
	ck_assert_uint_lt(cache->selector, BOOT_GDT_SIZE - 7);
	ck_assert_uint_eq(base, cache->base);
	ck_assert_uint_eq(limit, cache->limit);
	ck_assert_uint_eq(d >> 40 & 0xf, cache->type);
	ck_assert_uint_eq(d >> 44 & 1, cache->s);
	ck_assert_uint_eq(d >> 45 & 3, cache->dpl);
	ck_assert_uint_eq(d >> 47 & 1, cache->present);
	ck_assert_uint_eq(d >> 53 & 1, cache->l);
	ck_assert_uint_eq(d >> 54 & 1, cache->db);
	ck_assert_uint_eq(d >> 55 & 1, cache->g);
}

/* A guest that reloads a segment register gets what it had. */
START_TEST(gdt_says_what_the_caches_say)
{
	build((enum boot_mode)_i);
	ck_assert_uint_eq(sregs.gdt.base, BOOT_GDT_BASE);
	ck_assert_uint_eq(sregs.gdt.limit, BOOT_GDT_SIZE - 1);
	ck_assert_uint_eq(load_le(memory.gdt, 8), 0);
	check_descriptor(&sregs.cs);
	check_descriptor(&sregs.ds);
	check_descriptor(&sregs.es);
	check_descriptor(&sregs.fs);
	check_descriptor(&sregs.gs);
	check_descriptor(&sregs.ss);
	check_descriptor(&sregs.tr);
	ck_assert_uint_eq(memory.guard, 0xaa);
}
END_TEST

START_TEST(interrupts_have_no_table_yet)
{
	build((enum boot_mode)_i);
	ck_assert_uint_eq(sregs.idt.limit, 0);
	ck_assert_uint_eq(regs.rflags & 0x200, 0);
}
END_TEST

START_TEST(flat_image_is_entered_in_real_mode_with_all_segments_alike)
{
	const struct kvm_segment *const all[] = {
		&sregs.cs, &sregs.ds, &sregs.es, &sregs.fs, &sregs.gs, &sregs.ss};

	build(BOOT_REAL_16);
	check_general();
	ck_assert_uint_eq(sregs.cr0 & (CR0_PE | CR0_PG), 0);
	ck_assert_uint_eq(sregs.cr4, 0);
	ck_assert_uint_eq(sregs.efer, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		ck_assert_uint_eq(all[i]->selector, 0x1000);
		ck_assert_uint_eq(all[i]->base, 0x10000);
		ck_assert_uint_eq(all[i]->limit, 0xffff);
		ck_assert_uint_eq(all[i]->present, 1);
		ck_assert_uint_eq(all[i]->s, 1);
		ck_assert_uint_eq(all[i]->g, 0);
		ck_assert_uint_eq(all[i]->db, 0);
		ck_assert_uint_eq(all[i]->l, 0);
		ck_assert_uint_eq(all[i]->unusable, 0);
		ck_assert_uint_eq(all[i]->type & 0xa, i ? 0x2 : 0xa);
	}
	/* The vectors of real mode, 0 to 255; and no GDT is left in the guest's memory. */
	ck_assert_uint_eq(sregs.idt.base, 0);
	ck_assert_uint_eq(sregs.idt.limit, 0x3ff);
	ck_assert_uint_eq(load_le(memory.gdt + 8, 8), 0xaaaaaaaaaaaaaaaa);
}
END_TEST

/* Intel SDM vol. 3, table 10-1; AMD64 manual vol. 2, table 14-1. */
START_TEST(reset_is_as_after_power_up)
{
	const struct kvm_segment *const data[] = {&sregs.ds, &sregs.es, &sregs.fs, &sregs.gs, &sregs.ss};

	build(BOOT_RESET);
	check_general();
	ck_assert_uint_eq(sregs.cr0, 0x60000010);
	ck_assert_uint_eq(sregs.cr2 | sregs.cr3 | sregs.cr4 | sregs.efer, 0);
	ck_assert_uint_eq(sregs.cs.selector, 0xf000);
	ck_assert_uint_eq(sregs.cs.base, 0xffff0000);
	ck_assert_uint_eq(sregs.cs.limit, 0xffff);
	ck_assert_uint_eq(sregs.cs.type, 0xb);
	ck_assert_uint_eq(sregs.cs.db | sregs.cs.l | sregs.cs.g, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(data); i++) {
		ck_assert_uint_eq(data[i]->selector, 0);
		ck_assert_uint_eq(data[i]->base, 0);
		ck_assert_uint_eq(data[i]->limit, 0xffff);
		ck_assert_uint_eq(data[i]->type, 0x3);
		ck_assert_uint_eq(data[i]->present & data[i]->s, 1);
	}
	ck_assert_uint_eq(sregs.gdt.base | sregs.idt.base, 0);
	ck_assert_uint_eq(sregs.gdt.limit, 0xffff);
	ck_assert_uint_eq(sregs.idt.limit, 0xffff);
	ck_assert_uint_eq(sregs.ldt.limit, 0xffff);
	ck_assert_uint_eq(sregs.ldt.type, 0x2);
	ck_assert_uint_eq(sregs.tr.limit, 0xffff);
	ck_assert_uint_eq(sregs.tr.type, 0xb);
	ck_assert_uint_eq(sregs.ldt.selector | sregs.tr.selector, 0);
	ck_assert_uint_eq(load_le(memory.gdt + 8, 8), 0xaaaaaaaaaaaaaaaa);
}
END_TEST

START_TEST(what_kvm_set_up_besides_stays)
{
	build((enum boot_mode)_i);
	ck_assert_uint_eq(sregs.apic_base, 0xaaaaaaaaaaaaaaaa);
	ck_assert_uint_eq(sregs.cr8, 0xaaaaaaaaaaaaaaaa);
}
END_TEST

Suite *boot_regs_suite(void)
{
	Suite *suite = suite_create("x86/boot_regs");
	TCase *tcase = tcase_create("boot registers");

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, pvh_is_entered_in_flat_protected_mode_without_paging);
	tcase_add_test(tcase, linux_is_entered_in_long_mode_with_paging);
	tcase_add_loop_test(
		tcase, segments_are_flat_and_of_the_right_kind, BOOT_PROTECTED_32, BOOT_LONG_64 + 1);
	tcase_add_loop_test(
		tcase, selectors_are_those_of_the_linux_boot_protocol, BOOT_PROTECTED_32, BOOT_LONG_64 + 1);
	tcase_add_loop_test(tcase, gdt_says_what_the_caches_say, BOOT_PROTECTED_32, BOOT_LONG_64 + 1);
	tcase_add_loop_test(tcase, interrupts_have_no_table_yet, BOOT_PROTECTED_32, BOOT_LONG_64 + 1);
	tcase_add_test(tcase, flat_image_is_entered_in_real_mode_with_all_segments_alike);
	tcase_add_test(tcase, reset_is_as_after_power_up);
	tcase_add_loop_test(tcase, what_kvm_set_up_besides_stays, BOOT_PROTECTED_32, BOOT_RESET + 1);
	return suite;
}
