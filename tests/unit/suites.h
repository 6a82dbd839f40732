/* The unit test suites, one a module: main.c runs them all. */
#pragma once

#include <check.h>
#include <stdbool.h>

/* test_bus.c */
Suite *bus_suite(void);

/* test_i8042.c */
Suite *i8042_suite(void);

/* test_kvm_vcpu.c */
Suite *kvm_vcpu_suite(void);

/* test_ioapic82093.c */
Suite *ioapic82093_suite(void);

/* test_pci.c */
Suite *pci_suite(void);

/* test_msix.c */
Suite *msix_suite(void);

/* test_rtc146818.c */
Suite *rtc146818_suite(void);

/* test_rom.c */
Suite *rom_suite(void);

/* test_fwcfg.c */
Suite *fwcfg_suite(void);

/* test_pc_testdev.c */
Suite *pc_testdev_suite(void);

/* test_small_devices.c */
Suite *small_devices_suite(void);

/* test_uart16550.c */
Suite *uart16550_suite(void);

/* test_uart16550_line.c: a part of that suite */
TCase *uart16550_line_tcase(void);

/* test_guest_memory.c */
Suite *guest_memory_suite(void);

/* test_memory_usage.c */
Suite *memory_usage_suite(void);

/* test_virtqueue.c */
Suite *virtqueue_suite(void);

/* test_virtio_mmio.c */
Suite *virtio_mmio_suite(void);

/* test_virtio_serve.c: a part of that suite */
TCase *virtio_serve_tcase(void);

/* test_virtio_pci.c */
Suite *virtio_pci_suite(void);

/* test_virtio_pci_access.c: a part of that suite */
TCase *virtio_pci_access_tcase(void);

/* test_virtio_blk.c */
Suite *virtio_blk_suite(void);

/* test_virtio_blk_async.c and test_virtio_blk_rate.c: parts of that suite */
TCase *virtio_blk_async_tcase(void);
TCase *virtio_blk_rate_tcase(void);

/* test_block_file.c, and test_block_engines.c: a part of that suite */
Suite *block_file_suite(void);
TCase *block_engine_tcase(bool threads);

/* test_size.c */
Suite *size_suite(void);

/* test_ring.c */
Suite *ring_suite(void);

/* test_busy_wait.c */
Suite *busy_wait_suite(void);

/* test_token_bucket.c */
Suite *token_bucket_suite(void);

/* test_thread.c */
Suite *thread_suite(void);

/* test_histogram.c */
Suite *histogram_suite(void);

/* test_trace.c */
Suite *trace_suite(void);

/* test_event_loop.c */
Suite *event_loop_suite(void);

/* test_console.c */
Suite *console_suite(void);

/* test_console_input.c, test_console_fds.c, test_console_hub.c, test_console_listen.c: parts of that suite */
TCase *console_input_tcase(void);
TCase *console_fds_tcase(void);
TCase *console_hub_tcase(void);

/* test_console_batch.c: a part of that suite */
TCase *console_batch_tcase(void);
TCase *console_listen_tcase(void);

/* test_e820.c */
Suite *e820_suite(void);

/* test_page_tables.c */
Suite *page_tables_suite(void);

/* test_boot_regs.c */
Suite *boot_regs_suite(void);

/* test_pvh.c */
Suite *pvh_suite(void);

/* test_boot_params.c */
Suite *boot_params_suite(void);

/* test_cpuid.c */
Suite *cpuid_suite(void);

/* test_fdt.c */
Suite *fdt_suite(void);

/* test_aml.c */
Suite *aml_suite(void);

/* test_acpi.c */
Suite *acpi_suite(void);

/* test_mptable.c */
Suite *mptable_suite(void);

/* test_image.c */
Suite *image_suite(void);

/* test_elf.c */
Suite *elf_suite(void);
Suite *bzimage_suite(void);
Suite *multiboot_suite(void);

/* test_unpack.c */
Suite *unpack_suite(void);

/* test_elf_broken.c: a part of that suite */
TCase *elf_broken_tcase(void);

/* test_loader.c */
Suite *loader_suite(void);

/* test_config.c */
Suite *config_suite(void);

/* test_outcome.c */
Suite *outcome_suite(void);

/* test_report.c */
Suite *report_suite(void);

/* test_board.c */
Suite *board_suite(void);

/* test_board_pci.c: a part of that suite */
TCase *board_pci_tcase(void);

/* test_io_thread.c */
Suite *io_thread_suite(void);

/* test_options.c */
Suite *options_suite(void);

/* test_run_options.c */
Suite *run_options_suite(void);

/* test_top.c */
Suite *top_suite(void);

/* test_runtime_dir.c */
Suite *runtime_dir_suite(void);

/* test_control_client.c */
Suite *control_client_suite(void);

/* test_control_server.c */
Suite *control_server_suite(void);

/* test_cgroup.c */
Suite *cgroup_suite(void);

/* test_limits.c */
Suite *limits_suite(void);

/* test_debug_regs.c */
Suite *debug_regs_suite(void);

/* test_gdb_packet.c */
Suite *gdb_packet_suite(void);

/* test_gdb_registers.c */
Suite *gdb_registers_suite(void);

/* test_gdb_session.c */
Suite *gdb_session_suite(void);

/* test_bench.c */
Suite *bench_suite(void);

/* test_sandbox.c */
Suite *sandbox_suite(void);

/* test_bios.c */
Suite *bios_suite(void);

/* test_bios_disk.c */
Suite *bios_disk_suite(void);

/* test_bios_console.c */
Suite *bios_console_suite(void);
