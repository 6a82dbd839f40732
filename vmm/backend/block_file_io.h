/* Private to block_file*.c: the open file behind a disk and its I/O. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "backend/block.h"

/* The largest block that direct I/O may ask for; the page of zeroes and the bounce buffer are made for it. */
#define BLOCK_FILE_ALIGN_MAX 4096u

struct block_file {
	struct block_backend block;
	int fd;
	uint32_t memory_align; /* direct I/O: what the address of a segment must be a multiple of;
				  else 0 */
	uint8_t *bounce;       /* direct I/O: for segments that are not aligned */
	bool no_zero_range;    /* the host said that it cannot zero a range without a write */
};

extern const struct block_ops block_file_ops;

/* Allocates what direct I/O needs; 0 or -ENOMEM. */
int block_file_set_direct(struct block_file *file, uint32_t memory_align);
