/* The first disk's boot sector, and a BIOS for it. */
#include "boot.h"

#include "bios/bios.h"
#include "bios/rom.h"
#include "boot_plan.h"
#include "fwcfg.h"

void boot_disk(void)
{
	struct bios *bios = (struct bios *)BIOS_STATE;

	bios_init(bios);
	if (!bios->disk_count)
		return;
	fwcfg_select(fwcfg_find(BOOT_ENTERED_FILE));
	real_mode_boot();
}
