# make lint: both compilers with all warnings as errors, cppcheck, shellcheck, clang-format, and the rules of
# HACKING.md that a script can check. `make -k lint` shows everything that is wrong at once.

LINT_SRCS    := $(sort $(wildcard vmm/*/*.c guest/*.c tests/*/*.c examples/*.c))
LINT_HEADERS := $(sort $(wildcard vmm/*.h vmm/*/*.h guest/*.h tests/*/*.h))
LINT_SHELL   := $(sort $(wildcard scripts/* tests/*/*.sh vmm/cli/*.bash) $(filter-out %.c,$(wildcard tests/linux/*)) .ci/run)

# How each folder is compiled. Warnings that need the optimizer's analysis count too.
LINT_FLAGS = -Werror $(WARNINGS) $(if $(filter guest/%,$<),$(GUEST_CFLAGS),$(CFLAGS_ALL) $(TEST_CFLAGS))
# A stamp a file: only what has changed is checked again.
LINT_DIR := build/lint

.PHONY: lint format lint-cppcheck lint-shell lint-format lint-layers lint-globals lint-hot-path lint-size lint-docs
lint: $(LINT_SRCS:%=$(LINT_DIR)/gcc/%.ok) $(LINT_SRCS:%=$(LINT_DIR)/clang/%.ok)
lint: $(LINT_HEADERS:%=$(LINT_DIR)/header/%.ok)
lint: lint-cppcheck lint-shell lint-format lint-layers lint-globals lint-hot-path lint-size lint-docs

define LINT_COMPILE
	$(E) "  LINT  $< ($(1))"
	$(Q)mkdir -p $(@D)
	$(Q)$(1) $(LINT_FLAGS) -MMD -MP -MF $(@:.ok=.d) -MT $@ -c -o /dev/null $<
	$(Q)touch $@
endef

$(LINT_DIR)/gcc/%.ok: %
	$(call LINT_COMPILE,gcc)

$(LINT_DIR)/clang/%.ok: %
	$(call LINT_COMPILE,clang)

# Every header compiles alone.
$(LINT_DIR)/header/%.ok: %
	$(Q)mkdir -p $(@D)
	$(Q)gcc $(LINT_FLAGS) -MMD -MP -MF $(@:.ok=.d) -MT $@ -include $< -x c -c -o /dev/null /dev/null
	$(Q)touch $@

-include $(LINT_SRCS:%=$(LINT_DIR)/gcc/%.d) $(LINT_SRCS:%=$(LINT_DIR)/clang/%.d)
-include $(LINT_HEADERS:%=$(LINT_DIR)/header/%.d)

lint-cppcheck:
	$(E) "  LINT  cppcheck"
	$(Q)mkdir -p $(LINT_DIR)/cppcheck
	$(Q)cppcheck --quiet --error-exitcode=1 --std=c11 --platform=unix64 --inline-suppr \
		--enable=warning,performance,portability --cppcheck-build-dir=$(LINT_DIR)/cppcheck \
		--suppressions-list=mk/cppcheck.txt -D__x86_64__ -Ivmm -Itests vmm guest tests examples

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

lint-size:
	$(E) "  LINT  check-size"
	$(Q)scripts/check-size

lint-docs:
	$(E) "  LINT  check-docs"
	$(Q)scripts/check-docs

format:
	$(Q)clang-format -i $(LINT_SRCS) $(LINT_HEADERS)
