/* The host's huge pages of 2 MiB: memory that is set aside for them, and that nobody gets who does not ask for it. */
#pragma once

#include <stdint.h>

#define HUGE_PAGE_SIZE (UINT64_C(2) << 20)

/* Where the host's administrator says how many there shall be. */
#define HUGE_PAGES_FOLDER "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define HUGE_PAGES_FILE   HUGE_PAGES_FOLDER "nr_hugepages"

struct huge_pages {
	uint64_t total;
	uint64_t left; /* neither used nor promised to somebody */
};

/* All zero where the host has none, or does not tell. */
void huge_pages_read(struct huge_pages *ret_pages);
