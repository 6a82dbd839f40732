#include "x86/boot_regs.h"

#include <linux/kvm.h>

#include "x86/control_regs.h"
#include "x86/layout.h"

#define RFLAGS_RESERVED 2u

/* Linux's boot protocol names the selectors: __BOOT_CS is 0x10, __BOOT_DS 0x18. PVH leaves them open. */
#define SELECTOR_CODE 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_TSS  0x20

#define MSR_MISC_ENABLE   0x1a0
#define MSR_MTRR_DEF_TYPE 0x2ff

#define FAST_STRINGS    1 /* Linux gives up REP MOVS without it */
#define MTRR_ENABLE     (1 << 11)
#define MTRR_WRITE_BACK 6 /* without MTRRs all memory counts as uncached, and Linux's PAT set-up objects */

static struct kvm_segment code_segment(bool long_mode)
{
	return (struct kvm_segment){
		.selector = SELECTOR_CODE,
		.limit = UINT32_MAX,
		.type = 0xb, /* code, readable, accessed */
		.present = 1,
		.s = 1,
		.g = 1,
		.db = !long_mode,
		.l = long_mode,
	};
}

static struct kvm_segment data_segment(void)
{
	return (struct kvm_segment){
		.selector = SELECTOR_DATA,
		.limit = UINT32_MAX,
		.type = 0x3, /* data, writable, accessed */
		.present = 1,
		.s = 1,
		.g = 1,
		.db = 1,
	};
}

static struct kvm_segment task_segment(void)
{
	return (struct kvm_segment){
		.selector = SELECTOR_TSS,
		.limit = 0x67,
		.type = 0xb, /* busy TSS */
		.present = 1,
	};
}

/* Intel SDM vol. 3, 3.4.5: the same facts as the descriptor in memory. */
static uint64_t descriptor(const struct kvm_segment *segment)
{
	uint64_t limit = segment->g ? segment->limit >> 12 : segment->limit;

	return (limit & 0xffff) | (segment->base & 0xffffff) << 16 | (uint64_t)segment->type << 40 |
	       (uint64_t)segment->s << 44 | (uint64_t)segment->dpl << 45 | (uint64_t)segment->present << 47 |
	       (limit >> 16 & 0xf) << 48 | (uint64_t)segment->l << 53 | (uint64_t)segment->db << 54 |
	       (uint64_t)segment->g << 55 | (segment->base >> 24 & 0xff) << 56;
}

static struct kvm_segment real_segment(uint16_t selector)
{
	return (struct kvm_segment){
		.selector = selector,
		.base = (uint32_t)selector << 4,
		.limit = 0xffff,
		.type = 0x3, /* data, writable, accessed */
		.present = 1,
		.s = 1,
	};
}

/* Intel SDM vol. 3, 10.1.1, table 10-1. The base of CS is no multiple of its selector: RIP is below 4 GiB. */
static void build_reset(struct kvm_sregs *sregs)
{
	const struct kvm_segment system = {.limit = 0xffff, .present = 1};

	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = real_segment(0);
	sregs->cs = real_segment(0xf000);
	sregs->cs.base = 0xffff0000;
	sregs->cs.type = 0xb; /* code, readable, accessed */
	sregs->ldt = sregs->tr = system;
	sregs->ldt.type = 0x2;
	sregs->tr.type = 0xb;
	sregs->gdt = sregs->idt = (struct kvm_dtable){.base = 0, .limit = 0xffff};
	sregs->cr0 = CR0_CD | CR0_NW | CR0_ET;
	sregs->cr2 = sregs->cr3 = 0;
}

/* As at reset, but for the place. There is no BIOS: the vectors at 0 are empty. */
static void build_real_mode(struct kvm_sregs *sregs)
{
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = real_segment(BOOT_FLAT_BASE >> 4);
	sregs->cs = sregs->ds;
	sregs->cs.type = 0xb; /* code, readable, accessed */
	sregs->idt = (struct kvm_dtable){.base = 0, .limit = 0x3ff};
	sregs->cr0 = CR0_ET;
}

static void build_flat_mode(bool long_mode, struct kvm_sregs *sregs, void *gdt)
{
	uint64_t entries[BOOT_GDT_SIZE / 8] = {0};

	sregs->cs = code_segment(long_mode);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data_segment();
	sregs->tr = task_segment();
	entries[SELECTOR_CODE / 8] = descriptor(&sregs->cs);
	entries[SELECTOR_DATA / 8] = descriptor(&sregs->ds);
	entries[SELECTOR_TSS / 8] = descriptor(&sregs->tr);
	memcpy(gdt, entries, sizeof(entries));
	sregs->gdt = (struct kvm_dtable){.base = BOOT_GDT_BASE, .limit = BOOT_GDT_SIZE - 1};
	sregs->idt = (struct kvm_dtable){0};
	sregs->cr0 = CR0_PE | CR0_ET;
}

void boot_regs_build(
	const struct boot_state *state, struct kvm_regs *ret_regs, struct kvm_sregs *sregs, void *gdt)
{
	*ret_regs = (struct kvm_regs){
		.rip = state->rip,
		.rsp = state->rsp,
		.rax = state->rax,
		.rbx = state->rbx,
		.rdx = state->rdx,
		.rsi = state->rsi,
		.rflags = RFLAGS_RESERVED,
	};
	sregs->cr4 = 0;
	sregs->efer = 0;
	if (state->mode == BOOT_RESET) {
		build_reset(sregs);
		return;
	}
	if (state->mode == BOOT_REAL_16) {
		build_real_mode(sregs);
		return;
	}
	build_flat_mode(state->mode == BOOT_LONG_64, sregs, gdt);
	if (state->mode == BOOT_LONG_64) {
		sregs->cr0 |= CR0_PG;
		sregs->cr3 = BOOT_PAGES_BASE;
		sregs->cr4 = CR4_PAE;
		sregs->efer = EFER_LME | EFER_LMA;
	}
}

const struct kvm_msr_entry *boot_msrs(unsigned *ret_count)
{
	static const struct kvm_msr_entry msrs[] = {
		{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE | MTRR_WRITE_BACK},
		{.index = MSR_MISC_ENABLE, .data = FAST_STRINGS},
	};

	*ret_count = ARRAY_SIZE(msrs);
	return msrs;
}
