#include "memory/huge_pages.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	uint64_t number = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%" SCNu64, &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

void huge_pages_read(struct huge_pages *ret_pages)
{
	uint64_t free = read_number(HUGE_PAGES_FOLDER "free_hugepages");
	uint64_t promised = read_number(HUGE_PAGES_FOLDER "resv_hugepages");

	*ret_pages = (struct huge_pages){
		.total = read_number(HUGE_PAGES_FILE),
		.left = free > promised ? free - promised : 0,
	};
}
