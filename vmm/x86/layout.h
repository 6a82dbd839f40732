/*
 * The one map of the machine: every guest-physical address, I/O port and IRQ.
 *
 *   0x0000_0000  +-----------------------------+
 *                | boot data (below)           |
 *   0x0009_fc00  +-- EBDA, then the VGA hole --+  reserved in the e820 map, up to 1 MiB
 *   0x000e_0000  |   ACPI tables               |
 *   0x000f_0000  |   MP table, reset vector    |
 *   0x0010_0000  +-----------------------------+
 *                | RAM: kernels, initrd        |
 *   0xc000_0000  +-----------------------------+  RAM below 4 GiB ends here at the latest
 *                | the hole: MMIO              |
 *   0xd000_0000  |   virtio-mmio slots         |
 *   0xe000_0000  |   PCI functions' registers  |
 *   0xfec0_0000  |   I/O APIC                  |
 *   0xfee0_0000  |   local APICs               |
 *   0xff00_0000  |   pc-testdev's memory       |
 *   0xfffb_c000  |   KVM's own four pages      |
 *   0xfffc_0000  |   the firmware's ROM        |  up to 256 KiB, and it ends at 4 GiB
 *   0x1_0000_0000+-----------------------------+
 *                | the rest of RAM             |
 */
#pragma once

#include "util/bytes.h"

/* RAM */
#define RAM_MIN   MIB(16)
#define RAM_MAX   GIB(1024) /* fits the 46 physical address bits that every KVM host has */
#define RAM_EBDA  0x9fc00u  /* conventional memory ends here, as on every PC */
#define RAM_HIGH  0x100000u /* 1 MiB: kernels live from here on */
#define HOLE_BASE 0xc0000000u
#define HOLE_END  GIB(4)
#define CPUS_MAX  64

/* Boot data, all below the EBDA; a guest may reuse it once it has read it. */
#define BOOT_GDT_BASE     0x0500u
#define BOOT_GDT_SIZE     0x0100u
#define BOOT_START_INFO   0x6000u /* PVH start_info or multiboot information, and all they point to */
#define BOOT_START_SIZE   0x1000u
#define BOOT_PARAMS_BASE  0x7000u /* Linux boot_params ("zero page") */
#define BOOT_PARAMS_SIZE  0x1000u
#define BOOT_STACK_TOP    0x8ff0u /* for 64-bit entry: kernels expect some stack */
#define BOOT_PAGES_BASE   0x9000u /* identity map of the first 4 GiB: PML4, PDPT, 4 PDs */
#define BOOT_PAGES_SIZE   0x6000u
#define BOOT_CMDLINE_BASE 0x20000u
#define BOOT_CMDLINE_SIZE 0x1000u /* NUL included */
#define BOOT_FDT_BASE     0x30000u
#define BOOT_FDT_SIZE     0x10000u
/* Linux's struct setup_data stands right before the data that it tells of. */
#define BOOT_SETUP_DATA_SIZE 0x10u
#define BOOT_SETUP_DATA      (BOOT_FDT_BASE - BOOT_SETUP_DATA_SIZE)

/* A multiboot kernel may lie below 1 MiB too, where others have boot_params, stack and page tables. */
#define BOOT_LOW_BASE BOOT_PARAMS_BASE
#define BOOT_LOW_END  BOOT_CMDLINE_BASE

static_assert(BOOT_START_INFO + BOOT_START_SIZE <= BOOT_LOW_BASE, "multiboot information");

/* A flat image lies where boot data is for others, and may go on up to the EBDA. Its segment is 0x1000. */
#define BOOT_FLAT_BASE  0x10000u
#define BOOT_FLAT_SIZE  (RAM_EBDA - BOOT_FLAT_BASE)
#define BOOT_FLAT_STACK 0xfffeu /* SP: the top of its segment */

static_assert(BOOT_GDT_BASE + BOOT_GDT_SIZE <= BOOT_START_INFO, "GDT");
static_assert(BOOT_START_INFO + BOOT_START_SIZE <= BOOT_PARAMS_BASE, "start_info");
static_assert(BOOT_PARAMS_BASE + BOOT_PARAMS_SIZE <= BOOT_STACK_TOP, "boot_params");
static_assert(BOOT_STACK_TOP <= BOOT_PAGES_BASE, "stack");
static_assert(BOOT_PAGES_BASE + BOOT_PAGES_SIZE <= BOOT_CMDLINE_BASE, "page tables");
static_assert(BOOT_CMDLINE_BASE + BOOT_CMDLINE_SIZE <= BOOT_SETUP_DATA, "command line");
static_assert(BOOT_FDT_BASE + BOOT_FDT_SIZE <= RAM_EBDA, "FDT");

/*
 * Tables that stay. They lie where a PC's BIOS has its own, so that a kernel that was not told of them finds them:
 * ACPI 6.4, 5.2.5.1 has the RSDP looked for from 0xe0000 on, MP 1.4, 4.1 the floating pointer from 0xf0000 on.
 */
#define ACPI_BASE    0xe0000u
#define ACPI_SIZE    0x2000u
#define MPTABLE_BASE 0xf0000u
#define MPTABLE_SIZE 0x1000u

/* f000:fff0, where a PC's CPUs start: a jump there is a reset. */
#define RESET_VECTOR_BASE 0xffff0u
#define RESET_VECTOR_SIZE 16u

static_assert(RAM_EBDA <= ACPI_BASE, "the tables are in reserved memory");
static_assert(ACPI_BASE + ACPI_SIZE <= MPTABLE_BASE, "ACPI tables");
static_assert(MPTABLE_BASE + MPTABLE_SIZE <= RESET_VECTOR_BASE, "MP table");
static_assert(
	RESET_VECTOR_BASE + RESET_VECTOR_SIZE == RAM_HIGH, "the reset vector is the last of the first MiB");

/* MMIO: one page a virtio-mmio slot, one IOAPIC pin each from 16 on (0-15 are the ISA lines). */
#define VIRTIO_MMIO_BASE     0xd0000000u
#define VIRTIO_MMIO_STRIDE   0x1000u
#define VIRTIO_MMIO_SIZE     0x200u
#define VIRTIO_MMIO_SLOTS    8
#define VIRTIO_MMIO_IRQ      16
#define PCI_MMIO_BASE        0xe0000000u /* the host bridge's window: where the BARs of bus 0 lie */
#define PCI_MMIO_SIZE        0x100000u
#define PCI_MMIO_STRIDE      0x4000u /* a function's share of it */
#define IOAPIC_BASE          0xfec00000u
#define IOAPIC_SIZE          0x1000u
#define IOAPIC_ID            0    /* as its register reads; it needs no number among the local APICs */
#define IOAPIC_VERSION       0x11 /* 82093AA, KVM's and everybody's */
#define IOAPIC_PINS          24
#define LAPIC_BASE           0xfee00000u
#define LAPIC_SIZE           0x1000u
#define PC_TESTDEV_MMIO_BASE 0xff000000u /* where QEMU has it */
#define PC_TESTDEV_MMIO_SIZE 0x10000u
#define KVM_IDENTITY_BASE    0xfffbc000u /* one page: KVM's real-mode identity map (Intel) */
#define KVM_TSS_BASE         0xfffbd000u /* three pages: KVM's real-mode TSS (Intel) */

/*
 * The firmware's ROM ends at 4 GiB, where a CPU's first instruction is; a copy of its last part ends at 1 MiB, where
 * real mode reaches it. The copy is RAM, as a PC's shadow of its ROM is.
 */
#define ROM_MAX     KIB(256)
#define ROM_LOW_MAX KIB(128)
#define ROM_GRANULE KIB(64) /* a segment of real mode */

static_assert(KVM_TSS_BASE + 0x3000 <= HOLE_END - ROM_MAX, "the ROM's window");
static_assert(VIRTIO_MMIO_BASE >= HOLE_BASE, "MMIO lies in the hole");
static_assert(VIRTIO_MMIO_SIZE <= VIRTIO_MMIO_STRIDE, "slots do not overlap");
static_assert(VIRTIO_MMIO_BASE + VIRTIO_MMIO_SLOTS * VIRTIO_MMIO_STRIDE <= PCI_MMIO_BASE, "virtio");
static_assert(32 * PCI_MMIO_STRIDE <= PCI_MMIO_SIZE, "a bus has 32 devices");
static_assert(PCI_MMIO_BASE % PCI_MMIO_STRIDE == 0, "a BAR is aligned to its size");
static_assert(PCI_MMIO_BASE + PCI_MMIO_SIZE <= IOAPIC_BASE, "PCI");
static_assert(IOAPIC_BASE + IOAPIC_SIZE <= LAPIC_BASE, "IOAPIC");
static_assert(LAPIC_BASE + LAPIC_SIZE <= PC_TESTDEV_MMIO_BASE, "LAPIC");
static_assert(PC_TESTDEV_MMIO_BASE + PC_TESTDEV_MMIO_SIZE <= KVM_IDENTITY_BASE, "pc-testdev");
static_assert(KVM_IDENTITY_BASE + 0x1000 <= KVM_TSS_BASE, "identity page");
static_assert(VIRTIO_MMIO_IRQ + VIRTIO_MMIO_SLOTS <= IOAPIC_PINS, "IOAPIC pins");

/* Where a PC's BIOS leaves the two i8259s' vectors: those are kernels' first ones, exceptions or not. */
#define PIC_VECTORS        0x08
#define PIC_SECOND_VECTORS 0x70

/* The power button's own line, a PC's ACPI interrupt; hardware-reduced ACPI has no other use for it. */
#define POWER_BUTTON_IRQ 9

/* I/O ports, where a PC has them. */
#define I8042_DATA_PORT     0x60u
#define I8042_COMMAND_PORT  0x64u
#define I8042_IRQ           1
#define RTC_PORT            0x70u /* index, data */
#define RTC_SIZE            2u
#define PC_TESTDEV_PORT     0xe0u /* QEMU's, for kvm-unit-tests: latch, flush, latch again */
#define PC_TESTDEV_SIZE     12u
#define DEBUG_EXIT_PORT     0xf4u /* QEMU's isa-debug-exit is used there by convention */
#define DEBUG_EXIT_SIZE     4u
#define COM1_PORT           0x3f8u
#define COM1_SIZE           8u
#define COM1_IRQ            4
#define PVPANIC_PORT        0x505u /* QEMU's default */
#define PVPANIC_SIZE        1u
#define FWCFG_PORT          0x510u /* selector, data, DMA address (QEMU, docs/specs/fw_cfg.rst) */
#define FWCFG_SIZE          12u
#define ACPI_SLEEP_PORT     0x600u /* sleep control, sleep status (ACPI 6.4, 4.8.3.7) */
#define ACPI_SLEEP_SIZE     2u
#define PCI_HOST_PORT       0xcf8u /* configuration mechanism #1: address, data (PCI 3.0, 3.2.2.3.2) */
#define PCI_HOST_SIZE       8u
#define RESET_CONTROL_PORT  0xcf9u /* as in Intel's I/O controller hubs: a byte within PCI's address */
#define RESET_CONTROL_SIZE  1u
#define PC_TESTDEV_IRQ_PORT 0x2000u /* a port an IOAPIC pin */
#define PC_TESTDEV_IRQ_SIZE IOAPIC_PINS
#define BOCHS_POWER_PORT    0x8900u
#define BOCHS_POWER_SIZE    1u

static_assert(
	POWER_BUTTON_IRQ != I8042_IRQ && POWER_BUTTON_IRQ != COM1_IRQ && POWER_BUTTON_IRQ < VIRTIO_MMIO_IRQ,
	"the power button's line is free");
static_assert(RTC_PORT + RTC_SIZE <= PC_TESTDEV_PORT, "RTC");
static_assert(PC_TESTDEV_PORT + PC_TESTDEV_SIZE <= DEBUG_EXIT_PORT, "pc-testdev");
static_assert(DEBUG_EXIT_PORT + DEBUG_EXIT_SIZE <= COM1_PORT, "debug-exit");
static_assert(COM1_PORT + COM1_SIZE <= PVPANIC_PORT, "COM1");
static_assert(PVPANIC_PORT + PVPANIC_SIZE <= FWCFG_PORT, "pvpanic");
static_assert(FWCFG_PORT + FWCFG_SIZE <= ACPI_SLEEP_PORT, "fw_cfg");
static_assert(ACPI_SLEEP_PORT + ACPI_SLEEP_SIZE <= PCI_HOST_PORT, "ACPI sleep");
static_assert(PCI_HOST_PORT <= RESET_CONTROL_PORT &&
		      RESET_CONTROL_PORT + RESET_CONTROL_SIZE <= PCI_HOST_PORT + PCI_HOST_SIZE,
	"reset control");
static_assert(PCI_HOST_PORT + PCI_HOST_SIZE <= PC_TESTDEV_IRQ_PORT, "PCI");
static_assert(PC_TESTDEV_IRQ_PORT + PC_TESTDEV_IRQ_SIZE <= BOCHS_POWER_PORT, "pc-testdev's lines");
