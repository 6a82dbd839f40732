/* The engines that carry out the requests of a disk in a file, and the calls they make. */
#pragma once

#include "../../vmm/lodge.h"
#include "faults/fault.h"

enum engine_call { ENGINE_READ, ENGINE_WRITE, ENGINE_FLUSH, ENGINE_DISCARD, ENGINE_ZERO, ENGINE_CALLS };

struct engine {
	const char *name;   /* as the report has it */
	const char *option; /* of --disk */
	enum lodge_aio aio;
	bool direct;
	enum fault_call calls[ENGINE_CALLS];
};

#define ENGINES 4

extern const struct engine engines[ENGINES];

/* Whether this host has it: direct I/O is the file system's. A file of that name is made, and left. */
bool engine_works(const struct engine *engine, const char *path);
