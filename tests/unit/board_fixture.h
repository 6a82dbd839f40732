/* A board with disks that nothing is behind, and its buses, for test_board*.c. */
#pragma once

#include <check.h>

#include "backend/block.h"
#include "machine/board.h"
#include "memory/guest_memory.h"
#include "util/bytes.h"

static struct guest_memory mem;
static struct board board;
static struct board_config config;
static struct block_backend blocks[VIRTIO_MMIO_SLOTS];
static struct board_disk disks[VIRTIO_MMIO_SLOTS];

/* Disk i has i + 1 sectors. */
static inline void make_disks(void)
{
	for (unsigned i = 0; i < VIRTIO_MMIO_SLOTS; i++) {
		blocks[i] = (struct block_backend){
			.size = (i + 1) * 512, .logical_size = 512, .physical_size = 512};
		disks[i] = (struct board_disk){.block = &blocks[i], .serial = "disk"};
	}
}

static inline void teardown(void)
{
	board_fini(&board);
	guest_memory_fini(&mem);
}

static inline void build(unsigned disk_count)
{
	config.disk_count = disk_count;
	ck_assert_int_eq(board_init(&board, &config), 0);
}

static inline uint64_t in(uint64_t port, unsigned size)
{
	uint64_t value;

	bus_read(&board.pio, port, size, &value);
	return value;
}

static inline uint64_t load(uint64_t addr, unsigned size)
{
	uint64_t value;

	bus_read(&board.mmio, addr, size, &value);
	return value;
}
