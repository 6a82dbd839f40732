/*
 * What can be sampled, one row in sample_main.c's table each. A sampler is called with its own arguments, does the thing
 * once, and prints a line "FIGURE VALUE" for all that it has found; a failure ends the program.
 */
#pragma once

/* FILE NAME [BYTES]: writes a guest of code.h as a kernel with a PVH note: one, or console of so many bytes. */
void sample_elf(int argc, char **argv);

/* FIGURE STATUS COMMAND...: milliseconds from fork to the reaped exit, which must have that status. */
void sample_time(int argc, char **argv);

/* FIGURE COMMAND...: milliseconds from fork to the first byte on stdout; then it is killed. */
void sample_first_byte(int argc, char **argv);

/* lodge|bare: microseconds a round trip, by PIO and by MMIO; of lodge, also how many that are a second. */
void sample_exits(int argc, char **argv);

/*
 * COUNT PARALLEL COMMAND...: so many processes, so many at a time: how many a second. Where $BENCH_IOCTL_TIMES names
 * a file, what ioctl_timer.c leaves there is told too, as shares of the processes' wall time.
 */
void sample_guests(int argc, char **argv);

/*
 * STATUS KERNEL0 KERNEL COMMAND...: the console's bytes a second, and writes for a burst of 64 KiB. KERNEL prints
 * them, KERNEL0 nothing; "@" in the command stands for the one or the other.
 */
void sample_console(int argc, char **argv);

/* RAM COMMAND...: private dirty KiB of a process that has come to lodger's prompt, beyond so many MiB of guest RAM. */
void sample_memory(int argc, char **argv);

/* COUNT RAM COMMAND...: so many guests of lodger's at once: the memory of each, and the time until all are ready. */
void sample_idle(int argc, char **argv);
