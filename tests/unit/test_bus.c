/* The bus: what may be attached where, and which accesses reach a device. Also the doorbell. */
#include "suites.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus.h"
#include "bus/doorbell.h"
#include "util/bytes.h"

/* Notes the last access, and answers with more bits than any size has. */
struct probe {
	unsigned reads, writes;
	uint64_t offset;
	unsigned size;
	uint64_t value;
};

#define PROBE_ANSWER 0x8877665544332211

static uint64_t probe_read(void *dev, uint64_t offset, unsigned size)
{
	struct probe *probe = dev;

	probe->reads++;
	probe->offset = offset;
	probe->size = size;
	return PROBE_ANSWER;
}

static void probe_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct probe *probe = dev;

	probe->writes++;
	probe->offset = offset;
	probe->size = size;
	probe->value = value;
}

static const struct bus_ops probe_ops = {probe_read, probe_write, 1 | 2 | 4 | 8, false};
static const struct bus_ops probe_ops_2_4 = {probe_read, probe_write, 2 | 4, false};
static const struct bus_ops sharing_ops = {probe_read, probe_write, 1 | 2 | 4 | 8, true};

static int attach(struct bus *bus, uint64_t base, uint64_t size)
{
	return bus_attach(bus, base, size, "probe", &probe_ops, NULL);
}

START_TEST(attach_refuses_empty_and_wrapping_ranges)
{
	struct bus bus = {0};

	ck_assert_int_eq(attach(&bus, 0x100, 0), -EINVAL);
	ck_assert_int_eq(attach(&bus, 0, 0), -EINVAL);
	ck_assert_int_eq(attach(&bus, UINT64_MAX, 2), -EINVAL);
	ck_assert_int_eq(attach(&bus, 0x1000, UINT64_MAX), -EINVAL);
	ck_assert_uint_eq(bus.count, 0);
}
END_TEST

START_TEST(attach_allows_the_last_bytes_of_the_address_space)
{
	struct bus bus = {0};
	uint64_t value;

	ck_assert_int_eq(attach(&bus, UINT64_MAX - 1, 2), 0);
	ck_assert_int_eq(attach(&bus, UINT64_MAX, 1), -EEXIST);
	ck_assert_int_eq(attach(&bus, 0, 1), 0);
	bus.ranges[0].dev = bus.ranges[1].dev = &(struct probe){0};
	ck_assert_int_eq(bus_read(&bus, UINT64_MAX - 1, 2, &value), 1);
	ck_assert_uint_eq(value, 0x2211);
	/* It would go on at address 0, where a device is. */
	ck_assert_int_eq(bus_read(&bus, UINT64_MAX, 2, &value), 1);
	ck_assert_uint_eq(value, 0xffff);
}
END_TEST

/* Every range of 1 to 12 bytes from 90 to 129 against [100, 108), by a rule of its own: byte by
 * byte. */
START_TEST(attach_refuses_exactly_what_overlaps)
{
	uint64_t base, size, byte;

	for (base = 90; base < 130; base++) {
		for (size = 1; size <= 12; size++) {
			struct bus bus = {0};
			bool shared = false;

			for (byte = base; byte < base + size; byte++)
				shared |= byte >= 100 && byte < 108;
			ck_assert_int_eq(attach(&bus, 100, 8), 0);
			ck_assert_int_eq(attach(&bus, base, size), shared ? -EEXIST : 0);
			ck_assert_uint_eq(bus.count, shared ? 1 : 2);
		}
	}
}
END_TEST

START_TEST(attach_refuses_overlap_with_either_neighbour)
{
	struct bus bus = {0};

	ck_assert_int_eq(attach(&bus, 0x10, 0x10), 0);
	ck_assert_int_eq(attach(&bus, 0x30, 0x10), 0);
	ck_assert_int_eq(attach(&bus, 0x1f, 1), -EEXIST);
	ck_assert_int_eq(attach(&bus, 0x20, 0x11), -EEXIST);
	ck_assert_int_eq(attach(&bus, 0, UINT64_MAX), -EEXIST);
	ck_assert_int_eq(attach(&bus, 0x20, 0x10), 0);
}
END_TEST

START_TEST(attach_sorts_and_fills_the_table)
{
	/* 7 is coprime to 32: every slot once, in no order. */
	struct bus bus = {0};
	unsigned i;

	for (i = 0; i < BUS_RANGES_MAX; i++)
		ck_assert_int_eq(attach(&bus, i * 7 % BUS_RANGES_MAX * 0x10, 8), 0);
	for (i = 0; i < BUS_RANGES_MAX; i++)
		ck_assert_uint_eq(bus.ranges[i].base, i * 0x10);
	ck_assert_int_eq(attach(&bus, 0x1000, 8), -ENOSPC);
	ck_assert_uint_eq(bus.count, BUS_RANGES_MAX);
}
END_TEST

START_TEST(an_access_reaches_the_device_that_holds_it)
{
	struct bus bus = {0};
	struct probe probes[3] = {0};
	uint64_t value;
	unsigned i;

	for (i = 0; i < 3; i++)
		ck_assert_int_eq(bus_attach(&bus, 0x100 * (i + 1), 0x10, "probe", &probe_ops, &probes[i]), 0);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(bus_read(&bus, 0x100 * (i + 1) + 4, 4, &value), i);
		ck_assert_uint_eq(probes[i].reads, 1);
		ck_assert_uint_eq(probes[i].offset, 4);
		ck_assert_uint_eq(probes[i].size, 4);
		ck_assert_int_eq(bus_write(&bus, 0x100 * (i + 1) + 15, 1, 0x5a), i);
		ck_assert_uint_eq(probes[i].writes, 1);
		ck_assert_uint_eq(probes[i].offset, 15);
		ck_assert_uint_eq(probes[i].size, 1);
		ck_assert_uint_eq(probes[i].value, 0x5a);
	}
}
END_TEST

START_TEST(values_are_cut_to_the_access_size)
{
	static const unsigned sizes[] = {1, 2, 4, 8};
	static const uint64_t cut[] = {0x11, 0x2211, 0x44332211, PROBE_ANSWER};
	struct bus bus = {0};
	struct probe probe = {0};
	uint64_t value;
	unsigned i;

	ck_assert_int_eq(bus_attach(&bus, 0x10, 8, "probe", &probe_ops, &probe), 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		ck_assert_int_eq(bus_read(&bus, 0x10, sizes[i], &value), 0);
		ck_assert_uint_eq(value, cut[i]);
		ck_assert_int_eq(bus_write(&bus, 0x10, sizes[i], PROBE_ANSWER), 0);
		ck_assert_uint_eq(probe.value, cut[i]);
	}
}
END_TEST

START_TEST(an_unclaimed_read_is_all_ones_at_each_width)
{
	struct bus empty = {0};
	struct bus bus = {0};
	unsigned size;

	ck_assert_int_eq(attach(&bus, 0x100, 8), 0);
	for (size = 1; size <= 8; size++) {
		uint64_t value = 0;

		ck_assert_int_eq(bus_read(&empty, 0, size, &value), -ENXIO);
		ck_assert_uint_eq(value, UINT64_MAX >> (64 - 8 * size));
		ck_assert_int_eq(bus_read(&bus, 0x108, size, &value), -ENXIO);
		ck_assert_uint_eq(value, UINT64_MAX >> (64 - 8 * size));
		ck_assert_int_eq(bus_write(&bus, 0x108, size, 0), -ENXIO);
		ck_assert_int_eq(bus_write(&bus, 0, size, 0), -ENXIO);
	}
}
END_TEST

START_TEST(an_access_that_straddles_either_end_touches_no_device)
{
	struct bus bus = {0};
	struct probe probe = {0};
	uint64_t value = 0;

	ck_assert_int_eq(bus_attach(&bus, 0x100, 8, "low", &probe_ops, &probe), 0);
	ck_assert_int_eq(bus_attach(&bus, 0x108, 8, "high", &probe_ops, &probe), 0);
	/* Past the end of the first range, though the second would take the rest. */
	ck_assert_int_eq(bus_read(&bus, 0x107, 2, &value), 0);
	ck_assert_uint_eq(value, 0xffff);
	ck_assert_int_eq(bus_read(&bus, 0x105, 4, &value), 0);
	ck_assert_uint_eq(value, 0xffffffff);
	ck_assert_int_eq(bus_write(&bus, 0x101, 8, 0), 0);
	/* From below the first range into it. */
	ck_assert_int_eq(bus_read(&bus, 0xff, 2, &value), -ENXIO);
	ck_assert_uint_eq(value, 0xffff);
	ck_assert_int_eq(bus_write(&bus, 0xfe, 4, 0), -ENXIO);
	ck_assert_uint_eq(probe.reads + probe.writes, 0);
	ck_assert_int_eq(bus_read(&bus, 0x106, 2, &value), 0);
	ck_assert_uint_eq(probe.reads, 1);
}
END_TEST

START_TEST(a_size_that_the_device_does_not_know_touches_it_not)
{
	struct bus bus = {0};
	struct probe probe = {0};
	unsigned size;

	ck_assert_int_eq(bus_attach(&bus, 0, 0x100, "probe", &probe_ops_2_4, &probe), 0);
	for (size = 0; size <= 16; size++) {
		uint64_t value = 0;
		unsigned calls = size == 2 || size == 4;
		uint64_t ones = size >= 1 && size <= 8 ? all_ones(size) : UINT64_MAX;

		probe = (struct probe){0};
		ck_assert_int_eq(bus_read(&bus, 0x40, size, &value), 0);
		ck_assert_int_eq(bus_write(&bus, 0x40, size, 0), 0);
		ck_assert_uint_eq(probe.reads, calls);
		ck_assert_uint_eq(probe.writes, calls);
		ck_assert_uint_eq(value, calls ? PROBE_ANSWER & ones : ones);
	}
}
END_TEST

static bool rings(const struct doorbell *bell)
{
	struct pollfd poll_fd = {.fd = bell->fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

/* The outer range is [100, 108), the inner ones are [101, 102) and [104, 106), attached in either order. */
START_TEST(what_begins_in_a_range_inside_of_another_is_its)
{
	static const int owners[8] = {0, 1, 0, 0, 2, 2, 0, 0};
	struct probe probes[3] = {0};
	struct bus bus = {0};
	int order = _i;

	ck_assert_int_eq(bus_attach(&bus, 100, 8, "outer", &sharing_ops, &probes[0]), 0);
	for (int i = 0; i < 2; i++, order ^= 1) {
		ck_assert_int_eq(bus_attach(&bus, order ? 104 : 101, order ? 2 : 1, "inner", &probe_ops,
					 &probes[1 + order]),
			0);
	}
	for (unsigned i = 0; i < 8; i++) {
		int index = owners[i]; /* they are sorted by base */
		uint64_t value;

		memset(probes, 0, sizeof(probes));
		ck_assert_int_eq(bus_read(&bus, 100 + i, 1, &value), index);
		ck_assert_int_eq(bus_write(&bus, 100 + i, 1, 0x5a), index);
		ck_assert_uint_eq(probes[owners[i]].reads, 1);
		ck_assert_uint_eq(probes[owners[i]].writes, 1);
		ck_assert_uint_eq(probes[owners[i]].offset, 100 + i - bus.ranges[index].base);
	}
	ck_assert_int_eq(bus_read(&bus, 108, 1, &(uint64_t){0}), -ENXIO);
	ck_assert_int_eq(bus_read(&bus, 99, 1, &(uint64_t){0}), -ENXIO);
}
END_TEST

/* It is the first byte that decides: one that goes on over a range inside is the outer one's all the same. */
START_TEST(an_access_over_a_range_inside_is_the_outer_ones)
{
	struct probe outer = {0}, inner = {0};
	struct bus bus = {0};
	uint64_t value;

	ck_assert_int_eq(bus_attach(&bus, 100, 8, "outer", &sharing_ops, &outer), 0);
	ck_assert_int_eq(bus_attach(&bus, 101, 1, "inner", &probe_ops, &inner), 0);
	ck_assert_int_eq(bus_read(&bus, 100, 4, &value), 0);
	ck_assert_int_eq(bus_write(&bus, 100, 8, PROBE_ANSWER), 0);
	ck_assert_uint_eq(outer.value, PROBE_ANSWER);
	ck_assert_uint_eq(outer.reads + outer.writes, 2);
	/* And one that begins inside of it, and passes its end, is nobody's. */
	ck_assert_int_eq(bus_read(&bus, 101, 2, &value), 1);
	ck_assert_uint_eq(value, 0xffff);
	ck_assert_int_eq(bus_write(&bus, 101, 4, 0), 1);
	ck_assert_uint_eq(inner.reads + inner.writes, 0);
	ck_assert_uint_eq(outer.reads + outer.writes, 2);
}
END_TEST

/* Every range of 1 to 12 bytes from 90 to 114, by a rule of its own. */
START_TEST(attach_takes_inside_only_what_is_shared)
{
	for (uint64_t base = 90; base < 115; base++) {
		for (uint64_t size = 1; size <= 12; size++) {
			bool apart = base + size <= 100 || base >= 108;
			bool inside = base > 100 && base + size <= 108;
			bool on_inner = base < 104 && base + size > 103;
			struct bus bus = {0};

			ck_assert_int_eq(bus_attach(&bus, 100, 8, "outer", &sharing_ops, NULL), 0);
			ck_assert_int_eq(bus_attach(&bus, 103, 1, "inner", &sharing_ops, NULL), 0);
			ck_assert_int_eq(
				attach(&bus, base, size), apart || (inside && !on_inner) ? 0 : -EEXIST);
		}
	}
}
END_TEST

START_TEST(attach_takes_nothing_inside_of_a_range_that_does_not_share)
{
	struct bus bus = {0};

	ck_assert_int_eq(attach(&bus, 100, 8), 0);
	ck_assert_int_eq(bus_attach(&bus, 103, 1, "inner", &sharing_ops, NULL), -EEXIST);
	/* One inside shares nothing itself, and who shares comes first. */
	ck_assert_int_eq(bus_attach(&bus, 200, 8, "outer", &sharing_ops, NULL), 0);
	ck_assert_int_eq(bus_attach(&bus, 202, 4, "inner", &sharing_ops, NULL), 0);
	ck_assert_int_eq(attach(&bus, 203, 1), -EEXIST);
	ck_assert_int_eq(attach(&bus, 303, 1), 0);
	ck_assert_int_eq(bus_attach(&bus, 300, 8, "outer", &sharing_ops, NULL), -EEXIST);
}
END_TEST

START_TEST(a_doorbell_rings_until_it_is_cleared)
{
	struct doorbell bell = {.fd = -1};

	ck_assert_int_eq(doorbell_init(&bell), 0);
	ck_assert(!rings(&bell));
	doorbell_clear(&bell); /* does not block when nobody rang */
	doorbell_ring(&bell);
	doorbell_ring(&bell);
	ck_assert(rings(&bell));
	doorbell_clear(&bell);
	ck_assert(!rings(&bell));
	ck_assert(fcntl(bell.fd, F_GETFD) & FD_CLOEXEC);
	doorbell_fini(&bell);
	ck_assert_int_eq(bell.fd, -1);
}
END_TEST

START_TEST(doorbell_fini_accepts_a_zeroed_one_and_leaves_stdin_alone)
{
	struct doorbell bell = {0};
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 3);
	int fds[2];

	/* Make fd 0 something that is certainly open, then see that it stays so. */
	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_eq(dup2(fds[0], 0), 0);
	doorbell_fini(&bell);
	ck_assert_int_ne(fcntl(0, F_GETFD), -1);
	/* A doorbell made while fd 0 is free takes another one. */
	close(0);
	ck_assert_int_eq(doorbell_init(&bell), 0);
	ck_assert_int_gt(bell.fd, 0);
	ck_assert_int_eq(fcntl(0, F_GETFD), -1);
	doorbell_fini(&bell);
	doorbell_fini(&bell);
	close(fds[0]);
	close(fds[1]);
	if (saved >= 0) {
		dup2(saved, 0);
		close(saved);
	}
}
END_TEST

Suite *bus_suite(void)
{
	Suite *suite = suite_create("bus");
	TCase *tcase = tcase_create("bus");

	tcase_add_test(tcase, attach_refuses_empty_and_wrapping_ranges);
	tcase_add_test(tcase, attach_allows_the_last_bytes_of_the_address_space);
	tcase_add_test(tcase, attach_refuses_exactly_what_overlaps);
	tcase_add_test(tcase, attach_refuses_overlap_with_either_neighbour);
	tcase_add_test(tcase, attach_sorts_and_fills_the_table);
	tcase_add_test(tcase, an_access_reaches_the_device_that_holds_it);
	tcase_add_test(tcase, values_are_cut_to_the_access_size);
	tcase_add_test(tcase, an_unclaimed_read_is_all_ones_at_each_width);
	tcase_add_test(tcase, an_access_that_straddles_either_end_touches_no_device);
	tcase_add_test(tcase, a_size_that_the_device_does_not_know_touches_it_not);
	tcase_add_loop_test(tcase, what_begins_in_a_range_inside_of_another_is_its, 0, 2);
	tcase_add_test(tcase, an_access_over_a_range_inside_is_the_outer_ones);
	tcase_add_test(tcase, attach_takes_inside_only_what_is_shared);
	tcase_add_test(tcase, attach_takes_nothing_inside_of_a_range_that_does_not_share);
	tcase_add_test(tcase, a_doorbell_rings_until_it_is_cleared);
	tcase_add_test(tcase, doorbell_fini_accepts_a_zeroed_one_and_leaves_stdin_alone);
	suite_add_tcase(suite, tcase);
	return suite;
}
