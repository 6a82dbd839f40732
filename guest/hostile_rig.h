/*
 * What the attacks on a disk have in their hands: queue 0 of disk 0, with no driver in between. Its three parts have a
 * page each, descriptors, indices and addresses are whatever the attack writes, and nothing is checked here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "virtio_blk.h"

#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u

#define RIG_SIZE  16u    /* entries of a queue, unless an attack wants another size */
#define RIG_DATA  65536u /* bytes of rig_data */
#define RIG_AREA  2048u  /* sectors from 0 on that an attack may write to */
#define RIG_INDEX 1      /* 16-bit words: flags, index, ring */
#define RIG_RING  2

struct rig {
	struct virtio_device device;
	volatile struct virtqueue_desc *desc;
	volatile uint16_t *avail;
	volatile uint16_t *used;
	uint32_t size;
	uint16_t offered; /* the available index */
};

extern struct rig rig;
extern struct blk_header rig_header;
extern volatile uint8_t rig_status;
extern uint8_t rig_data[RIG_DATA];

/* What a device does with what it is given. */
enum rig_end {
	RIG_ANSWER,      /* all that was offered came back */
	RIG_NEEDS_RESET, /* DEVICE_NEEDS_RESET, and an interrupt for it (virtio 1.2, 2.1.2) */
	RIG_SILENCE,     /* neither, for seconds */
};

#define RIG_FEATURES \
	(VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | BLK_F_FLUSH | BLK_F_DISCARD | BLK_F_WRITE_ZEROES)

/* There the registers for a queue's number and size have 16 bits, and a size of 0 is one that was not chosen. */
bool rig_is_pci(void);

uint32_t rig_read(unsigned reg);
void rig_write(unsigned reg, uint32_t value);
void rig_write64(unsigned reg, uint64_t value);

/* Reset, and features: the queue can be set up. */
void rig_reset(uint64_t features);

/* Queue 0 as it should be, up to DRIVER_OK. */
void rig_start(void);
void rig_start_with(uint64_t features, uint32_t size);

void rig_desc(
	volatile struct virtqueue_desc *desc, uint64_t addr, uint32_t len, uint32_t flags, uint32_t next);

/* Descriptors first, first + 1, first + 2: header, data, status. What is NULL or 0 is for the attack to change. */
void rig_chain(unsigned first, uint32_t type, uint64_t sector, const void *data, uint32_t len);

/* Into the available ring; the device is not told. */
void rig_offer(unsigned head);

void rig_kick(void);
enum rig_end rig_wait(void);

/* rig_wait(), judged: NULL, or having printed `what`, that it was not this. */
const char *rig_expect(enum rig_end want, const char *what);

/* Offers chain 0, kicks, and expects that. */
const char *rig_try(enum rig_end want, const char *what);

/* ... an answer with this status and so many bytes written, the status among them. */
const char *rig_try_answer(uint8_t status, uint32_t written, const char *what);

/* The used ring's last element. */
uint32_t rig_written(void);

/* Where RAM ends: below 4 GiB, and above (4 GiB if there is none). */
uint64_t rig_low_end(void);
uint64_t rig_high_end(void);
