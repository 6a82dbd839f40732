/* The options of `lodge run` that are about disks; rows of run_option_rows[], whose target is a struct run_options. */
#pragma once

struct error;

int disk_option_set(void *target, const char *value, struct error *error);
int disk_rate_option_set(void *target, const char *value, struct error *error);
