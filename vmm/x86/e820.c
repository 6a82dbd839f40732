#include "x86/e820.h"

#include "x86/layout.h"

unsigned e820_build(struct e820_entry map[E820_ENTRIES_MAX], uint64_t low_size, uint64_t high_size)
{
	unsigned count = 0;

	map[count++] = (struct e820_entry){0, RAM_EBDA, E820_RAM};
	map[count++] = (struct e820_entry){RAM_EBDA, RAM_HIGH - RAM_EBDA, E820_RESERVED};
	map[count++] = (struct e820_entry){RAM_HIGH, low_size - RAM_HIGH, E820_RAM};
	map[count++] = (struct e820_entry){KVM_IDENTITY_BASE, HOLE_END - KVM_IDENTITY_BASE, E820_RESERVED};
	if (high_size)
		map[count++] = (struct e820_entry){HOLE_END, high_size, E820_RAM};
	return count;
}
