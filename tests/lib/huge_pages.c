#include "lib/huge_pages.h"

#include <stdio.h>

#include "../../vmm/memory/huge_pages.h"

static unsigned long before;
static bool changed;

static void set(unsigned long count)
{
	FILE *file = fopen(HUGE_PAGES_FILE, "we");

	if (!file)
		return;
	fprintf(file, "%lu", count);
	fclose(file);
}

static unsigned long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long number = 0;

	if (file && fscanf(file, "%lu", &number) != 1)
		number = 0;
	if (file)
		fclose(file);
	return number;
}

static unsigned long left(void)
{
	return read_number(HUGE_PAGES_FOLDER "free_hugepages") -
	       read_number(HUGE_PAGES_FOLDER "resv_hugepages");
}

bool huge_pages_lend(unsigned count)
{
	if (left() >= count)
		return true;
	before = read_number(HUGE_PAGES_FILE);
	changed = true;
	set(before + count - left());
	return left() >= count;
}

void huge_pages_return(void)
{
	if (changed)
		set(before);
	changed = false;
}
