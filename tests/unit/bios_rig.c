#include "bios_rig.h"

#include <check.h>
#include <string.h>

#define MCR_LOOP 0x10

struct bios_rig rig;

const uint8_t system_table[] = {8, 0};

uint8_t io_read8(uint16_t port)
{
	switch (port) {
	case COM1 + UART_LSR:
		return 0x60 | (*rig.input ? 1 : 0);
	case COM1 + UART_DATA:
		return *rig.input ? (uint8_t)*rig.input++ : 0;
	case RTC_INDEX_PORT + 1:
		return rig.rtc[rig.rtc_index];
	default:
		return 0xff;
	}
}

void io_write8(uint16_t port, uint8_t value)
{
	switch (port) {
	case COM1 + UART_DATA:
		ck_assert_uint_lt(rig.output_len, RIG_OUTPUT - 1);
		rig.output[rig.output_len++] = (char)value;
		break;
	case COM1 + UART_IER:
		rig.ier = value;
		break;
	case COM1 + UART_MCR:
		rig.mcr = value;
		break;
	case COM1 + UART_FCR: /* the FIFOs are turned on: what is in the chip is lost */
		ck_assert(rig.mcr & MCR_LOOP);
		ck_assert_str_eq(rig.input, "");
		break;
	case RTC_INDEX_PORT:
		rig.rtc_index = value & 0x7f;
		break;
	case RTC_INDEX_PORT + 1:
		rig.rtc[rig.rtc_index] = value;
		break;
	default:
		break;
	}
}

volatile void *io_memory(uint32_t address)
{
	ck_assert_uint_lt(address, RIG_MEMORY - 8);
	return &rig.memory[address];
}

enum transfer virtio_blk_transfer(
	struct disk *disk, enum direction direction, uint64_t sector, uint64_t address, uint32_t count)
{
	(void)disk;
	if (direction == DISK_FLUSH) {
		rig.flushes++;
		return TRANSFER_OK;
	}
	rig.transfers++;
	rig.direction = direction;
	rig.sector = sector;
	rig.address = address;
	rig.count = count;
	return rig.answer;
}

void bios_rig_setup(void)
{
	memset(&rig, 0, sizeof(rig));
	rig.input = "";
	keyboard_init(&rig.bios);
	screen_init(&rig.bios);
	bios_rig_output();
}

void bios_rig_disk(uint64_t sectors)
{
	rig.bios.disks[rig.bios.disk_count++] =
		(struct disk){.sectors = sectors, .geometry = geometry_of(sectors), .flush = true};
}

const char *bios_rig_output(void)
{
	static char text[RIG_OUTPUT];

	memcpy(text, rig.output, rig.output_len);
	text[rig.output_len] = '\0';
	rig.output_len = 0;
	return text;
}
