# make lint: both compilers with all warnings as errors, gcc's analyzer, clang-tidy, cppcheck, shellcheck, clang-format, and the
# rules of HACKING.md that a script can check. `make -k lint` shows everything that is wrong at once.

LINT_SRCS    := $(sort $(wildcard vmm/*/*.c guest/*.c firmware/*.c firmware/*/*.c tests/*/*.c examples/*.c))
LINT_HEADERS := $(sort $(wildcard vmm/*.h vmm/*/*.h guest/*.h firmware/*.h firmware/*/*.h tests/*/*.h))
LINT_SHELL   := $(sort $(wildcard scripts/* tests/*/*.sh vmm/cli/*.bash) $(filter-out %.c,$(wildcard tests/linux/*)) tests/boot/make-disk .ci/run)

# How each folder is compiled; variables that are cleared would hide that nobody sets them. Warnings that need the optimizer's analysis count too.
LINT_FLAGS_OF = -Werror $(WARNINGS) $(if $(filter guest/%,$(1)),$(GUEST_CFLAGS),$(if $(filter firmware/%,$(1)),$(FIRMWARE_CFLAGS),$(filter-out $(ZERO_VARS),$(CFLAGS_ALL)) $(TEST_CFLAGS)))
LINT_FLAGS    = $(call LINT_FLAGS_OF,$<)
# gcc looks for leaks, uses after free and the like as it compiles. Memory that a test asks for is there, or the test is over.
LINT_ANALYZE = -fanalyzer $(if $(filter tests/%,$<),-Wno-analyzer-possible-null-argument -Wno-analyzer-possible-null-dereference)
# A stamp a file: only what has changed is checked again.
LINT_DIR := build/lint

# Where gcc 12 sees what is not there: it does not know a client's buffer again when it goes through the array of clients; that an
# assertion of Check's is passed with a pointer; that a leak is the purpose.
$(LINT_DIR)/gcc/vmm/control/server.c.ok $(LINT_DIR)/gcc/tests/fuzz/fuzz_selftest.c.ok: LINT_ANALYZE += -Wno-analyzer-malloc-leak
$(addprefix $(LINT_DIR)/gcc/tests/,unit/test_e820.c.ok vm/test_commands.c.ok): LINT_ANALYZE += -Wno-analyzer-null-dereference

.PHONY: lint format lint-cppcheck lint-shell lint-format lint-layers lint-globals lint-hot-path lint-hardening lint-size lint-docs
lint: $(foreach tool,gcc clang tidy,$(LINT_SRCS:%=$(LINT_DIR)/$(tool)/%.ok))
lint: $(LINT_HEADERS:%=$(LINT_DIR)/header/%.ok)
lint: lint-cppcheck lint-shell lint-format lint-layers lint-globals lint-hot-path lint-hardening lint-size lint-docs

define LINT_COMPILE
	$(E) "  LINT  $< ($(1))"
	$(Q)mkdir -p $(@D)
	$(Q)$(1) $(LINT_FLAGS) $(2) -MMD -MP -MF $(@:.ok=.d) -MT $@ -c -o /dev/null $<
	$(Q)touch $@
endef

$(LINT_DIR)/gcc/%.ok: %
	$(call LINT_COMPILE,gcc,$(LINT_ANALYZE))

$(LINT_DIR)/clang/%.ok: %
	$(call LINT_COMPILE,clang)

# What clang takes, it can look at more closely; that stamp also knows which headers the file has. A run a file: one with several
# takes each va_list after the first file's for uninitialized.
$(LINT_DIR)/tidy/%.ok: $(LINT_DIR)/clang/%.ok .clang-tidy tests/.clang-tidy
	$(E) "  LINT  $* (clang-tidy)"
	$(Q)mkdir -p $(@D)
	$(Q)clang-tidy --quiet $* -- $(call LINT_FLAGS_OF,$*) 2>$(@:.ok=.messages) || { cat $(@:.ok=.messages) >&2; exit 1; }
	$(Q)touch $@

# Every header compiles alone.
$(LINT_DIR)/header/%.ok: %
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(LINT_FLAGS) -MMD -MP -MF $(@:.ok=.d) -MT $@ -include $< -x c -c -o /dev/null /dev/null
	$(Q)touch $@

$(foreach compiler,gcc clang,$(LINT_DIR)/$(compiler)/vmm/sandbox/violation.c.ok): $(CALL_NAMES)

-include $(LINT_SRCS:%=$(LINT_DIR)/gcc/%.d) $(LINT_SRCS:%=$(LINT_DIR)/clang/%.d)
-include $(LINT_HEADERS:%=$(LINT_DIR)/header/%.d)

lint-cppcheck:
	$(E) "  LINT  cppcheck"
	$(Q)mkdir -p $(LINT_DIR)/cppcheck
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --platform=unix64 --inline-suppr \
		--enable=warning,performance,portability,style --cppcheck-build-dir=$(LINT_DIR)/cppcheck \
		--suppressions-list=mk/cppcheck.txt -D__x86_64__ -Ivmm -I. -Itests vmm guest firmware tests examples

lint-shell:
	$(E) "  LINT  shellcheck"
	$(Q)shellcheck $(LINT_SHELL)

lint-format:
	$(E) "  LINT  clang-format"
	$(Q)clang-format --dry-run -Werror $(LINT_SRCS) $(LINT_HEADERS)

lint-layers:
	$(E) "  LINT  check-layers"
	$(Q)scripts/check-layers

lint-globals: $(LIB_OBJS)
	$(E) "  LINT  check-globals"
	$(Q)scripts/check-globals $(LIB_OBJS)

lint-hot-path: $(LIB_OBJS)
	$(E) "  LINT  check-hot-path"
	$(Q)scripts/check-hot-path $(filter %/bus/bus.o %/machine/vcpu.o %/kvm/kvm_vcpu.o,$(LIB_OBJS))

# Also with shared libraries, as STATIC= has it.
$(LINT_DIR)/lodge-shared: $(BUILD)/lodge
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -pie $(LDFLAGS_ALL) -o $@ $(LODGE_PARTS) $(LIBS) $(CLI_LIBS)

lint-hardening: $(BUILD)/lodge $(BUILD)/liblodge.a $(LINT_DIR)/lodge-shared
	$(E) "  LINT  check-hardening"
	$(Q)scripts/check-hardening $^

lint-size:
	$(E) "  LINT  check-size"
	$(Q)scripts/check-size

lint-docs:
	$(E) "  LINT  check-docs"
	$(Q)scripts/check-docs

format:
	$(Q)clang-format -i $(LINT_SRCS) $(LINT_HEADERS)
