/* The host's huge pages of 2 MiB: memory that is set aside for them, and that nobody gets who does not ask for it. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#define HUGE_PAGE_SIZE (UINT64_C(2) << 20)

/* Where the host's administrator says how many there shall be. */
#define HUGE_PAGES_FOLDER "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define HUGE_PAGES_FILE   HUGE_PAGES_FOLDER "nr_hugepages"

struct huge_pages {
	uint64_t total;
	uint64_t left; /* neither used nor promised to somebody */
};

/* The host's files that count them; NULL where it has none. */
struct huge_pages_files {
	FILE *total, *free, *promised;
};

void huge_pages_open(struct huge_pages_files *files);
void huge_pages_close(struct huge_pages_files *files); /* zeroed ones too */

/* As it is now; all zero where the host has none, or does not tell. */
void huge_pages_read(const struct huge_pages_files *files, struct huge_pages *ret_pages);
