#include "boot.h"

void boot_disk(void)
{
	/* Not yet. */
}
