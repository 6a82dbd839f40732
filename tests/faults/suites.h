/* The suites of check-faults: main.c runs them all. */
#pragma once

#include <check.h>

Suite *fault_disk_suite(void);
Suite *fault_sweep_suite(void);
Suite *fault_limits_suite(void);
Suite *fault_slow_suite(void);
Suite *fault_command_suite(void);
Suite *fault_crash_suite(void);
