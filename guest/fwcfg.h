/* QEMU's fw_cfg (QEMU docs/specs/fw_cfg): only to fetch the device tree and the number of CPUs. */
#pragma once

/* The tree, or NULL: no fw_cfg, no such file, too large. */
const void *fwcfg_read_fdt(void);

/* 0: no fw_cfg. */
unsigned fwcfg_read_cpus(void);
