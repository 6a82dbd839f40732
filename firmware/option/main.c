/* What the option ROM does when the BIOS boots it. */
#include "../boot.h"
#include "../fwcfg.h"
#include "../print.h"

void main(void)
{
	if (!fwcfg_present())
		fail("there is no fw_cfg with DMA");
	boot_kernel();
	fail("there is no kernel in fw_cfg");
}
