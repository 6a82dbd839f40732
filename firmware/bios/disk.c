/* INT 13h: disks by cylinder, head and sector, and by the extensions' packets (EDD 3.0, T13/1386D). */
#include "bios/bios.h"
#include "bios/io.h"

/* What AH says (Ralf Brown's interrupt list, INT 13h, AH=01h). */
enum status {
	STATUS_OK = 0x00,
	STATUS_INVALID = 0x01,
	STATUS_WRITE_PROTECTED = 0x03,
	STATUS_NOT_FOUND = 0x04,
	STATUS_READ_ERROR = 0x10,
	STATUS_CONTROLLER = 0x20,
	STATUS_TIMEOUT = 0x80,
	STATUS_WRITE_FAULT = 0xcc,
};

#define SECTORS_A_TRACK 63 /* six bits, from 1 */
#define CYLINDERS_MAX   1024
#define HEADS_MAX       255 /* 256 is what DOS cannot count */

#define EDD_VERSION    0x30
#define EDD_INTERFACES 0x05 /* packets, and what AH=48h tells */

#define PACKET_SIZE       0x10
#define PACKET_SIZE_FLAT  0x18
#define PACKET_BLOCKS_MAX 127
#define FLAT_BUFFER       0xffffffffu

#define PARAMETERS_SIZE      0x1a /* EDD 1.0 */
#define PARAMETERS_SIZE_EDD2 0x1e
#define PARAMETERS_CHS_VALID 0x02
#define NO_TABLE             0xffffffffu /* there is no device parameter table extension: it is about ATA */

/*
 * LBA assisted translation, as PCs have it: the fewest heads of 16, 32, 64, 128 and 255 that leave no more than 1024
 * cylinders. A disk's end may lie outside of it, and where less than a cylinder is, one is told of.
 */
struct geometry geometry_of(uint64_t sectors)
{
	struct geometry geometry = {.cylinders = CYLINDERS_MAX, .heads = 16, .sectors = SECTORS_A_TRACK};
	uint32_t cylinder;

	while (geometry.heads < 256 && sectors > (uint64_t)geometry.heads * SECTORS_A_TRACK * CYLINDERS_MAX)
		geometry.heads = (uint16_t)(geometry.heads * 2);
	if (geometry.heads > HEADS_MAX)
		geometry.heads = HEADS_MAX;
	cylinder = (uint32_t)geometry.heads * SECTORS_A_TRACK;
	if (sectors < (uint64_t)cylinder * CYLINDERS_MAX)
		geometry.cylinders = (uint16_t)((uint32_t)sectors / cylinder);
	if (!geometry.cylinders)
		geometry.cylinders = 1;
	return geometry;
}

static enum status status_of(enum transfer transfer, enum direction direction)
{
	switch (transfer) {
	case TRANSFER_OK:
		return STATUS_OK;
	case TRANSFER_TIMEOUT:
		return STATUS_TIMEOUT;
	case TRANSFER_UNSUPPORTED:
		return STATUS_CONTROLLER;
	default:
		return direction == DISK_READ ? STATUS_READ_ERROR : STATUS_WRITE_FAULT;
	}
}

/* What all ways to move sectors have in common; a verification reads nothing, but has the same bounds. */
enum action { ACTION_READ, ACTION_WRITE, ACTION_VERIFY };

static enum status move_sectors(
	struct disk *disk, enum action action, uint64_t sector, uint64_t address, uint32_t count)
{
	enum direction direction = action == ACTION_WRITE ? DISK_WRITE : DISK_READ;
	enum transfer transfer;

	if (sector >= disk->sectors || count > disk->sectors - sector)
		return STATUS_NOT_FOUND;
	if (action == ACTION_WRITE && disk->read_only)
		return STATUS_WRITE_PROTECTED;
	if (!count || action == ACTION_VERIFY)
		return disk->dead ? STATUS_TIMEOUT : STATUS_OK;
	transfer = virtio_blk_transfer(disk, direction, sector, address, count);
	/* A BIOS's caller takes what was written for safe: it has no way to ask for a flush. */
	if (transfer == TRANSFER_OK && action == ACTION_WRITE && disk->flush)
		transfer = virtio_blk_transfer(disk, DISK_FLUSH, 0, 0, 0);
	return status_of(transfer, direction);
}

/* AH=02h to 04h: CH is the cylinder, with its bits 8 and 9 on top of the sector in CL; DH the head, AL how many. */
static enum status move_chs(struct disk *disk, enum action action, struct frame *frame)
{
	const struct geometry *geometry = &disk->geometry;
	uint32_t cylinder = high8(frame->ecx) | (uint32_t)(low8(frame->ecx) & 0xc0) << 2;
	uint32_t sector = low8(frame->ecx) & 0x3f, head = high8(frame->edx), count = low8(frame->eax);
	enum status status;

	if (!count || !sector)
		status = STATUS_INVALID;
	/* Not compared with the last cylinder: a disk may end in one that is not whole. */
	else if (head >= geometry->heads || sector > geometry->sectors)
		status = STATUS_NOT_FOUND;
	else
		status = move_sectors(disk, action,
			((uint64_t)cylinder * geometry->heads + head) * geometry->sectors + sector - 1,
			linear(frame->es, (uint16_t)frame->ebx), count);
	if (status)
		set_low8(&frame->eax, 0); /* so many were moved */
	return status;
}

/* AH=42h to 44h: DS:SI is a packet, which says how many blocks go where; after an error none have. */
static enum status move_packet(struct disk *disk, enum action action, const struct frame *frame)
{
	uint32_t packet = linear(frame->ds, (uint16_t)frame->esi);
	uint8_t size = memory_read8(packet);
	uint16_t count = memory_read16(packet + 2);
	uint64_t address = linear(memory_read16(packet + 6), memory_read16(packet + 4));
	enum status status;

	if (size < PACKET_SIZE || count > PACKET_BLOCKS_MAX)
		return STATUS_INVALID;
	if (size >= PACKET_SIZE_FLAT && memory_read32(packet + 4) == FLAT_BUFFER)
		address = memory_read64(packet + 16);
	status = move_sectors(disk, action, memory_read64(packet + 8), address, count);
	if (status)
		memory_write16(packet + 2, 0);
	return status;
}

static void tell_geometry(const struct bios *bios, const struct disk *disk, struct frame *frame)
{
	const struct geometry *geometry = &disk->geometry;
	uint16_t last = (uint16_t)(geometry->cylinders - 1);

	set_low8(&frame->eax, 0);
	set_low8(&frame->ebx, 0);
	set_high8(&frame->ecx, (uint8_t)last);
	set_low8(&frame->ecx, (uint8_t)((last >> 2 & 0xc0) | geometry->sectors));
	set_high8(&frame->edx, (uint8_t)(geometry->heads - 1));
	set_low8(&frame->edx, (uint8_t)bios->disk_count);
}

/* AH=48h: DS:SI is a buffer that says its size. */
static enum status tell_parameters(const struct disk *disk, const struct frame *frame)
{
	uint32_t buffer = linear(frame->ds, (uint16_t)frame->esi);
	uint16_t size = memory_read16(buffer);

	if (size < PARAMETERS_SIZE)
		return STATUS_INVALID;
	if (size >= PARAMETERS_SIZE_EDD2)
		memory_write32(buffer + 26, NO_TABLE);
	memory_write16(buffer, size >= PARAMETERS_SIZE_EDD2 ? PARAMETERS_SIZE_EDD2 : PARAMETERS_SIZE);
	memory_write16(buffer + 2, PARAMETERS_CHS_VALID);
	memory_write32(buffer + 4, disk->geometry.cylinders);
	memory_write32(buffer + 8, disk->geometry.heads);
	memory_write32(buffer + 12, disk->geometry.sectors);
	memory_write64(buffer + 16, disk->sectors);
	memory_write16(buffer + 24, SECTOR_SIZE);
	return STATUS_OK;
}

/* AH=15h: a fixed disk, and CX:DX sectors of it. */
static void tell_type(const struct disk *disk, struct frame *frame)
{
	uint32_t sectors = disk->sectors > UINT32_MAX ? UINT32_MAX : (uint32_t)disk->sectors;

	set_high8(&frame->eax, 3);
	set_low16(&frame->ecx, (uint16_t)(sectors >> 16));
	set_low16(&frame->edx, (uint16_t)sectors);
}

static enum status tell_extensions(struct frame *frame)
{
	if ((uint16_t)frame->ebx != 0x55aa)
		return STATUS_INVALID;
	set_low16(&frame->ebx, 0xaa55);
	set_low16(&frame->ecx, EDD_INTERFACES);
	return STATUS_OK;
}

/* What is asked of a disk that is there. */
static enum status serve(struct bios *bios, struct disk *disk, struct frame *frame)
{
	switch (high8(frame->eax)) {
	case 0x00: /* reset */
	case 0x09: /* the drive's parameters */
	case 0x0c: /* seek */
	case 0x0d: /* reset */
	case 0x10: /* is it ready? */
	case 0x11: /* recalibrate */
	case 0x14: /* diagnose */
	case 0x47: /* extended seek */
		return disk->dead ? STATUS_TIMEOUT : STATUS_OK;
	case 0x02:
		return move_chs(disk, ACTION_READ, frame);
	case 0x03:
		return move_chs(disk, ACTION_WRITE, frame);
	case 0x04:
		return move_chs(disk, ACTION_VERIFY, frame);
	case 0x08:
		tell_geometry(bios, disk, frame);
		return STATUS_OK;
	case 0x41:
		return tell_extensions(frame);
	case 0x42:
		return move_packet(disk, ACTION_READ, frame);
	case 0x43:
		return move_packet(disk, ACTION_WRITE, frame);
	case 0x44:
		return move_packet(disk, ACTION_VERIFY, frame);
	case 0x48:
		return tell_parameters(disk, frame);
	default:
		return STATUS_INVALID;
	}
}

enum verdict disk_service(struct bios *bios, struct frame *frame)
{
	unsigned index = low8(frame->edx) - FIRST_DISK;
	struct disk *disk = index < bios->disk_count ? &bios->disks[index] : NULL;
	uint8_t function = high8(frame->eax);
	enum status status;

	if (function == 0x01) { /* how did the last call end? */
		status = memory_read8(BDA_DISK_STATUS);
	} else if (function == 0x15) { /* AH is its answer, no status: 0 where no disk is */
		if (disk)
			tell_type(disk, frame);
		else
			set_high8(&frame->eax, 0);
		set_flag(frame, FLAG_CARRY, false);
		return BIOS_RETURN;
	} else if (function == 0x00 && !disk) { /* also of diskettes: loaders reset what they booted from */
		status = STATUS_OK;
	} else {
		status = disk ? serve(bios, disk, frame) : STATUS_INVALID;
		memory_write8(BDA_DISK_STATUS, (uint8_t)status);
	}
	/* AH=41h has its version there. */
	set_high8(&frame->eax, function == 0x41 && !status ? EDD_VERSION : (uint8_t)status);
	set_flag(frame, FLAG_CARRY, status != STATUS_OK);
	return BIOS_RETURN;
}
