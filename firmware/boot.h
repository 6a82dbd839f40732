/* The ways from the firmware to a guest. They return where there is nothing to boot. */
#pragma once

void main(void); /* reset.S calls it */

void boot_kernel(void); /* the kernel that fw_cfg has */
void boot_disk(void);   /* the first disk's boot sector */
