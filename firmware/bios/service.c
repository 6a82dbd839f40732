/* One door for all interrupts: what a vector means. */
#include "bios/bios.h"
#include "bios/io.h"
#include "bios/rom.h"

#define PIC_READ_IN_SERVICE 0x0b
#define PIC_EOI             0x20
#define IRQ_KEYBOARD        1
#define IRQ_COM1            4
#define IRQ_SPURIOUS        7
#define IRQ_RTC             8
#define RTC_C               0x0c

_Noreturn void bios_panic(struct bios *bios, const char *text)
{
	screen_print(bios, "latchkey: ");
	screen_print(bios, text);
	screen_print(bios, "\n");
	io_write8(PANIC_PORT, PANICKED);
	for (;;)
		__asm__ volatile("hlt");
}

static void print_register(struct bios *bios, const char *name, uint32_t value, unsigned digits)
{
	screen_print(bios, name);
	screen_print_hex(bios, value, digits);
}

/* An exception of real mode: nobody has a handler, and to return would be to have it again. */
static void dump(struct bios *bios, const struct frame *frame)
{
	uint32_t code = linear(frame->cs, frame->ip), i;

	print_register(bios, "\nlatchkey: exception ", frame->vector, 2);
	print_register(bios, " at ", frame->cs, 4);
	print_register(bios, ":", frame->ip, 4);
	print_register(bios, "\neax ", frame->eax, 8);
	print_register(bios, " ebx ", frame->ebx, 8);
	print_register(bios, " ecx ", frame->ecx, 8);
	print_register(bios, " edx ", frame->edx, 8);
	print_register(bios, "\nesi ", frame->esi, 8);
	print_register(bios, " edi ", frame->edi, 8);
	print_register(bios, " ebp ", frame->ebp, 8);
	print_register(bios, " flags ", frame->flags, 4);
	print_register(bios, "\nds ", frame->ds, 4);
	print_register(bios, " es ", frame->es, 4);
	print_register(bios, " fs ", frame->fs, 4);
	print_register(bios, " gs ", frame->gs, 4);
	screen_print(bios, " code");
	for (i = 0; i < 8; i++)
		print_register(bios, " ", memory_read8(code + i), 2);
	screen_print(bios, "\n");
	bios_panic(bios, "the guest has no handler for it");
}

static bool in_service(uint16_t pic, unsigned irq)
{
	io_write8(pic, PIC_READ_IN_SERVICE);
	return io_read8(pic) >> (irq & 7) & 1;
}

/* Interrupts that nobody wants; vectors that are exceptions, too, are told apart by the PIC. */
static void serve_irq(struct bios *bios, const struct frame *frame, unsigned irq)
{
	uint16_t pic = irq < 8 ? PIC1_PORT : PIC2_PORT;

	if (!in_service(pic, irq)) {
		if (irq < IRQ_SPURIOUS)
			dump(bios, frame);
		if (irq > 8)
			io_write8(PIC1_PORT, PIC_EOI); /* the first one does not know that it was none */
		return;
	}
	if (irq == IRQ_KEYBOARD)
		io_read8(KEYBOARD_DATA_PORT);
	if (irq == IRQ_COM1)
		io_write8(COM1 + UART_IER, 0); /* somebody waited for a byte: INT 16h looks for it */
	if (irq == IRQ_RTC)
		rtc_read(RTC_C);
	if (irq >= 8)
		io_write8(PIC2_PORT, PIC_EOI);
	io_write8(PIC1_PORT, PIC_EOI);
}

/* INT 19h: the frame becomes the boot sector's. */
static void boot(struct bios *bios, struct frame *frame)
{
	if (virtio_blk_transfer(&bios->disks[0], DISK_READ, 0, BOOT_SECTOR, 1) != TRANSFER_OK)
		bios_panic(bios, "the first disk's boot sector cannot be read");
	if (memory_read16(BOOT_SECTOR + SECTOR_SIZE - 2) != 0xaa55)
		bios_panic(bios, "the first disk has no boot sector: it does not end with 55 AA");
	*frame = (struct frame){.edx = FIRST_DISK, .ip = BOOT_SECTOR, .flags = FLAG_INTERRUPT};
}

static enum verdict serve(struct bios *bios, struct frame *frame)
{
	switch (frame->vector) {
	case 0x00: /* #DE */
	case 0x06: /* #UD */
	case 0x07: /* #NM */
		dump(bios, frame);
		break;
	case 0x10:
		return screen_service(bios, frame);
	case 0x11:
		set_low16(&frame->eax, memory_read16(BDA_EQUIPMENT));
		break;
	case 0x12:
		set_low16(&frame->eax, memory_read16(BDA_MEMORY_KIB));
		break;
	case 0x13:
		return disk_service(bios, frame);
	case 0x15:
		return system_service(bios, frame);
	case 0x16:
		return keyboard_service(bios, frame);
	case 0x18:
		bios_panic(bios, "the boot sector found nothing to boot");
	case 0x19:
		boot(bios, frame);
		break;
	case 0x1a:
		return clock_service(bios, frame);
	default:
		if (frame->vector >= PC_VECTORS && frame->vector < PC_VECTORS + 8)
			serve_irq(bios, frame, frame->vector - PC_VECTORS);
		else if (frame->vector >= PIC2_VECTORS)
			serve_irq(bios, frame, frame->vector - PIC2_VECTORS + 8u);
		break;
	}
	return BIOS_RETURN;
}

unsigned bios_service(struct frame *frame)
{
	return serve((struct bios *)BIOS_STATE, frame);
}
