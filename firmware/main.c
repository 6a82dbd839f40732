/* What latchkey does, in its order. */
#include "boot.h"
#include "fwcfg.h"
#include "print.h"

void main(void)
{
	if (!fwcfg_present())
		fail("there is no fw_cfg with DMA");
	boot_kernel();
	/* There is none. */
	boot_disk();
	fail("there is neither a kernel nor a disk to boot");
}
