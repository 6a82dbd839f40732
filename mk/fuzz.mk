# Fuzzing: what a guest, an image or a client controls, from tests/fuzz/corpus/NAME (tests/fuzz/README.md).
#
#   make fuzz        with clang's libFuzzer, in build/fuzz: FUZZ_SECONDS a target, FUZZ=name,... for some of them
#   make check-fuzz  the committed inputs alone, with ASan and UBSan, in build/asan; needs no clang

FUZZ_SECONDS ?= 60
FUZZ         ?=
FUZZ_TARGETS := $(filter-out selftest,$(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)))

comma := ,

# How make fuzz calls itself: to find crashes, and to see which lines the corpus reaches.
FUZZ_MAKE     = $(MAKE) --no-print-directory CC=clang GUEST_CC=gcc OPT=-O1
FUZZ_SANITIZE := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
FUZZ_COVERAGE := -fprofile-instr-generate -fcoverage-mapping

# With libFuzzer's main() in build/fuzz, else with ours.
FUZZ_ENGINE := $(if $(filter fuzz,$(FLAVOR)),-fsanitize=fuzzer,$(BUILD)/tests/fuzz/replay.o)
FUZZ_OBJS   := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/fuzz/*.c))
FUZZ_LIB    := $(BUILD)/tests/fuzz/lib.a

# Calls that are linked to others: to the clock and the poor host of fuzz.c, to what taken.h looks at, to a socket without
# a guest's name, to no KVM.
FUZZ_WRAP            := clock_gettime calloc malloc realloc mmap eventfd
FUZZ_WRAP_virtio_blk := virtqueue_pop virtqueue_unpop virtqueue_push
FUZZ_WRAP_client     := runtime_look runtime_path connect
FUZZ_WRAP_loader     := kvm_vm_set_rom

$(FUZZ_OBJS): CFLAGS_ALL += $(TEST_CFLAGS)

# An archive: a target takes what it enters, and may stand in for the rest.
$(FUZZ_LIB): $(LIB_OBJS) $(filter-out %/main.o %/completion.o %/completion_scripts.o,$(CLI_OBJS))
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/fuzz_%.o $(BUILD)/tests/fuzz/fuzz.o $(BUILD)/tests/fuzz/replay.o $(FUZZ_LIB)
	$(E) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) $(addprefix -Wl$(comma)--wrap=,$(FUZZ_WRAP) $(FUZZ_WRAP_$*)) -o $@ \
		$(filter %/fuzz_$*.o %/fuzz.o,$^) $(FUZZ_ENGINE) $(FUZZ_LIB) $(LIBS)

.PHONY: fuzz fuzz-targets check-fuzz
fuzz-targets: $(FUZZ_TARGETS:%=$(BUILD)/tests/fuzz/%)

fuzz:
	$(Q)tests/fuzz/run.sh --check
	$(Q)+$(FUZZ_MAKE) FLAVOR=fuzz CFLAGS='$(FUZZ_SANITIZE)' LDFLAGS='$(FUZZ_SANITIZE)' fuzz-targets
	$(Q)+$(FUZZ_MAKE) FLAVOR=cov CFLAGS='$(FUZZ_COVERAGE)' LDFLAGS='$(FUZZ_COVERAGE)' fuzz-targets
	$(Q)tests/fuzz/run.sh $(FUZZ_SECONDS) $(or $(subst $(comma), ,$(FUZZ)),$(FUZZ_TARGETS))

# What tests/fuzz/corpus/loader began with; the others' seeds were found, or typed.
FUZZ_SEEDS := $(BUILD)/tests/fuzz/seeds
$(FUZZ_SEEDS): $(BUILD)/tests/fuzz/seeds.o $(filter $(BUILD)/tests/lib/%builder.o $(BUILD)/tests/lib/compress.o,$(UNIT_OBJS))
	$(E) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) $(TEST_LIBS)

.PHONY: fuzz-seeds
fuzz-seeds: $(FUZZ_SEEDS)
	$(Q)mkdir -p tests/fuzz/corpus/loader
	$(Q)$< tests/fuzz/corpus/loader

# Without a sanitizer a replay says little: it is always ASan's.
ifeq ($(FLAVOR),asan)
check-fuzz: fuzz-targets $(BUILD)/tests/fuzz/selftest
	$(Q)tests/fuzz/selftest.sh $(BUILD)/tests/fuzz/selftest
	$(Q)failed=0; for target in $(FUZZ_TARGETS); do \
		$(BUILD)/tests/fuzz/$$target tests/fuzz/corpus/$$target || failed=1; \
	done; exit $$failed
check-unit: check-fuzz
else
check-fuzz:
	$(Q)$(MAKE) --no-print-directory FLAVOR=asan check-fuzz
check: $(if $(FLAVOR),,check-fuzz)
endif

-include $(FUZZ_OBJS:.o=.d)
