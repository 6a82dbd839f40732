#include "memory/huge_pages.h"

#include <inttypes.h>

void huge_pages_open(struct huge_pages_files *files)
{
	*files = (struct huge_pages_files){
		.total = fopen(HUGE_PAGES_FILE, "re"),
		.free = fopen(HUGE_PAGES_FOLDER "free_hugepages", "re"),
		.promised = fopen(HUGE_PAGES_FOLDER "resv_hugepages", "re"),
	};
}

void huge_pages_close(struct huge_pages_files *files)
{
	if (files->total)
		fclose(files->total);
	if (files->free)
		fclose(files->free);
	if (files->promised)
		fclose(files->promised);
	*files = (struct huge_pages_files){0};
}

static uint64_t read_number(FILE *file)
{
	uint64_t number;

	if (!file)
		return 0;
	rewind(file);
	return fscanf(file, "%" SCNu64, &number) == 1 ? number : 0;
}

void huge_pages_read(const struct huge_pages_files *files, struct huge_pages *ret_pages)
{
	uint64_t free = read_number(files->free), promised = read_number(files->promised);

	*ret_pages = (struct huge_pages){
		.total = read_number(files->total),
		.left = free > promised ? free - promised : 0,
	};
}
