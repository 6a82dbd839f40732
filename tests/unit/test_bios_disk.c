/* latchkey's INT 13h: geometry, bounds, and what AH and the carry flag say. */
#include "suites.h"

#include <string.h>

#include "bios_rig.h"

#define MIB_SECTORS(n) ((uint64_t)(n) << 11)

#define BUFFER 0x20000 /* 2000:0000 */
#define PACKET 0x8000  /* 0:8000 */

static uint8_t call(uint16_t ax)
{
	rig.frame.eax = ax;
	rig.frame.flags = FLAG_CARRY;
	ck_assert_int_eq(disk_service(&rig.bios, &rig.frame), BIOS_RETURN);
	return high8(rig.frame.eax);
}

static bool failed(void)
{
	return rig.frame.flags & FLAG_CARRY;
}

static void setup(void)
{
	bios_rig_setup();
	bios_rig_disk(MIB_SECTORS(100));
	rig.frame.edx = 0x80;
	rig.frame.es = BUFFER >> 4;
}

/* CH, CL, DH of an address. */
static void set_chs(unsigned cylinder, unsigned head, unsigned sector)
{
	rig.frame.ecx = (cylinder & 0xff) << 8 | (cylinder >> 2 & 0xc0) | sector;
	rig.frame.edx = head << 8 | 0x80;
}

static void set_packet(uint8_t size, uint16_t count, uint64_t sector)
{
	memory_write8(PACKET, size);
	memory_write8(PACKET + 1, 0);
	memory_write16(PACKET + 2, count);
	memory_write16(PACKET + 4, 0x10);
	memory_write16(PACKET + 6, BUFFER >> 4);
	memory_write64(PACKET + 8, sector);
	rig.frame.ds = 0;
	rig.frame.esi = PACKET;
}

static const struct {
	uint64_t sectors;
	uint16_t cylinders, heads;
} geometries[] = {
	{0, 1, 16},
	{1, 1, 16},
	{2 * 16 * 63 - 1, 1, 16},
	{2 * 16 * 63, 2, 16},
	{1024 * 16 * 63, 1024, 16},
	{1024 * 16 * 63 + 1, 512, 32},
	{1024 * 32 * 63 + 1, 512, 64},
	{1024 * 64 * 63 + 1, 512, 128},
	{1024 * 128 * 63 + 1, 514, 255},
	{1024 * 255 * 63 - 1, 1023, 255},
	{1024 * 255 * 63, 1024, 255},
	{UINT64_C(1) << 33, 1024, 255}, /* 4 TiB */
	{UINT64_MAX, 1024, 255},
};

START_TEST(geometry_has_the_fewest_heads_that_reach)
{
	struct geometry geometry = geometry_of(geometries[_i].sectors);

	ck_assert_uint_eq(geometry.cylinders, geometries[_i].cylinders);
	ck_assert_uint_eq(geometry.heads, geometries[_i].heads);
	ck_assert_uint_eq(geometry.sectors, 63);
}
END_TEST

START_TEST(geometry_is_told_in_registers)
{
	bios_rig_disk(UINT64_C(1) << 33);
	rig.frame.edx = 0x81;
	ck_assert_uint_eq(call(0x0800), 0);
	ck_assert(!failed());
	ck_assert_uint_eq(rig.frame.ecx, 0xffff); /* cylinder 1023, sector 63 */
	ck_assert_uint_eq(rig.frame.edx, 0xfe02); /* head 254, two disks */
	rig.frame.edx = 0x81;
	ck_assert_uint_eq(call(0x1500), 3);
	ck_assert(!failed());
	ck_assert_uint_eq(rig.frame.ecx << 16 | rig.frame.edx, UINT32_MAX);
	rig.frame.edx = 0x82;
	ck_assert_uint_eq(call(0x1500), 0);
	ck_assert(!failed());
}
END_TEST

START_TEST(cylinder_head_and_sector_are_one_number)
{
	rig.frame.ebx = 0xfff0;
	set_chs(202, 15, 63);
	ck_assert_uint_eq(call(0x0201), 0);
	ck_assert(!failed());
	ck_assert_uint_eq(low8(rig.frame.eax), 1);
	ck_assert_uint_eq(rig.sector, (202 * 16 + 15) * 63 + 62);
	ck_assert_uint_eq(rig.address, BUFFER + 0xfff0);
	ck_assert_uint_eq(rig.direction, DISK_READ);
	ck_assert_uint_eq(rig.flushes, 0);
	bios_rig_disk(MIB_SECTORS(9000));
	set_chs(1023, 254, 1); /* the two upper bits are CL's */
	rig.frame.edx |= 1;
	ck_assert_uint_eq(call(0x03ff), 0);
	ck_assert_uint_eq(rig.sector, (1023 * 255 + 254) * 63);
	ck_assert_uint_eq(rig.count, 255);
	ck_assert_uint_eq(rig.direction, DISK_WRITE);
	ck_assert_uint_eq(rig.flushes, 1);
}
END_TEST

static const struct {
	unsigned cylinder, head, sector;
	uint8_t count, status;
} bounds[] = {
	{0, 0, 0, 1, 0x01}, /* sectors count from 1 */
	{0, 0, 1, 0, 0x01},
	{0, 16, 1, 1, 0x04},
	{203, 2, 51, 1, 0x04}, /* 100 MiB are 204800: the first sector behind the end */
	{203, 2, 50, 2, 0x04}, /* ... and across it */
	{1023, 15, 63, 255, 0x04},
};

START_TEST(chs_beyond_the_disk_moves_nothing)
{
	set_chs(bounds[_i].cylinder, bounds[_i].head, bounds[_i].sector);
	ck_assert_uint_eq(call(0x0200 | bounds[_i].count), bounds[_i].status);
	ck_assert(failed());
	ck_assert_uint_eq(low8(rig.frame.eax), 0);
	ck_assert_uint_eq(rig.transfers, 0);
	/* AH=01h tells it again. */
	ck_assert_uint_eq(call(0x0100), bounds[_i].status);
	ck_assert(failed());
}
END_TEST

START_TEST(the_last_sector_is_reached)
{
	set_chs(203, 2, 50);
	rig.frame.ebx = 0;
	ck_assert_uint_eq(call(0x0201), 0);
	ck_assert_uint_eq(rig.sector, 204800 - 1);
}
END_TEST

START_TEST(packets_name_sectors_beyond_2_tib)
{
	uint64_t last = (UINT64_C(1) << 33) - 1;

	bios_rig_disk(last + 1);
	rig.frame.edx = 0x81;
	set_packet(16, 1, last);
	ck_assert_uint_eq(call(0x4200), 0);
	ck_assert(!failed());
	ck_assert_uint_eq(rig.sector, last);
	ck_assert_uint_eq(rig.address, BUFFER + 0x10);
	ck_assert_uint_eq(memory_read16(PACKET + 2), 1);
	set_packet(16, 2, last);
	ck_assert_uint_eq(call(0x4200), 0x04);
	ck_assert(failed());
	ck_assert_uint_eq(memory_read16(PACKET + 2), 0);
	set_packet(16, 1, UINT64_MAX); /* its end wraps */
	ck_assert_uint_eq(call(0x4300), 0x04);
	ck_assert_uint_eq(rig.transfers, 1);
}
END_TEST

START_TEST(packets_are_judged)
{
	set_packet(15, 1, 0);
	ck_assert_uint_eq(call(0x4200), 0x01);
	set_packet(16, 128, 0);
	ck_assert_uint_eq(call(0x4200), 0x01);
	ck_assert_uint_eq(rig.transfers, 0);
	set_packet(16, 0, 0); /* nothing is asked, and done */
	ck_assert_uint_eq(call(0x4200), 0);
	ck_assert_uint_eq(rig.transfers, 0);
	set_packet(16, 127, 0);
	ck_assert_uint_eq(call(0x4200), 0);
	ck_assert_uint_eq(rig.count, 127);
}
END_TEST

START_TEST(packets_may_have_a_flat_address)
{
	set_packet(24, 1, 7);
	memory_write32(PACKET + 4, 0xffffffff);
	memory_write64(PACKET + 16, 0x123456000);
	ck_assert_uint_eq(call(0x4200), 0);
	ck_assert_uint_eq(rig.address, 0x123456000);
	memory_write8(PACKET, 16); /* a shorter one ends before it */
	ck_assert_uint_eq(call(0x4200), 0);
	ck_assert_uint_eq(rig.address, 0xffff0 + 0xffff);
}
END_TEST

START_TEST(read_only_disk_is_write_protected)
{
	rig.bios.disks[0].read_only = true;
	set_chs(0, 0, 1);
	ck_assert_uint_eq(call(0x0301), 0x03);
	ck_assert(failed());
	set_packet(16, 1, 0);
	ck_assert_uint_eq(call(0x4300), 0x03);
	ck_assert_uint_eq(rig.transfers, 0);
	ck_assert_uint_eq(call(0x4200), 0);
}
END_TEST

static const struct {
	enum transfer answer;
	uint16_t ax;
	uint8_t status;
} answers[] = {
	{TRANSFER_FAILED, 0x0201, 0x10},
	{TRANSFER_FAILED, 0x0301, 0xcc},
	{TRANSFER_UNSUPPORTED, 0x0201, 0x20},
	{TRANSFER_TIMEOUT, 0x0301, 0x80},
};

START_TEST(what_the_device_answers_is_told)
{
	rig.answer = answers[_i].answer;
	set_chs(0, 0, 1);
	ck_assert_uint_eq(call(answers[_i].ax), answers[_i].status);
	ck_assert(failed());
	ck_assert_uint_eq(rig.transfers, 1);
	ck_assert_uint_eq(rig.flushes, 0);
	ck_assert_uint_eq(call(0x0100), answers[_i].status);
}
END_TEST

START_TEST(verification_moves_nothing_and_knows_the_end)
{
	set_chs(0, 0, 1);
	ck_assert_uint_eq(call(0x0401), 0);
	set_packet(16, 1, MIB_SECTORS(100));
	ck_assert_uint_eq(call(0x4400), 0x04);
	ck_assert_uint_eq(rig.transfers, 0);
}
END_TEST

START_TEST(extensions_are_there)
{
	rig.frame.ebx = 0x55aa;
	ck_assert_uint_eq(call(0x4100), 0x30);
	ck_assert(!failed());
	ck_assert_uint_eq(rig.frame.ebx, 0xaa55);
	ck_assert_uint_eq(rig.frame.ecx & 1, 1);
	rig.frame.ebx = 0x1234;
	ck_assert_uint_eq(call(0x4100), 0x01);
	ck_assert(failed());
}
END_TEST

START_TEST(parameters_fit_the_callers_buffer)
{
	memset(&rig.memory[PACKET], 0xee, 64);
	memory_write16(PACKET, 0x1a);
	rig.frame.esi = PACKET;
	ck_assert_uint_eq(call(0x4800), 0);
	ck_assert_uint_eq(memory_read16(PACKET), 0x1a);
	ck_assert_uint_eq(memory_read32(PACKET + 4), 203);
	ck_assert_uint_eq(memory_read32(PACKET + 8), 16);
	ck_assert_uint_eq(memory_read32(PACKET + 12), 63);
	ck_assert_uint_eq(memory_read64(PACKET + 16), MIB_SECTORS(100));
	ck_assert_uint_eq(memory_read16(PACKET + 24), 512);
	ck_assert_uint_eq(memory_read8(PACKET + 26), 0xee);
	memory_write16(PACKET, 0x42);
	ck_assert_uint_eq(call(0x4800), 0);
	ck_assert_uint_eq(memory_read16(PACKET), 0x1e);
	ck_assert_uint_eq(memory_read32(PACKET + 26), UINT32_MAX);
	memory_write16(PACKET, 0x19);
	ck_assert_uint_eq(call(0x4800), 0x01);
	ck_assert(failed());
}
END_TEST

START_TEST(what_is_not_there_is_refused)
{
	rig.frame.edx = 0x81; /* a disk */
	ck_assert_uint_eq(call(0x0800), 0x01);
	ck_assert(failed());
	rig.frame.edx = 0x00; /* a diskette; but a reset of all drives is no error */
	ck_assert_uint_eq(call(0x0201), 0x01);
	ck_assert(failed());
	ck_assert_uint_eq(call(0x0000), 0x00);
	ck_assert(!failed());
	rig.frame.edx = 0x80; /* a function: formatting a track */
	ck_assert_uint_eq(call(0x0500), 0x01);
	ck_assert(failed());
}
END_TEST

Suite *bios_disk_suite(void)
{
	Suite *suite = suite_create("firmware/bios/disk");
	TCase *tcase = tcase_create("bios-disk");

	suite_add_tcase(suite, tcase);
	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_loop_test(tcase, geometry_has_the_fewest_heads_that_reach, 0,
		(int)(sizeof(geometries) / sizeof(geometries[0])));
	tcase_add_test(tcase, geometry_is_told_in_registers);
	tcase_add_test(tcase, cylinder_head_and_sector_are_one_number);
	tcase_add_loop_test(
		tcase, chs_beyond_the_disk_moves_nothing, 0, (int)(sizeof(bounds) / sizeof(bounds[0])));
	tcase_add_test(tcase, the_last_sector_is_reached);
	tcase_add_test(tcase, packets_name_sectors_beyond_2_tib);
	tcase_add_test(tcase, packets_are_judged);
	tcase_add_test(tcase, packets_may_have_a_flat_address);
	tcase_add_test(tcase, read_only_disk_is_write_protected);
	tcase_add_loop_test(
		tcase, what_the_device_answers_is_told, 0, (int)(sizeof(answers) / sizeof(answers[0])));
	tcase_add_test(tcase, verification_moves_nothing_and_knows_the_end);
	tcase_add_test(tcase, extensions_are_there);
	tcase_add_test(tcase, parameters_fit_the_callers_buffer);
	tcase_add_test(tcase, what_is_not_there_is_refused);
	return suite;
}
