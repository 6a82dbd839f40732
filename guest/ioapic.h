/* The I/O APICs (Intel 82093AA data sheet): a device's pin to a vector of this CPU. */
#pragma once

struct hw_device;

/* The device's interrupts go to fn(arg) from now on. -1 when it has no pin, or no IOAPIC has it. */
int ioapic_route(const struct hw_device *device, void (*fn)(void *), void *arg);
