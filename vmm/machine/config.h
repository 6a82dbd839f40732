/* The configuration of a VM: its defaults and its limits. */
#pragma once

struct error;
struct lodge_config;

/* Checks what can be judged without touching the host: 0, or -EINVAL and *error (ERROR_USAGE). */
int config_check(const struct lodge_config *config, struct error *error);
