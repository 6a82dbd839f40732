/* The ways from the firmware to a guest. They return where there is nothing to boot. */
#pragma once

struct boot_plan;

void main(void); /* reset.S calls it */

void boot_kernel(void); /* the kernel that fw_cfg has */
void boot_disk(void);   /* the first disk's boot sector */

/* enter.S: leaves for the kernel, whose memory is ready; latchkey's own is cleared. */
_Noreturn void enter_kernel(const struct boot_plan *plan);
