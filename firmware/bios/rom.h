/* What exists in the ROM only, and not in the unit tests. */
#pragma once

#include <stdint.h>

struct bios;
struct frame;

/* entry.S: 16-bit code, by its offset in segment f000. */
extern const uint8_t interrupt_stubs[]; /* 8 bytes a vector, 0x00 to 0x1f, then 0x70 to 0x77 */
extern const uint8_t interrupt_lines[]; /* 4 bytes each of the first PIC's */
extern const uint8_t interrupt_tick[], interrupt_boot[], interrupt_nothing[], diskette_table[];

/* Leaves 32-bit code for INT 19h. */
_Noreturn void real_mode_boot(void);

/* service.c, called by entry.S with what stands on the caller's stack. */
unsigned bios_service(struct frame *frame);

/* post.c: sets up all of it; struct bios is in RAM that nobody has written to. */
void bios_init(struct bios *bios);

/* Says what is wrong, and ends the guest as a panic. */
_Noreturn void bios_panic(struct bios *bios, const char *text);
