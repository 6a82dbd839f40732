/*
 * latchkey's BIOS: what a boot sector and the boot loader behind it call in real mode.
 *
 * An interrupt lands in entry.S, which saves the caller's registers on the caller's stack, switches to flat 32-bit
 * mode and calls bios_service(). The services are plain C: they see the registers as a struct frame, and reach the
 * hardware through io.h alone, so that tests/unit runs them on any machine. Nothing is reentrant, for interrupts are
 * off. The ROM is read-only: all state is in struct bios, at BIOS_STATE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bios/layout.h"

/* What the caller had in its registers, from its stack; what it gets back. entry.S knows the order. */
struct frame {
	uint32_t edi, esi, ebp, unused_esp, ebx, edx, ecx, eax;
	uint16_t gs, fs, es, ds;
	uint16_t vector;
	uint16_t ip, cs, flags;
};

_Static_assert(sizeof(struct frame) == 48, "as entry.S pushes it");

#define FLAG_CARRY     0x0001
#define FLAG_ZERO      0x0040
#define FLAG_INTERRUPT 0x0200

/* What entry.S does when a service is done. */
enum verdict {
	BIOS_RETURN, /* to the caller, by iret */
	BIOS_WAIT,   /* let interrupts in, wait for one, then call the service again with the same frame */
};

#define SECTOR_SIZE 512u
#define DISKS_MAX   8
#define FIRST_DISK  0x80

/* How a disk answered. */
enum transfer {
	TRANSFER_OK,
	TRANSFER_FAILED,      /* the device said so */
	TRANSFER_UNSUPPORTED, /* ... or that it does not know the request */
	TRANSFER_TIMEOUT,     /* it never did; it is left alone from now on */
};

enum direction { DISK_READ, DISK_WRITE, DISK_FLUSH };

/* As a CHS address counts: cylinders and heads from 0, sectors from 1. */
struct geometry {
	uint16_t cylinders;
	uint16_t heads;
	uint8_t sectors;
};

/* Split virtqueue of 4 descriptors, one request at a time (virtio 1.2, 2.7). */
#define QUEUE_SIZE 4

struct queue {
	struct {
		uint64_t address;
		uint32_t len;
		uint16_t flags, next;
	} descriptors[QUEUE_SIZE];
	struct {
		uint16_t flags, index, ring[QUEUE_SIZE];
	} available;
	struct {
		uint16_t flags, index;
		struct {
			uint32_t id, len;
		} ring[QUEUE_SIZE];
	} used;
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	uint8_t status;
} __attribute__((aligned(16)));

struct disk {
	uint32_t registers; /* where its virtio-mmio slot is */
	bool read_only;
	bool flush; /* has a cache that wants it */
	bool dead;
	uint64_t sectors;
	struct geometry geometry;
	struct queue queue;
};

#define E820_MAX 16

struct e820 {
	uint64_t base, size;
	uint32_t type;
} __attribute__((packed));

#define MAP_RAM 1 /* of its types */

/* A screen of 80 by 25 characters, told to the terminal on COM1 as what changes. BDA fields hold the rest. */
struct screen {
	uint8_t row, column; /* the terminal's cursor; column 80: behind a line's last character */
	bool lost;           /* ... is somewhere else */
	uint8_t attribute;   /* the terminal's colours */
};

/* Keys come as a terminal sends them: bytes of which some are parts of a sequence. */
struct keyboard {
	uint8_t sequence[8]; /* from ESC on */
	uint8_t length;
	bool after_return; /* a line feed that follows is no key of its own */
	bool waiting;      /* the chip interrupts at the next byte */
	uint32_t since;    /* the tick of the sequence's last byte */
	uint32_t polls;    /* ... and how often nothing has come since */
};

struct bios {
	struct disk disks[DISKS_MAX];
	unsigned disk_count;
	struct e820 map[E820_MAX];
	unsigned map_count;
	struct screen screen;
	struct keyboard keyboard;
	bool waiting;       /* INT 15h, AH=86h: the first call has set ... */
	uint32_t wait_tick; /* ... when it ends */
};

/* Parts of a register. */
static inline uint8_t low8(uint32_t reg)
{
	return (uint8_t)reg;
}

static inline uint8_t high8(uint32_t reg)
{
	return (uint8_t)(reg >> 8);
}

static inline void set_low8(uint32_t *reg, uint8_t value)
{
	*reg = (*reg & ~0xffu) | value;
}

static inline void set_high8(uint32_t *reg, uint8_t value)
{
	*reg = (*reg & ~0xff00u) | (uint32_t)value << 8;
}

static inline void set_low16(uint32_t *reg, uint16_t value)
{
	*reg = (*reg & ~0xffffu) | value;
}

static inline void set_flag(struct frame *frame, uint16_t flag, bool value)
{
	frame->flags = (uint16_t)(value ? frame->flags | flag : frame->flags & ~flag);
}

/* seg:off as an address. */
static inline uint32_t linear(uint16_t segment, uint16_t offset)
{
	return ((uint32_t)segment << 4) + offset;
}

/* disk.c: INT 13h. */
struct geometry geometry_of(uint64_t sectors);
enum verdict disk_service(struct bios *bios, struct frame *frame);

/* virtio_blk.c: finds the disks; moves count sectors between one and memory at address, or flushes it. */
void virtio_blk_find(struct bios *bios);
enum transfer virtio_blk_transfer(
	struct disk *disk, enum direction direction, uint64_t sector, uint64_t address, uint32_t count);

/* memory.c: INT 15h, and the map it tells of, which is copied. */
enum verdict system_service(struct bios *bios, struct frame *frame);

/* screen.c: INT 10h. screen_print() is for what the BIOS itself has to say. */
enum verdict screen_service(struct bios *bios, struct frame *frame);
void screen_init(struct bios *bios);
void screen_print(struct bios *bios, const char *text);
void screen_print_hex(struct bios *bios, uint32_t value, unsigned digits);

/* keyboard.c: INT 16h. */
enum verdict keyboard_service(struct bios *bios, struct frame *frame);
void keyboard_poll(struct bios *bios);
void keyboard_init(struct bios *bios);

/* clock.c: INT 1Ah; the ticks at a time of day; reads a register of the chip. */
enum verdict clock_service(struct bios *bios, struct frame *frame);
void clock_init(void);
uint8_t rtc_read(uint8_t index);
