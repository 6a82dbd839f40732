/* Huge pages for tests that want some: root sets them aside, and puts back what there was. */
#pragma once

#include <stdbool.h>

/*
 * Sees to it that `count` huge pages of 2 MiB are left on this host; false: it has not so many, and cannot be told to.
 * In an unchecked fixture, which undoes it after a failure, too.
 */
bool huge_pages_lend(unsigned count);
void huge_pages_return(void);
