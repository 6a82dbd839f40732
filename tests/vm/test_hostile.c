/*
 * Guests that attack (guest/hostile*.c): each attack comes to what it should, which lodger judges, or ends the run with
 * the right status; a neighbour in the same process, or in another one, is none the worse for it; nothing of lodge's
 * grows; and who wants such a guest gone gets rid of it. Known bugs of other VMMs are in the table by their names.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/files.h"
#include "lib/guest.h"
#include "lib/named_guests.h"
#include "vm/suites.h"

#define IMAGE      "disk.img"
#define IMAGE_SIZE (4 << 20)
#define USABLE     ": the machine is still usable"

static struct guest guest, neighbour;

static const struct {
	const char *name; /* of lodger's attack */
	int status;       /* 0 without `off`: lodger has said that all is well */
	enum lodge_outcome outcome;
	unsigned cpus;
	bool engines; /* with each of the disk's engines: what is under way differs */
	bool pci;
} attacks[] = {
	{.name = "queue-size"},
	{.name = "queue-address"},
	{.name = "queue-overlap"},
	{.name = "queue-select"}, /* an index of a queue that is none, and configuration beyond its end: kvmtool CVE-2021-45464 */
	{.name = "avail-runaway"},
	{.name = "avail-repeat", .engines = true},
	{.name = "index-range"},
	{.name = "kick-flood"},
	{.name = "kick-early"},
	{.name = "desc-loop"},
	{.name = "indirect-loop"},
	{.name = "indirect-name"},
	{.name = "indirect-inside"},
	{.name = "chain-shape"}, /* what a guest can trigger is no assert: cloud-hypervisor 8405 */
	{.name = "addresses"},   /* an address is checked with its length: kvm-host PR 49 */
	{.name = "lengths"},     /* a request's size has bounds: Firecracker 5762, 5794 */
	{.name = "sector-edges"},
	{.name = "request-types"},
	{.name = "get-id"},
	{.name = "ranges"},
	{.name = "ranges-half-right"},
	{.name = "flush-storm", .engines = true},
	{.name = "byte-pieces", .engines = true},
	{.name = "dma-descriptors", .engines = true},
	{.name = "dma-avail", .engines = true},
	{.name = "dma-used", .engines = true},
	{.name = "dma-request", .engines = true},
	{.name = "dma-code"},
	{.name = "dma-mapping"},
	{.name = "race-address", .cpus = 2, .engines = true},
	{.name = "race-length", .cpus = 2, .engines = true}, /* a length is fetched once: kvm-host PR 49 */
	{.name = "race-links", .cpus = 2},
	{.name = "race-ring", .cpus = 2},
	{.name = "race-header", .cpus = 2, .engines = true},
	{.name = "race-table", .cpus = 2},
	{.name = "race-index", .cpus = 2},
	{.name = "race-registers", .cpus = 2, .engines = true},
	{.name = "reset-in-flight",
		.engines = true}, /* no answer after a reset: cloud-hypervisor CVE-2026-45782 */
	{.name = "stop-in-flight", .engines = true},
	{.name = "fail-in-flight", .engines = true},
	{.name = "lie-in-flight", .engines = true},
	{.name = "reset-storm"},
	{.name = "irq-no-ack"},
	{.name = "irq-level"},
	{.name = "irq-edge"},
	{.name = "irq-self"},
	{.name = "irq-vectors"},
	{.name = "irq-others", .cpus = 3},
	{.name = "irq-timer"},
	{.name = "ports"},
	{.name = "port-strings"},
	{.name = "registers"},
	{.name = "chip-registers"},
	{.name = "ioapic-registers"},
	{.name = "mmio-edges"},
	{.name = "mmio-hole"},
	{.name = "pci-config", .pci = true}, /* an offset into configuration space: kvmtool CVE-2021-45464 */
	{.name = "pci-nobody", .pci = true},
	{.name = "pci-bar", .pci = true},
	{.name = "pci-window", .pci = true},
	{.name = "pci-msix", .cpus = 2, .pci = true},
	{.name = "msrs"},
	{.name = "kvm-msrs"},
	{.name = "cpu-starts", .cpus = 2},
	{.name = "end-exit8", 7, LODGE_GUEST_EXIT, .engines = true},
	{.name = "end-exit16", 99, LODGE_GUEST_EXIT},
	{.name = "end-exit32", 99, LODGE_GUEST_EXIT},
	{.name = "end-exit-zero", 0, LODGE_POWEROFF},
	{.name = "end-cf9", 110, LODGE_RESET, .engines = true},
	{.name = "end-pulse", 110, LODGE_RESET},
	{.name = "end-output-port", 110, LODGE_RESET},
	{.name = "end-sleep", 0, LODGE_POWEROFF, .engines = true},
	{.name = "end-bochs", 0, LODGE_POWEROFF},
	{.name = "end-panic", 113, LODGE_PANIC},
	{.name = "end-triple", 111, LODGE_TRIPLE_FAULT, .engines = true},
	{.name = "end-dma-idt", 111, LODGE_TRIPLE_FAULT},
	{.name = "end-dma-page-tables", 111, LODGE_TRIPLE_FAULT},
	{.name = "end-huge-reads", 8, LODGE_GUEST_EXIT}, /* and see huge_requests_hold_nobody_up */
	{.name = "end-exec-hole", 112, LODGE_KVM_INTERNAL_ERROR},
};

#define ATTACKS (sizeof(attacks) / sizeof(attacks[0]))

static bool ends(unsigned i)
{
	return strncmp(attacks[i].name, "end-", 4) == 0;
}

/* The console may hold whatever was written to COM1's registers, NULs among it. */
static bool has_said(const char *text)
{
	return memmem(guest.console, sizeof(guest.console), text, strlen(text)) != NULL;
}

static void check_end(unsigned i)
{
	char usable[96];

	ck_assert_msg(guest.err == 0 && guest.result.status == attacks[i].status &&
			      guest.result.outcome == attacks[i].outcome,
		"%s: %s, status %d %s\n%s", attacks[i].name, lodge_outcome_name(guest.result.outcome),
		guest.result.status, guest.result.message, guest.console);
	snprintf(usable, sizeof(usable), "ok %s" USABLE, attacks[i].name);
	ck_assert_msg(has_said(usable) == !ends(i), "%s\n%s", attacks[i].name, guest.console);
}

static void attack(unsigned i, const struct lodge_disk *disk)
{
	char append[64];

	snprintf(append, sizeof(append), "run=hostile %s", attacks[i].name);
	guest_init(&guest, append);
	guest.config.cpus = attacks[i].cpus ? attacks[i].cpus : 1;
	guest.config.pci = attacks[i].pci;
	guest_run_with_disk(&guest, disk);
	check_end(i);
}

/* A neighbour has written something before the attack; afterwards it is there, and so is the neighbour. */
static int move_in(void)
{
	static const struct lodge_disk disk = {.size = 1 << 20};
	int keys[2];

	ck_assert_int_eq(pipe(keys), 0);
	guest_init(&neighbour, "");
	neighbour.config.timeout_ms = 120000;
	neighbour.config.disks = &disk;
	neighbour.config.disk_count = 1;
	neighbour.captured.in = keys[0];
	guest_start(&neighbour);
	ck_assert_int_eq(write(keys[1], "blk fill 0 0 16 5\n", 18), 18);
	ck_assert(guest_wait_for(&neighbour, "lodger> ", 2));
	return keys[1];
}

static void move_out(int keys)
{
	static const char last[] = "blk verify 0 0 16 5\nexit 42\n";

	ck_assert_int_eq(write(keys, last, sizeof(last) - 1), sizeof(last) - 1);
	ck_assert_int_eq(guest_finish(&neighbour), 42);
	ck_assert_msg(strstr(neighbour.console, "16 sectors from 0 are right"), "%s", neighbour.console);
	close(keys);
}

START_TEST(an_attack_ends_well_and_harms_no_neighbour)
{
	const struct lodge_disk disk = {.path = IMAGE};
	int keys = move_in();

	files_make(IMAGE, IMAGE_SIZE);
	attack((unsigned)_i, &disk);
	move_out(keys);
	/* A level that storms is seen as what it is. */
	if (!strcmp(attacks[_i].name, "irq-level"))
		ck_assert_uint_gt(guest_count(guest.result.exits, guest.result.exit_count, "ioapic-eoi"), 10);
}
END_TEST

START_TEST(an_attack_ends_well_with_threads_and_in_memory_too)
{
	const struct lodge_disk threads = {.path = IMAGE, .aio = LODGE_AIO_THREADS},
				memory = {.size = IMAGE_SIZE};

	if (!attacks[_i].engines)
		return;
	files_make(IMAGE, IMAGE_SIZE);
	attack((unsigned)_i, &threads);
	ck_assert_str_eq(guest.result.disks[0].engine, "threads");
	attack((unsigned)_i, &memory);
}
END_TEST

START_TEST(every_attack_that_lodger_knows_is_in_the_table)
{
	unsigned lines = 0;

	guest_init(&guest, "run=hostile list");
	ck_assert_int_eq(guest_run(&guest), 0);
	for (const char *at = guest.console; (at = strchr(at, '\n')); at++)
		lines++;
	ck_assert_uint_eq(lines, ATTACKS + 1); /* the banner */
	for (unsigned i = 0; i < ATTACKS; i++) {
		char line[64];

		snprintf(line, sizeof(line), "\n%-20s ", attacks[i].name);
		ck_assert_msg(strstr(guest.console, line) != NULL, "%s is none of lodger's", attacks[i].name);
	}
}
END_TEST

/* RAM on both sides of the hole, the addresses of both ends among those that are tried. */
START_TEST(addresses_at_the_edges_of_much_memory)
{
	const struct lodge_disk disk = {.size = IMAGE_SIZE};

	guest_init(&guest, "run=hostile addresses;hostile mmio-hole;hostile queue-address;hostile lengths");
	guest.config.memory = UINT64_C(4) << 30;
	guest.config.overcommit = true;
	ck_assert_msg(guest_run_with_disk(&guest, &disk) == 0, "%s%s", guest.result.message, guest.console);
	ck_assert(has_said("ok lengths" USABLE));
}
END_TEST

/* The other set of interrupt controllers. */
START_TEST(interrupts_storm_through_kvms_own_ioapic)
{
	const struct lodge_disk disk = {.size = IMAGE_SIZE};

	guest_init(&guest, "run=hostile irq-no-ack;hostile irq-level;hostile irq-edge;hostile irq-vectors;"
			   "hostile ports 64;hostile ioapic-registers");
	guest.config.irqchip = LODGE_IRQCHIP_FULL;
	guest.config.pit = true;
	ck_assert_msg(guest_run_with_disk(&guest, &disk) == 0, "%s%s", guest.result.message, guest.console);
	ck_assert(has_said("ok ioapic-registers" USABLE));
}
END_TEST

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* 256 reads of 4000 MiB, or of as much as a request may have: the end does not wait for all of them. */
START_TEST(huge_requests_hold_nobody_up)
{
	static const char *const appends[] = {"run=hostile end-huge-reads", "run=hostile end-huge-reads 63"};
	const struct lodge_disk disk = {.path = IMAGE, .aio = _i / 2 ? LODGE_AIO_THREADS : LODGE_AIO_AUTO};
	double begin = now();

	files_make(IMAGE, UINT64_C(8) << 30);
	guest_init(&guest, appends[_i % 2]);
	ck_assert_msg(guest_run_with_disk(&guest, &disk) == 8, "%s%s", guest.result.message, guest.console);
	ck_assert_msg(now() - begin < 10, "%.1f s", now() - begin);
}
END_TEST

static long resident_kib(pid_t pid)
{
	char path[64], line[128];
	long kib = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	fclose(file);
	return kib;
}

/* One after another: what is typed ahead may be lost with the chips that an attack leaves to be set up anew. */
static void type_attacks(struct command *attacker)
{
	static const char *const names[] = {"kick-flood", "addresses", "indirect-name", "ranges",
		"reset-in-flight", "lie-in-flight", "race-length", "reset-storm", "ports",
		"ioapic-registers"};
	char text[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		attacker->out_len = 0;
		attacker->out[0] = '\0';
		command_send(attacker, text, (size_t)snprintf(text, sizeof(text), "hostile %s\n", names[i]));
		snprintf(text, sizeof(text), "ok %s" USABLE "\r\nlodger> ", names[i]);
		/* Not just command_expect(): what was written to COM1's registers may have NULs in it. */
		for (int tries = 0; !memmem(attacker->out, attacker->out_len, text, strlen(text)); tries++) {
			ck_assert_msg(tries < 40, "%s: %s", names[i], attacker->out);
			command_expect(attacker, text, 1);
		}
	}
}

#define GROWTH_KIB 512

START_TEST(memory_does_not_grow_under_attack)
{
	const char *const argv[] = {
		command_lodge(), "run", "-m", "32M", "-c", "2", "--disk", "path=" IMAGE, NULL};
	struct command *attacker = command_new();
	long before, after;

	files_make(IMAGE, IMAGE_SIZE);
	attacker->input = "";
	attacker->keep_input = true;
	command_start(attacker, argv);
	ck_assert(command_expect(attacker, "lodger> ", 30));
	type_attacks(attacker);
	before = resident_kib(attacker->pid);
	for (int i = 0; i < 2; i++)
		type_attacks(attacker);
	after = resident_kib(attacker->pid);
	ck_assert_msg(after <= before + GROWTH_KIB, "%ld KiB, then %ld", before, after);
	command_send(attacker, "exit 9\n", 7);
	ck_assert_int_eq(command_finish(attacker, 30), 9);
	free(attacker);
}
END_TEST

/* The second time with the disk on PCI, and all that can be done to it there. */
START_TEST(all_attacks_in_one_guest_harm_no_guest_in_another_process)
{
	struct command *attacker = command_new();
	int console;

	start("neighbour");
	console = connect_console("neighbour");
	say(console, "blk fill 0 0 16 5\necho lived in\n");
	ck_assert(hear(console, "\nlived in"));
	files_make(IMAGE, IMAGE_SIZE);
	ck_assert_int_eq(command_call(attacker, "run", "-m", "32M", "-c", "2", "--disk", "path=" IMAGE,
				 "--timeout", "55", "--append", "run=hostile all", _i ? "--pci" : NULL, NULL),
		0);
	ck_assert(memmem(attacker->out, attacker->out_len, "FAIL", 4) == NULL);
	say(console, "blk verify 0 0 16 5\n");
	ck_assert(hear(console, "16 sectors from 0 are right"));
	close(console);
	free(attacker);
}
END_TEST

static const char *const storms[] = {"kick-flood", "irq-edge", "irq-level", "irq-timer", "irq-self",
	"reset-storm", "race-registers", "flush-storm"};

/* Half of them by force, half after a second in which the guest may obey its power button. */
START_TEST(a_guest_that_storms_can_be_stopped)
{
	char append[64];
	double begin;

	snprintf(append, sizeof(append), "run=hostile %s forever", storms[_i]);
	ck_assert_msg(!command_call(command, "run", "--detach", "--name", "storm", "-m", "32M", "-c", "2",
			      "--append", append, NULL),
		"%s", command->err);
	usleep(150000);
	begin = now();
	if (_i % 2) {
		ck_assert_int_eq(command_call(command, "stop", "--grace", "1", "storm", NULL), 0);
		ck_assert(!strcmp(command->out, "storm: poweroff\n") ||
			  !strcmp(command->out, "storm: stopped\n"));
	} else {
		ck_assert_int_eq(command_call(command, "stop", "--now", "storm", NULL), 0);
		ck_assert_str_eq(command->out, "storm: stopped\n");
	}
	ck_assert_msg(now() - begin < 20, "%s: %.1f s", storms[_i], now() - begin);
	ck_assert(nothing_is_left());
}
END_TEST

/* The same through the library, at any moment, pauses and statistics amid the storm. */
START_TEST(a_guest_that_storms_can_be_looked_at_and_paused)
{
	const struct lodge_disk disk = {.size = IMAGE_SIZE};
	static struct lodge_stats stats;
	uint64_t exits;
	char append[64];

	snprintf(append, sizeof(append), "run=hostile %s forever", storms[_i]);
	guest_init(&guest, append);
	guest.config.cpus = 2;
	guest.config.disks = &disk;
	guest.config.disk_count = 1;
	guest_start(&guest);
	usleep(100000);
	ck_assert_int_eq(lodge_vm_pause(guest.vm), 0);
	ck_assert_int_eq(lodge_vm_stats(guest.vm, &stats), 0);
	ck_assert(stats.paused);
	exits = stats.vcpus[0].exits;
	usleep(20000);
	ck_assert_int_eq(lodge_vm_stats(guest.vm, &stats), 0);
	ck_assert_uint_eq(stats.vcpus[0].exits, exits);
	ck_assert_int_eq(lodge_vm_resume(guest.vm), 0);
	usleep(50000);
	lodge_vm_stop(guest.vm);
	ck_assert_int_eq(guest_finish(&guest), LODGE_STATUS_STOPPED);
}
END_TEST

#define STORMS (int)(sizeof(storms) / sizeof(storms[0]))

Suite *hostile_suite(void)
{
	Suite *suite = suite_create("hostile");
	TCase *once = tcase_create("attacks"), *more = tcase_create("attacks at length");
	TCase *engines = tcase_create("attacks on threads"), *stops = tcase_create("storms"),
	      *beside = tcase_create("attacks beside a process");

	tcase_set_timeout(once, 60);
	tcase_add_checked_fixture(once, files_setup, files_teardown);
	tcase_add_test(once, every_attack_that_lodger_knows_is_in_the_table);
	tcase_add_loop_test(once, an_attack_ends_well_and_harms_no_neighbour, 0, (int)ATTACKS);
	tcase_add_test(once, addresses_at_the_edges_of_much_memory);
	tcase_add_test(once, interrupts_storm_through_kvms_own_ioapic);
	tcase_add_loop_test(once, a_guest_that_storms_can_be_looked_at_and_paused, 0, STORMS);
	suite_add_tcase(suite, once);

	/* The same once more, in other ways: not in the lane, where each exit takes its time. */
	tcase_set_tags(more, "volume");
	tcase_set_timeout(more, 60);
	tcase_add_checked_fixture(more, files_setup, files_teardown);
	tcase_add_test(more, memory_does_not_grow_under_attack);
	suite_add_tcase(suite, more);
	/* What a guest has two threads read to one place at once is its affair, but ThreadSanitizer sees it. */
	tcase_set_tags(engines, "volume guest-races");
	tcase_set_timeout(engines, 60);
	tcase_add_checked_fixture(engines, files_setup, files_teardown);
	tcase_add_loop_test(engines, an_attack_ends_well_with_threads_and_in_memory_too, 0, (int)ATTACKS);
	tcase_add_loop_test(engines, huge_requests_hold_nobody_up, 0, 4);
	suite_add_tcase(suite, engines);

	tcase_set_timeout(stops, 60);
	tcase_add_checked_fixture(stops, named_setup, named_teardown);
	tcase_add_loop_test(stops, a_guest_that_storms_can_be_stopped, 0, STORMS);
	suite_add_tcase(suite, stops);

	tcase_set_tags(beside, "volume");
	tcase_set_timeout(beside, 120);
	tcase_add_checked_fixture(beside, named_setup, named_teardown);
	tcase_add_loop_test(beside, all_attacks_in_one_guest_harm_no_guest_in_another_process, 0, 2);
	suite_add_tcase(suite, beside);
	return suite;
}
