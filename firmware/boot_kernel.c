/*
 * A kernel from fw_cfg: lodge has laid its memory out and says which ranges of it have something (boot_plan.h).
 * Without a kernel those are the tables that one from a disk will look for.
 */
#include "boot.h"
#include "boot_plan.h"
#include "fwcfg.h"

static struct boot_plan plan;

void boot_kernel(void)
{
	struct fwcfg_file file = fwcfg_find(BOOT_PLAN_FILE), memory = fwcfg_find(BOOT_MEMORY_FILE);
	uint32_t i;

	fwcfg_read(file, 0, &plan, sizeof(plan));
	for (i = 0; i < plan.range_count; i++) {
		const struct boot_plan_range *range = &plan.ranges[i];

		fwcfg_read(memory, range->base, (void *)range->base, range->size);
	}
	if (plan.mode == BOOT_PLAN_NONE)
		return;
	fwcfg_select(fwcfg_find(BOOT_ENTERED_FILE));
	enter_kernel(&plan);
}
