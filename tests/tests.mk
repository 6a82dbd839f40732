# The tests. Included by the top Makefile.
#
#   check-unit   tests/unit and tests/scripts: no KVM, seconds
#   check-vm     tests/vm: whole VMs, through lodge.h and through the command line; needs /dev/kvm
#   check-linux  tests/linux: stock Linux kernels, and tests/vm once more, in the svm lane; needs QEMU, no /dev/kvm

TEST_LIBS   := $(shell pkg-config --libs check 2>/dev/null)
TEST_CFLAGS := $(shell pkg-config --cflags check 2>/dev/null) -Itests -Ifirmware -fvisibility=default

UNIT_OBJS := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/*.c tests/lib/*.c))
VM_OBJS   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/vm/*.c tests/lib/*.c))

# latchkey's BIOS services, for this machine: what does not touch hardware by itself.
BIOS_OBJS := $(patsubst %,$(BUILD)/firmware/bios/%.o,disk screen keyboard memory clock)

$(UNIT_OBJS) $(VM_OBJS): CFLAGS_ALL += $(TEST_CFLAGS)
$(BIOS_OBJS): CFLAGS_ALL += -Ifirmware

# scripts/bench: what it samples with, and what makes tables of the samples.
BENCH        := $(BUILD)/tests/bench
BENCH_SAMPLE := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/sample_*.c)) \
                $(addprefix $(BENCH)/,process.o code.o bare.o) $(BUILD)/tests/lib/elf_builder.o
BENCH_REPORT := $(BENCH)/samples.o $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/bench/report*.c))
BENCH_OBJS   := $(BENCH_SAMPLE) $(BENCH_REPORT) $(BENCH)/ioctl_timer.o $(BENCH)/bench_blk.o

$(BENCH_OBJS): CFLAGS_ALL += $(TEST_CFLAGS)

# The unit tests see every internal of the library, and of the command line all but main() and its table of commands.
$(BUILD)/tests/check-unit: $(UNIT_OBJS) $(BIOS_OBJS) $(filter-out %/report_main.o,$(BENCH_REPORT)) $(LIB_OBJS) $(filter-out %/main.o %/completion.o,$(CLI_OBJS))
	$(E) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) $(CLI_LIBS) $(TEST_LIBS)

# The VM tests see what an embedder sees.
$(BUILD)/tests/check-vm: $(VM_OBJS) $(BUILD)/liblodge.a
	$(E) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) $(TEST_LIBS)

# In the lane: a Linux guest that is paused and has its power button pressed.
$(BUILD)/tests/linux-control: $(BUILD)/tests/linux/control.o $(BUILD)/liblodge.a
	$(E) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/tests/bench-sample: $(BENCH_SAMPLE) $(BUILD)/liblodge.a
	$(E) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/tests/bench-report: $(BENCH_REPORT)
	$(E) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

$(BUILD)/tests/bench-bare: tests/bench/bare.c tests/bench/bare.h
	$(E) "  LINK  $@"
	$(Q)$(CC) $(STATIC) $(CFLAGS_ALL) -Itests -DBARE_MAIN -o $@ $<

# lodge itself, with a clock at each ioctl.
$(BUILD)/tests/bench-timed: $(CLI_OBJS) $(filter $(BUILD)/vmm/util/%,$(LIB_OBJS)) $(BENCH)/ioctl_timer.o $(BUILD)/liblodge.a
	$(E) "  LINK  $@"
	$(Q)$(CC) $(STATIC) $(LDFLAGS_ALL) -Wl,--wrap=ioctl,--wrap=lodge_vm_free -o $@ $^ $(LIBS) $(CLI_LIBS)

# The block device alone sees the library's internals, as a unit test does.
$(BUILD)/tests/bench-blk: $(BENCH)/bench_blk.o $(LIB_OBJS)
	$(E) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS)

# Runs in a Linux guest's initramfs: static.
$(BUILD)/tests/linux-disk: tests/linux/disk.c
	$(E) "  LINK  $@"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -static -o $@ $<

# bench_NAME.c, if there is one, is a program of its own, bench-NAME, with a rule above.
# Never a part of check: a slow machine is no failure.
.PHONY: bench bench-linux bench-programs
bench-programs: $(BUILD)/lodge lodger $(addprefix $(BUILD)/tests/,bench-sample bench-report bench-bare bench-timed linux-disk) \
	$(patsubst tests/bench/bench_%.c,$(BUILD)/tests/bench-%,$(wildcard tests/bench/bench_*.c))

bench:
	+$(Q)LODGE_BUILD=$(BUILD) scripts/bench

bench-linux:
	+$(Q)LODGE_BUILD=$(BUILD) scripts/bench --only linux-start,linux-disk

# What the tests run, so that several of them can begin at once.
.PHONY: test-programs
test-programs: $(addprefix $(BUILD)/tests/,check-unit check-vm linux-control)

# Each of thousands of tests is a fork, which looks for leaks among all that its parent has kept after free(): 256 MiB, if left alone.
CHECK_ASAN := $(if $(filter asan,$(FLAVOR)),ASAN_OPTIONS="quarantine_size_mb=8:$$ASAN_OPTIONS")

.PHONY: check check-unit check-vm
check-unit: $(BUILD)/tests/check-unit $(BUILD)/lodge
	$(Q)tests/scripts/kut.sh
	$(Q)LODGE=$(BUILD)/lodge tests/scripts/completion.sh
	$(if $(FLAVOR),,$(Q)tests/scripts/hardening.sh)
	$(if $(FLAVOR),,+$(Q)tests/scripts/bench.sh)
	$(Q)$(CHECK_ASAN) $<

check-vm: $(BUILD)/tests/check-vm $(BUILD)/lodge
	$(if $(filter tsan,$(FLAVOR)),,$(Q)LODGE=$(BUILD)/lodge tests/scripts/soak.sh || [ $$? = 77 ])
	$(if $(FLAVOR),,+$(Q)tests/scripts/bench.sh --kvm || [ $$? = 77 ])
	$(Q)$(if $(FLAVOR),CK_EXCLUDE_TAGS="guest-time $(if $(filter tsan,$(FLAVOR)),guest-races)") LODGE=$(BUILD)/lodge LODGER=$(BUILD)/lodger.elf $< || [ $$? = 77 ]

# A sanitizer slows the lane, which is slow by itself, and shows nothing there that it does not show here.
check: check-unit check-vm $(if $(FLAVOR),,check-linux)

# In the lane no test may take it for granted that it has two CPUs at once, and time runs slower: those that move
# a lot of bytes over a console, repeat many attacks, or start guests by the hundred stay out of it.
.PHONY: check-linux check-linux-only check-linux-kinds check-linux-smoke check-vm-lane
# The lane itself stands still now and then (docs/svm-lane.md): once more, said aloud.
check-vm-lane: $(BUILD)/tests/check-vm $(BUILD)/lodge
	$(Q)for try in 1 2; do \
		status=0; \
		scripts/svm-lane --build $(BUILD) --scratch 512M $(addprefix --add ,$(wildcard /usr/bin/setpriv /lib/terminfo/x/xterm /usr/share/qemu/qboot.rom /usr/share/seabios/bios-microvm.bin)) --timeout 880 -- \
			env CK_EXCLUDE_TAGS=volume CK_TIMEOUT_MULTIPLIER=4 LODGE=$(BUILD)/lodge LODGER=$(BUILD)/lodger.elf $< || status=$$?; \
		[ $$status = 125 ] && [ $$try = 1 ] || break; \
		echo "the lane stood still: once more"; \
	done; [ $$status = 0 ] || [ $$status = 77 ]

check-linux: check-vm-lane check-linux-only

check-linux-only: $(BUILD)/lodge $(BUILD)/tests/linux-control
	$(Q)LODGE_BUILD=$(BUILD) tests/linux/run || [ $$? = 77 ]

check-linux-kinds check-linux-smoke: check-linux-%: $(BUILD)/lodge $(BUILD)/tests/linux-control
	$(Q)LODGE_BUILD=$(BUILD) tests/linux/run --$* || [ $$? = 77 ]

-include $(BUILD)/tests/linux/control.d $(UNIT_OBJS:.o=.d) $(BIOS_OBJS:.o=.d) $(VM_OBJS:.o=.d) $(BENCH_OBJS:.o=.d)
