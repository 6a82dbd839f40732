/* The VM test suites: main.c runs them all. */
#pragma once

#include <check.h>

Suite *exit_status_suite(void);
Suite *report_suite(void);
Suite *lodger_suite(void);
Suite *console_suite(void);
Suite *consoles_suite(void);
Suite *terminal_suite(void);
Suite *top_suite(void);
Suite *disk_suite(void);
Suite *pci_suite(void);
Suite *machine_suite(void);
Suite *irqchip_suite(void);
Suite *host_suite(void);
Suite *huge_pages_suite(void);
Suite *formats_suite(void);
Suite *firmware_suite(void);
Suite *boot_disk_suite(void);
Suite *lifecycle_suite(void);
Suite *pause_suite(void);
Suite *restart_suite(void);
Suite *front_panel_suite(void);
Suite *bad_input_suite(void);
Suite *gdb_suite(void);
Suite *gdb_points_suite(void);
Suite *stats_suite(void);
Suite *commands_suite(void);
Suite *guests_suite(void);
Suite *attach_suite(void);
Suite *limits_suite(void);
Suite *sandbox_suite(void);
Suite *hostile_suite(void);
