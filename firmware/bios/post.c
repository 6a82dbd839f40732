/* What is done once, between reset and the boot sector. */
#include "bios/bios.h"
#include "bios/io.h"
#include "bios/rom.h"
#include "fwcfg.h"

#define EQUIPMENT 0x0222 /* an FPU, a colour screen of 80 columns, one serial port */

/* Intel 8259A, "Initialization Command Words": edges, two of them on line 2, 8086 mode. */
static void init_pics(void)
{
	io_write8(PIC1_PORT, 0x11);
	io_write8(PIC1_PORT + 1, PIC1_VECTORS);
	io_write8(PIC1_PORT + 1, 0x04);
	io_write8(PIC1_PORT + 1, 0x01);
	io_write8(PIC2_PORT, 0x11);
	io_write8(PIC2_PORT + 1, PIC2_VECTORS);
	io_write8(PIC2_PORT + 1, 0x02);
	io_write8(PIC2_PORT + 1, 0x01);
	io_write8(PIC1_PORT + 1, (uint8_t)~0x15); /* the tick, the second one, COM1 */
	io_write8(PIC2_PORT + 1, 0xff);
}

/* Counter 0, mode 2, 65536 periods: 18.2 times a second. */
static void init_tick(void)
{
	io_write8(PIT_PORT + 3, 0x34);
	io_write8(PIT_PORT, 0);
	io_write8(PIT_PORT, 0);
}

static void set_vector(unsigned vector, const uint8_t *handler)
{
	memory_write16(4 * vector, (uint16_t)(uintptr_t)handler);
	memory_write16(4 * vector + 2, BIOS_SEGMENT);
}

static void init_vectors(void)
{
	unsigned vector;

	for (vector = 0; vector < 0x100; vector++)
		set_vector(vector, interrupt_nothing);
	set_vector(0x00, interrupt_stubs);
	for (vector = 0x06; vector <= 0x1a; vector++)
		set_vector(vector, interrupt_stubs + 8 * vector);
	for (vector = 0; vector < 8; vector++) {
		set_vector(PIC1_VECTORS + vector, interrupt_lines + 4 * vector);
		set_vector(PIC2_VECTORS + vector, interrupt_stubs + 8 * (0x20 + vector));
	}
	set_vector(0x08, interrupt_tick);
	set_vector(0x19, interrupt_boot);
	set_vector(0x1e, diskette_table);
}

/* INT 14h and 17h get their default here, too: there is no service for a serial port, and no printer. */
static void init_data_area(const struct bios *bios)
{
	uint32_t at;

	for (at = BDA; at < BDA + 0x100; at += 4)
		memory_write32(at, 0);
	memory_write16(BDA_COM1, COM1);
	memory_write16(BDA_EBDA, EBDA_SEGMENT);
	memory_write16(BDA_EQUIPMENT, EQUIPMENT);
	memory_write16(BDA_MEMORY_KIB, CONVENTIONAL_KIB);
	memory_write8(BDA_DISK_COUNT, (uint8_t)bios->disk_count);
	memory_write8(linear(EBDA_SEGMENT, 0), 1); /* its size in KiB */
}

/* QEMU's format: entries of 20 bytes, as INT 15h gives them. */
static void read_map(struct bios *bios)
{
	struct fwcfg_file file = fwcfg_find("etc/e820");
	uint32_t size = file.size < sizeof(bios->map) ? file.size : sizeof(bios->map);

	fwcfg_read(file, 0, bios->map, size);
	bios->map_count = size / sizeof(bios->map[0]);
}

void bios_init(struct bios *bios)
{
	*bios = (struct bios){0};
	init_data_area(bios);
	init_vectors();
	init_pics();
	init_tick();
	keyboard_init(bios);
	screen_init(bios);
	clock_init();
	read_map(bios);
	virtio_blk_find(bios);
	memory_write8(BDA_DISK_COUNT, (uint8_t)bios->disk_count);
}
