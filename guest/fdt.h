/* The flattened device tree, read once into struct hw. */
#pragma once

#include "hw.h"

/* 0, or -1 when it is no device tree; what was read by then stays. */
int fdt_read(const void *fdt, enum hw_source source);
