#include "suites.h"

#include <errno.h>
#include <stddef.h>

#include "blk_fixture.h"

START_TEST(a_read_brings_sectors_and_their_length)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 2, 1024, W), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(data()[0], 3);
	ck_assert_uint_eq(data()[1023], 4);
	ck_assert_uint_eq(data()[1024], 0);
	ck_assert_uint_eq(used_len(), 1025);
	ck_assert_uint_eq(blk.stats.reads, 1);
	ck_assert_uint_eq(blk.stats.bytes_read, 1024);
}
END_TEST

START_TEST(a_write_lands_on_the_disk)
{
	memset(data(), 0xab, 1024);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, SECTORS - 2, 1024, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.bytes[(SECTORS - 2) * 512 - 1], SECTORS - 2);
	ck_assert_uint_eq(disk.bytes[(SECTORS - 2) * 512], 0xab);
	ck_assert_uint_eq(disk.bytes[SECTORS * 512 - 1], 0xab);
	ck_assert_uint_eq(used_len(), 1);
	ck_assert_uint_eq(disk.flushes, 0);
	ck_assert_uint_eq(blk.stats.writes, 1);
	ck_assert_uint_eq(blk.stats.bytes_written, 1024);
}
END_TEST

START_TEST(a_request_may_be_cut_anywhere)
{
	put_header(VIRTIO_BLK_T_IN, 7);
	ring_desc(&ring, RING_DESC, 0, HEADER, 5, N, 1);
	ring_desc(&ring, RING_DESC, 1, HEADER + 5, 11, N, 2);
	ring_desc(&ring, RING_DESC, 2, DATA, 100, N | W, 3);
	ring_desc(&ring, RING_DESC, 3, DATA + 100, 413, W, 0); /* the last byte is the status */
	data()[512] = UNTOUCHED;
	ring_offer(&ring, 0);
	ck_assert_int_eq(serve(), 1);
	ck_assert_uint_eq(data()[0], 8);
	ck_assert_uint_eq(data()[511], 8);
	ck_assert_uint_eq(data()[512], VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(used_len(), 513);
}
END_TEST

START_TEST(header_and_written_data_may_share_a_segment)
{
	put_header(VIRTIO_BLK_T_OUT, 3);
	memset(ring_at(&ring, HEADER + 16), 0x77, 512);
	ring_desc(&ring, RING_DESC, 0, HEADER, 16 + 512, N, 1);
	ring_desc(&ring, RING_DESC, 1, STATUS, 1, W, 0);
	ring_offer(&ring, 0);
	ck_assert_int_eq(serve(), 1);
	ck_assert_uint_eq(*(uint8_t *)ring_at(&ring, STATUS), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.bytes[3 * 512], 0x77);
	ck_assert_uint_eq(disk.bytes[4 * 512 - 1], 0x77);
}
END_TEST

START_TEST(no_data_is_fine)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, SECTORS, 0, W), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 0, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.calls, 0);
}
END_TEST

START_TEST(a_flush_flushes)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.flushes, 1);
	ck_assert_uint_eq(blk.stats.flushes, 1);
}
END_TEST

START_TEST(without_flush_every_write_is_stable)
{
	virtio_blk_ops.negotiated(&blk, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 512, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.flushes, 1);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512, W), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.flushes, 1);
}
END_TEST

START_TEST(the_id_is_the_serial_padded_with_zeroes)
{
	memset(data(), 0xff, 32);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 32, W), VIRTIO_BLK_S_OK);
	ck_assert_int_eq(memcmp(data(), "serial-42\0\0\0\0\0\0\0\0\0\0\0\xff", 21), 0);
	ck_assert_uint_eq(used_len(), 21);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, 4, W), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(used_len(), 5);
}
END_TEST

START_TEST(a_serial_has_20_bytes_at_most)
{
	virtio_blk_fini(&blk);
	ck_assert_int_eq(virtio_blk_init(&blk, &disk.block, "123456789012345678901", 1), -EINVAL);
	virtio_blk_fini(&blk);
	ck_assert_int_eq(virtio_blk_init(&blk, &disk.block, "12345678901234567890", 1), 0);
	ck_assert_int_eq(memcmp(blk.serial, "12345678901234567890", 20), 0);
}
END_TEST

static void put_segment(unsigned index, uint64_t sector, uint32_t count, uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes segment = {
		.sector = sector, .num_sectors = count, .flags = flags};

	memcpy(data() + 16 * index, &segment, sizeof(segment));
}

START_TEST(a_discard_takes_many_ranges)
{
	put_segment(0, 8, 4, 0);
	put_segment(1, 32, 1, 0);
	put_segment(2, 32, 0, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 48, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.discards, 2);
	ck_assert_uint_eq(disk.offset, 32 * 512);
	ck_assert_uint_eq(disk.len, 512);
	ck_assert_uint_eq(blk.stats.discards, 1);
}
END_TEST

START_TEST(write_zeroes_may_unmap_if_asked)
{
	put_segment(0, 8, 4, (uint32_t)_i);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk.zeroes, 1);
	ck_assert_uint_eq(disk.offset, 8 * 512);
	ck_assert_uint_eq(disk.len, 4 * 512);
	ck_assert(disk.unmap == (_i == 1));
}
END_TEST

/* Requests of three segments that are answered with an error and never reach the backend. */
static const struct {
	const char *what;
	uint32_t type;
	uint64_t sector;
	uint32_t len;
	uint16_t flags;
	uint8_t status;
	struct virtio_blk_discard_write_zeroes segment;
	bool read_only, few_features;
} refused[] = {
	{"a read past the end", VIRTIO_BLK_T_IN, SECTORS, 512, W, .status = VIRTIO_BLK_S_IOERR},
	{"a read across the end", VIRTIO_BLK_T_IN, SECTORS - 1, 1024, W, .status = VIRTIO_BLK_S_IOERR},
	{"no data past the end", VIRTIO_BLK_T_IN, SECTORS + 1, 0, W, .status = VIRTIO_BLK_S_IOERR},
	{"a sector that wraps in bytes", VIRTIO_BLK_T_IN, BIT(55), 512, W, .status = VIRTIO_BLK_S_IOERR},
	{"a sector that wraps", VIRTIO_BLK_T_IN, UINT64_MAX, 1024, W, .status = VIRTIO_BLK_S_IOERR},
	{"a read of half a sector", VIRTIO_BLK_T_IN, 0, 256, W, .status = VIRTIO_BLK_S_IOERR},
	{"a read of 513 bytes", VIRTIO_BLK_T_IN, 0, 513, W, .status = VIRTIO_BLK_S_IOERR},
	{"a write past the end", VIRTIO_BLK_T_OUT, SECTORS, 512, 0, .status = VIRTIO_BLK_S_IOERR},
	{"a write that wraps", VIRTIO_BLK_T_OUT, UINT64_MAX, 1024, 0, .status = VIRTIO_BLK_S_IOERR},
	{"a write of 511 bytes", VIRTIO_BLK_T_OUT, 0, 511, 0, .status = VIRTIO_BLK_S_IOERR},
	{"a write to a read-only disk", VIRTIO_BLK_T_OUT, 0, 512, 0, .status = VIRTIO_BLK_S_IOERR,
		.read_only = true},
	{"an unknown type", 77, 0, 512, W, .status = VIRTIO_BLK_S_UNSUPP},
	{"a SCSI command", VIRTIO_BLK_T_SCSI_CMD, 0, 512, W, .status = VIRTIO_BLK_S_UNSUPP},
	{"an erase", VIRTIO_BLK_T_SECURE_ERASE, 0, 16, 0, .status = VIRTIO_BLK_S_UNSUPP},
	{"a discard not negotiated", VIRTIO_BLK_T_DISCARD, 0, 16, 0, .status = VIRTIO_BLK_S_UNSUPP,
		.segment = {0, 1, 0}, .few_features = true},
	{"zeroes not negotiated", VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0, .status = VIRTIO_BLK_S_UNSUPP,
		.segment = {0, 1, 0}, .few_features = true},
	{"a discard to unmap", VIRTIO_BLK_T_DISCARD, 0, 16, 0, .status = VIRTIO_BLK_S_UNSUPP,
		.segment = {0, 1, 1}},
	{"an unknown flag", VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0, .status = VIRTIO_BLK_S_UNSUPP,
		.segment = {0, 1, 2}},
	{"a discard past the end", VIRTIO_BLK_T_DISCARD, 0, 16, 0, .status = VIRTIO_BLK_S_IOERR,
		.segment = {SECTORS, 1, 0}},
	{"zeroes across the end", VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0, .status = VIRTIO_BLK_S_IOERR,
		.segment = {SECTORS - 1, 2, 0}},
	{"zeroes that wrap", VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0, .status = VIRTIO_BLK_S_IOERR,
		.segment = {UINT64_MAX, 2, 0}},
	{"17 bytes of ranges", VIRTIO_BLK_T_DISCARD, 0, 17, 0, .status = VIRTIO_BLK_S_IOERR,
		.segment = {0, 1, 0}},
	{"17 ranges to discard", VIRTIO_BLK_T_DISCARD, 0, 17 * 16, 0, .status = VIRTIO_BLK_S_IOERR,
		.segment = {0, 1, 0}},
	{"2 ranges of zeroes", VIRTIO_BLK_T_WRITE_ZEROES, 0, 32, 0, .status = VIRTIO_BLK_S_IOERR,
		.segment = {0, 1, 0}},
};

START_TEST(a_malformed_request_is_refused)
{
	uint8_t status;

	disk.block.read_only = refused[_i].read_only;
	if (refused[_i].few_features)
		virtio_blk_ops.negotiated(&blk, BIT(VIRTIO_BLK_F_FLUSH));
	put_segment(
		0, refused[_i].segment.sector, refused[_i].segment.num_sectors, refused[_i].segment.flags);
	status = request(refused[_i].type, refused[_i].sector, refused[_i].len, refused[_i].flags);
	ck_assert_msg(status == refused[_i].status, "%s: %u", refused[_i].what, status);
	ck_assert_uint_eq(used_len(), 1);
	ck_assert_msg(disk.calls == 0, "%s", refused[_i].what);
	ck_assert_uint_eq(blk.stats.errors, 1);
}
END_TEST

START_TEST(one_range_too_long_is_refused_before_any_is_discarded)
{
	disk.block.size = BIT(50);
	put_segment(0, 0, 1, 0);
	put_segment(1, 0, (uint32_t)(GIB(2) / 512) + 1, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 32, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(disk.calls, 0);
	put_segment(0, 0, (uint32_t)(MIB(64) / 512) + 1, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(disk.calls, 0);
}
END_TEST

START_TEST(large_blocks_are_read_whole)
{
	disk.block.logical_size = 4096;
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 8, 4096, W), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 8, 512, W), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 1, 4096, W), VIRTIO_BLK_S_IOERR);
}
END_TEST

static const struct {
	int fail;
	uint8_t status;
} failures[] = {
	{-EIO, VIRTIO_BLK_S_IOERR},
	{-ENOSPC, VIRTIO_BLK_S_IOERR},
	{-EOPNOTSUPP, VIRTIO_BLK_S_UNSUPP},
};

START_TEST(a_backend_s_error_reaches_the_driver)
{
	uint8_t status = failures[_i].status;

	disk.fail = failures[_i].fail;
	put_segment(0, 0, 1, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16, 0), status);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), status);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512, W), status);
	ck_assert_uint_eq(used_len(), 1);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 0, 512, 0), status);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_FLUSH, 0, 0, 0), status);
	ck_assert_uint_eq(blk.stats.errors, 5);
	ck_assert_uint_eq(blk.stats.bytes_read + blk.stats.bytes_written, 0);
}
END_TEST

/* Chains that leave no room for a header or an answer. */
static const struct {
	const char *what;
	struct {
		uint32_t len;
		uint16_t flags;
	} desc[2];
} unanswerable[] = {
	{"no status", {{16, N}, {512, 0}}},
	{"an empty status", {{16, N}, {0, W}}},
	{"no header", {{0, N}, {513, W}}},
	{"a short header", {{15, N}, {513, W}}},
	{"nothing", {{0, 0}}},
};

START_TEST(a_request_without_header_or_status_breaks_the_queue)
{
	for (unsigned i = 0; i < 2; i++)
		ring_desc(&ring, RING_DESC, i, DATA, unanswerable[_i].desc[i].len,
			unanswerable[_i].desc[i].flags, 1);
	ring_offer(&ring, 0);
	ck_assert_msg(serve() == -EPROTO, "%s", unanswerable[_i].what);
	ck_assert_uint_eq(ring_used(&ring)->idx, 0);
}
END_TEST

START_TEST(an_empty_queue_serves_nothing)
{
	ck_assert_int_eq(serve(), 0);
}
END_TEST

START_TEST(features_follow_the_backend)
{
	uint64_t always = BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) |
	                  BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_TOPOLOGY) | BIT(VIRTIO_BLK_F_FLUSH);

	ck_assert_uint_eq(features(), always | BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES));
	disk.block.can_discard = false;
	ck_assert_uint_eq(features(), always | BIT(VIRTIO_BLK_F_WRITE_ZEROES));
	disk.block.can_write_zeroes = false;
	ck_assert_uint_eq(features(), always);
	disk.block.read_only = true;
	ck_assert_uint_eq(features(), always | BIT(VIRTIO_BLK_F_RO));
}
END_TEST

static uint64_t config(uint64_t offset, unsigned size)
{
	return virtio_blk_ops.config_read(&blk, offset, size);
}

START_TEST(the_configuration_space_is_as_in_5_2_4)
{
	ck_assert_uint_eq(config(0, 8), SECTORS);
	ck_assert_uint_eq(config(0, 4), SECTORS);
	ck_assert_uint_eq(config(4, 4), 0);
	ck_assert_uint_eq(config(8, 4), KIB(256)); /* size_max */
	ck_assert_uint_eq(config(12, 4), 254);     /* seg_max */
	ck_assert_uint_eq(config(20, 4), 512);     /* blk_size */
	ck_assert_uint_eq(config(24, 1), 3);       /* physical_block_exp: 4096 */
	ck_assert_uint_eq(config(25, 1), 0);
	ck_assert_uint_eq(config(26, 2), 8);
	ck_assert_uint_eq(config(36, 4), GIB(2) / 512); /* max_discard_sectors */
	ck_assert_uint_eq(config(40, 4), 16);
	ck_assert_uint_eq(config(44, 4), 8);
	ck_assert_uint_eq(config(48, 4), MIB(64) / 512); /* max_write_zeroes_sectors */
	ck_assert_uint_eq(config(52, 4), 1);
	ck_assert_uint_eq(config(56, 1), 1); /* write_zeroes_may_unmap */
	ck_assert_uint_eq(config(21, 2), 2); /* any offset and size */
	ck_assert_uint_eq(config(55, 8), 1 << 8);
}
END_TEST

START_TEST(beyond_the_configuration_space_all_reads_0)
{
	size_t end = sizeof(blk.space);

	((uint8_t *)&blk.space)[end - 1] = 0x99;
	ck_assert_uint_eq(config(end - 1, 8), 0x99);
	ck_assert_uint_eq(config(end, 4), 0);
	ck_assert_uint_eq(config(end + 1, 8), 0);
	ck_assert_uint_eq(config(UINT64_MAX, 1), 0);
	ck_assert_uint_eq(config(UINT64_MAX - 3, 8), 0);
	virtio_blk_ops.config_write(&blk, 0, 8, 1);
	ck_assert_uint_eq(config(0, 8), SECTORS);
}
END_TEST

Suite *virtio_blk_suite(void)
{
	Suite *suite = suite_create("virtio_blk");
	TCase *tc = tcase_create("virtio_blk");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, a_read_brings_sectors_and_their_length);
	tcase_add_test(tc, a_write_lands_on_the_disk);
	tcase_add_test(tc, a_request_may_be_cut_anywhere);
	tcase_add_test(tc, header_and_written_data_may_share_a_segment);
	tcase_add_test(tc, no_data_is_fine);
	tcase_add_test(tc, a_flush_flushes);
	tcase_add_test(tc, without_flush_every_write_is_stable);
	tcase_add_test(tc, the_id_is_the_serial_padded_with_zeroes);
	tcase_add_test(tc, a_serial_has_20_bytes_at_most);
	tcase_add_test(tc, a_discard_takes_many_ranges);
	tcase_add_loop_test(tc, write_zeroes_may_unmap_if_asked, 0, 2);
	tcase_add_loop_test(tc, a_malformed_request_is_refused, 0, ARRAY_SIZE(refused));
	tcase_add_test(tc, one_range_too_long_is_refused_before_any_is_discarded);
	tcase_add_test(tc, large_blocks_are_read_whole);
	tcase_add_loop_test(tc, a_backend_s_error_reaches_the_driver, 0, ARRAY_SIZE(failures));
	tcase_add_loop_test(
		tc, a_request_without_header_or_status_breaks_the_queue, 0, ARRAY_SIZE(unanswerable));
	tcase_add_test(tc, an_empty_queue_serves_nothing);
	tcase_add_test(tc, features_follow_the_backend);
	tcase_add_test(tc, the_configuration_space_is_as_in_5_2_4);
	tcase_add_test(tc, beyond_the_configuration_space_all_reads_0);
	suite_add_tcase(suite, tc);
	suite_add_tcase(suite, virtio_blk_async_tcase());
	suite_add_tcase(suite, virtio_blk_rate_tcase());
	return suite;
}
