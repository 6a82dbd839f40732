/* How much of the host's memory a guest's memory takes up, as the host's kernel tells. */
#pragma once

#include <stdint.h>
#include <stdio.h>

struct guest_memory;

struct memory_usage {
	uint64_t resident; /* bytes of guest memory that are in the host's memory */
	uint64_t shared;   /* of these, bytes that other mappings share: merged by KSM, or the page cache's */
	uint64_t rest;     /* bytes that all else of the process has resident */
};

/*
 * Reads a /proc/PID/smaps, of the process that has the memory mapped. Where the kernel has merged guest memory with
 * a neighbour into one mapping, another guest's for instance, each gets the share that its size gives it.
 */
void memory_usage_read(const struct guest_memory *mem, FILE *smaps, struct memory_usage *ret_usage);
