#include "fault.h"

#include "commands.h"
#include "power.h"
#include "str.h"
#include "x86.h"

void fault_ud(void *arg)
{
	(void)arg;
	__asm__ volatile("ud2");
}

void fault_pf(void *arg)
{
	uint64_t addr = FAULT_PF_ADDRESS;

	(void)arg;
	__asm__ volatile("movl $1, (%0)" : : "r"(addr) : "memory");
}

void fault_de(void *arg)
{
	uint32_t low = 1, high = 0, zero = 0;

	(void)arg;
	__asm__ volatile("divl %2" : "+a"(low), "+d"(high) : "r"(zero));
}

/* A selector beyond the GDT's limit: the error code is its index (Intel SDM vol. 3, 6.13). */
void fault_gp(void *arg)
{
	(void)arg;
	__asm__ volatile("movl %0, %%es" : : "r"(0x100));
}

int command_crash(int argc, char **argv)
{
	const char *how = argc == 2 ? argv[1] : "";

	if (strcmp(how, "ud2") == 0)
		fault_ud(NULL);
	else if (strcmp(how, "pf") == 0)
		fault_pf(NULL);
	else if (strcmp(how, "de") == 0)
		fault_de(NULL);
	else if (strcmp(how, "gp") == 0)
		fault_gp(NULL);
	else if (strcmp(how, "triple") == 0)
		power_reset(RESET_TRIPLE);
	return shell_usage("crash");
}
