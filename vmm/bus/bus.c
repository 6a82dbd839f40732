#include "bus/bus.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util/bytes.h"

/* How many ranges begin at or below addr. */
static unsigned ranges_up_to(const struct bus *bus, uint64_t addr)
{
	unsigned low = 0;
	unsigned high = bus->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (bus->ranges[middle].base <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The index of the range that holds addr, or -ENXIO: the last that begins there, or of those before it the one that it lies in. */
static int bus_find(const struct bus *bus, uint64_t addr)
{
	unsigned at = ranges_up_to(bus, addr);

	while (at > 0 && addr - bus->ranges[at - 1].base >= bus->ranges[at - 1].size) {
		if (!bus->ranges[at - 1].inside)
			return -ENXIO;
		at--;
	}
	return at > 0 ? (int)at - 1 : -ENXIO;
}

int bus_attach(
	struct bus *bus, uint64_t base, uint64_t size, const char *name, const struct bus_ops *ops, void *dev)
{
	/* Compared by last bytes, so that a range may end where the address space does. */
	uint64_t last = base + size - 1;
	unsigned at = ranges_up_to(bus, base);
	int holder = bus_find(bus, base);
	bool inside = holder >= 0;
	const struct bus_range *outer = &bus->ranges[inside ? holder : 0];

	if (!size || last < base)
		return -EINVAL;
	if (inside && (outer->inside || !outer->ops->shares || base == outer->base ||
			      !range_inside(base, size, outer->base, outer->size)))
		return -EEXIST;
	if (at < bus->count && bus->ranges[at].base <= last)
		return -EEXIST;
	if (bus->count == BUS_RANGES_MAX)
		return -ENOSPC;
	memmove(&bus->ranges[at + 1], &bus->ranges[at], (bus->count - at) * sizeof(bus->ranges[0]));
	bus->ranges[at] = (struct bus_range){
		.base = base,
		.size = size,
		.name = name,
		.ops = ops,
		.dev = dev,
		.inside = inside,
	};
	bus->count++;
	return 0;
}

/* KVM cuts an MMIO access in two at a page boundary, so a guest can make 3, 5, 6 or 7 bytes of one. */
static bool range_takes(const struct bus_range *range, uint64_t addr, unsigned size)
{
	bool one_size = size && (size & (size - 1)) == 0;

	return one_size && (range->ops->sizes & size) && range_inside(addr, size, range->base, range->size);
}

int bus_read(const struct bus *bus, uint64_t addr, unsigned size, uint64_t *ret_value)
{
	uint64_t mask = size >= 1 && size <= 8 ? all_ones(size) : UINT64_MAX;
	int index = bus_find(bus, addr);

	*ret_value = mask;
	if (index >= 0 && range_takes(&bus->ranges[index], addr, size)) {
		const struct bus_range *range = &bus->ranges[index];

		*ret_value = range->ops->read(range->dev, addr - range->base, size) & mask;
	}
	return index;
}

int bus_write(const struct bus *bus, uint64_t addr, unsigned size, uint64_t value)
{
	int index = bus_find(bus, addr);

	if (index >= 0 && range_takes(&bus->ranges[index], addr, size)) {
		const struct bus_range *range = &bus->ranges[index];

		range->ops->write(range->dev, addr - range->base, size, value & all_ones(size));
	}
	return index;
}
