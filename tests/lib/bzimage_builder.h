/* A small bzImage, made in memory, by the offsets of Linux's Documentation/arch/x86/boot.rst. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BZIMAGE_SETUP  1024 /* the boot sector and one sector of setup */
#define BZIMAGE_ENTRY  0x200
#define BZIMAGE_PREF   0x400000u /* where it wants to lie */
#define BZIMAGE_INIT   0x8000u   /* the memory it wants there */
#define BZIMAGE_LENGTH 0x6c      /* the end of version 2.15's header, counted from 0x200 */

/*
 * A relocatable kernel of protocol 2.15 with the code at its 64-bit entry. Returns the file's size, 0 if it
 * needs more than size bytes.
 */
size_t bzimage_build(const void *code, size_t len, void *out, size_t size);
