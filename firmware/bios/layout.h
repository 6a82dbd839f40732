/*
 * Where the BIOS has what, for C and for entry.S. What the machine decides is in vmm/x86/layout.h, too, whose headers
 * this code cannot have: tests/unit/test_bios.c asserts that they agree.
 */
#pragma once

/* Code: segment f000 of the ROM's copy below 1 MiB. */
#define BIOS_SEGMENT 0xf000
#define BIOS_OFFSET  0x2000 /* where it begins there; the MP table has the first page */

/* State: RAM that the e820 map reserves, between the ACPI tables and the ROM. */
#define BIOS_STATE     0xe8000
#define BIOS_STATE_END 0xec000
#define BIOS_STACK_TOP 0xefff0

/* The IBM PC's own places. */
#define BDA              0x400
#define EBDA_SEGMENT     0x9fc0
#define BOOT_SECTOR      0x7c00
#define CONVENTIONAL_KIB 639 /* the EBDA has the last one */

#define BDA_COM1          0x400
#define BDA_EBDA          0x40e
#define BDA_EQUIPMENT     0x410
#define BDA_MEMORY_KIB    0x413
#define BDA_SHIFT_FLAGS   0x417
#define BDA_KEY_HEAD      0x41a
#define BDA_KEY_TAIL      0x41c
#define BDA_KEYS          0x41e
#define BDA_KEYS_END      0x43e
#define BDA_VIDEO_MODE    0x449
#define BDA_COLUMNS       0x44a
#define BDA_PAGE_SIZE     0x44c
#define BDA_CURSOR        0x450 /* row << 8 | column, for each of 8 pages */
#define BDA_CURSOR_SHAPE  0x460
#define BDA_CRTC          0x463
#define BDA_TICKS         0x46c
#define BDA_MIDNIGHT      0x470
#define BDA_DISK_STATUS   0x474
#define BDA_DISK_COUNT    0x475
#define BDA_KEY_START     0x480
#define BDA_KEY_END       0x482
#define BDA_LAST_ROW      0x484
#define BDA_CHAR_HEIGHT   0x485
#define BDA_KEYBOARD_TYPE 0x496

#define TICKS_A_DAY 0x1800b0

/*
 * The first i8259's lines. A PC has their handlers at 08h, but its vectors are elsewhere, and lead there: a kernel on
 * hardware-reduced ACPI, as Linux is here, does not touch the i8259, and takes the tick that comes when it first
 * enables interrupts for a double fault. F0h is nobody's exception. The second one's are all masked.
 */
#define PC_VECTORS   0x08
#define PIC1_VECTORS 0xf0
#define PIC2_VECTORS 0x70

/* Chips, where a PC has them. */
#define PIC1_PORT          0x20
#define PIC2_PORT          0xa0
#define PIT_PORT           0x40
#define KEYBOARD_DATA_PORT 0x60
#define RTC_INDEX_PORT     0x70
#define COM1               0x3f8
#define PANIC_PORT         0x505
#define PANICKED           0x01 /* what is written there */

/* Registers of a 16550, as at COM1. */
#define UART_DATA 0
#define UART_IER  1
#define UART_FCR  2
#define UART_LCR  3
#define UART_MCR  4
#define UART_LSR  5
#define LSR_DATA  0x01
#define LSR_THRE  0x20

#define VIRTIO_SLOTS_BASE   0xd0000000
#define VIRTIO_SLOTS_STRIDE 0x1000
