/* Files for one test: a folder of its own, gone afterwards. */
#pragma once

#include <stdint.h>

/*
 * Makes the folder and makes it the working directory, and "rt" in it the runtime directory, so that no test meets
 * guests that are not its own; a Check fixture, as is the next.
 */
void files_setup(void);
void files_teardown(void);

/* A sparse file of size bytes. */
void files_make(const char *path, uint64_t size);

/* ... with these bytes in it. */
void files_write(const char *path, const void *bytes, uint64_t size);

/* The descriptors that this process has open. */
unsigned files_open_fds(void);

/* The lines of /proc/self/maps. */
unsigned files_mappings(void);
