#include "boot.h"

void boot_kernel(void)
{
	/* Not yet. */
}
