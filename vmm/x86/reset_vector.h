/*
 * What stands at f000:fff0, where a PC's CPU starts and where kernels jump that want a reset from the firmware:
 * code that asks the reset control register for it. Linux does so on hardware-reduced ACPI, whose reset register
 * it then never looks at: it wants EFI to do it, and without EFI falls back to the BIOS.
 */
#pragma once

/* Writes RESET_VECTOR_SIZE bytes. */
void reset_vector_build(void *bytes);
