/*
 * A bus: address ranges and the devices behind them. One type serves port I/O and MMIO.
 *
 * Filled before the vCPUs run and constant from then on: dispatch takes no lock. A device that two threads
 * may enter has a lock of its own.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BUS_RANGES_MAX 32

/* A device sees offsets into its range, never addresses. */
struct bus_ops {
	/*
	 * size is one of `sizes`, and [offset, offset+size) lies inside the range. Values are little-endian
	 * numbers; what read returns above `size` bytes is cut off, and write gets zeroes there.
	 */
	uint64_t (*read)(void *dev, uint64_t offset, unsigned size);
	void (*write)(void *dev, uint64_t offset, unsigned size, uint64_t value);
	unsigned sizes; /* access sizes allowed, or-ed together: 1 | 2 | 4 | 8 */
	bool shares;    /* others may lie inside, behind the first byte: what begins there is theirs */
};

struct bus_range {
	uint64_t base;
	uint64_t size;
	const char *name; /* for traces and the report */
	const struct bus_ops *ops;
	void *dev;
	bool inside; /* the last range before it that lies in none, and which shares */
};

struct bus {
	struct bus_range ranges[BUS_RANGES_MAX]; /* sorted by base */
	unsigned count;
};

/*
 * Attaches dev at [base, base+size). name and ops must outlive the bus.
 * -EINVAL: empty or wraps; -EEXIST: overlaps a range that is there, and does not lie inside one that shares; -ENOSPC: the
 * table is full.
 */
int bus_attach(struct bus *bus, uint64_t base, uint64_t size, const char *name, const struct bus_ops *ops,
	void *dev);

/*
 * One access of 1, 2, 4 or 8 bytes; any thread. Returns the index in ranges[] of the range that holds addr,
 * or -ENXIO. An access that nobody claims, that passes its range's end or that has a size its device does
 * not know reads all ones and writes nothing.
 */
int bus_read(const struct bus *bus, uint64_t addr, unsigned size, uint64_t *ret_value);
int bus_write(const struct bus *bus, uint64_t addr, unsigned size, uint64_t value);
