/* What latchkey does, in its order. */
#include "boot.h"

void main(void)
{
	boot_kernel();
	/* There is none. */
	boot_disk();
}
