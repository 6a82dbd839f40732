# lodge: make help lists the targets.

VERSION := 0.1.0

# Flavours live in folders of their own: make FLAVOR=asan check
FLAVOR ?=
BUILD  := build$(if $(FLAVOR),/$(FLAVOR))

CC       ?= gcc
GUEST_CC ?= $(CC)
OPT      ?= -O2
WARNINGS := -Wall -Wextra -Wshadow -Wcast-qual -Wimplicit-fallthrough -Wmissing-prototypes \
            -Wstrict-prototypes -Wvla -Wpointer-arith -Wundef -Wwrite-strings
FLAGS_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FLAGS_tsan := -fsanitize=thread
SANITIZE   := $(FLAGS_$(FLAVOR))
# zlib and the next two unpack kernels; liburing drives disks.
PKGS       := jansson zlib liblzma libzstd liburing
# The command's own: the library confines nobody.
CLI_PKGS   := ncursesw libseccomp
# The command has no shared libraries: to load them took half of the time that is lodge's own at a start
# (docs/architecture.md). Position-independent all the same. Sanitizers want shared ones; STATIC= is for hosts that
# have no others.
STATIC     := $(if $(SANITIZE),,-static-pie)

# What a mistake of ours shall not become (docs/architecture.md, Hardening; scripts/check-hardening looks at the result). Not with
# sanitizers and the like, which see more without it. clang wants a second option before it clears variables, and is not asked.
HARDENING    := -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
                $(if $(filter -O0,$(OPT)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
HARDENING_LD := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code
ZERO_VARS    := $(shell $(CC) -ftrivial-auto-var-init=zero -E -x c /dev/null >/dev/null 2>&1 && echo -ftrivial-auto-var-init=zero)

CFLAGS_ALL := -std=gnu17 -g $(OPT) -fPIE $(WARNINGS) $(WERROR) -Ivmm -I. -I$(BUILD)/vmm -D_GNU_SOURCE \
              -DLODGE_VERSION='"$(VERSION)"' -fvisibility=hidden -pthread $(SANITIZE) $(if $(FLAVOR),,$(HARDENING) $(ZERO_VARS)) \
              $(shell pkg-config --cflags $(PKGS)) $(CFLAGS)
LIBS       := -lfdt $(shell pkg-config $(if $(STATIC),--static) --libs $(PKGS)) -pthread
CLI_LIBS   := $(shell pkg-config $(if $(STATIC),--static) --libs $(CLI_PKGS))
LDFLAGS_ALL := $(SANITIZE) $(HARDENING_LD) $(LDFLAGS)

Q := $(if $(V),,@)
E := $(if $(V),@:,@echo)

LIB_SRCS := $(filter-out vmm/sandbox/% vmm/cli/%,$(wildcard vmm/*/*.c))
CLI_SRCS := $(wildcard vmm/sandbox/*.c vmm/cli/*.c)
LIB_OBJS := $(LIB_SRCS:%.c=$(BUILD)/%.o) $(BUILD)/vmm/machine/images.o
CLI_OBJS := $(CLI_SRCS:%.c=$(BUILD)/%.o) $(BUILD)/vmm/cli/completion_scripts.o

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: all
all: $(BUILD)/lodge $(BUILD)/liblodge.a lodger latchkey compile_commands.json

include guest/guest.mk
include firmware/firmware.mk
include tests/tests.mk
include mk/fuzz.mk
include mk/faults.mk
include mk/lint.mk
include mk/install.mk
include mk/help.mk

# The command line sees of the library what an embedder sees, lodge.h and lodge_control.h, and util/ besides.
LODGE_PARTS := $(CLI_OBJS) $(filter $(BUILD)/vmm/util/%,$(LIB_OBJS)) $(BUILD)/liblodge.a
$(BUILD)/lodge: $(LODGE_PARTS)
	$(E) "  LINK  $@"
	$(Q)$(CC) $(or $(STATIC),-pie) $(LDFLAGS_ALL) -o $@ $^ $(LIBS) $(CLI_LIBS)

# One object that shows the names of these two headers and no others: an embedder's own names are safe from ours.
$(BUILD)/liblodge.a: $(LIB_OBJS)
	$(E) "  AR    $@"
	$(Q)$(LD) -r -o $(BUILD)/liblodge.o $^
	$(Q)objcopy --wildcard --keep-global-symbol='lodge_*' $(BUILD)/liblodge.o
	$(Q)rm -f $@ && $(AR) rcs $@ $(BUILD)/liblodge.o

# lodger under GDB (docs/gdb.md); RUN has options for `lodge run`.
.PHONY: run-gdb
run-gdb: $(BUILD)/lodge lodger
	$(Q)LODGE_BUILD=$(BUILD) scripts/run-gdb $(RUN)

$(BUILD)/%.o: %.c
	$(E) "  CC    $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# lodger as the library carries it: without what only a debugger wants.
$(BUILD)/vmm/machine/lodger.stripped: $(BUILD)/lodger.elf
	$(Q)mkdir -p $(@D)
	$(Q)objcopy --strip-debug $< $@

$(BUILD)/vmm/machine/images.o: vmm/machine/images.S $(BUILD)/vmm/machine/lodger.stripped $(BUILD)/latchkey.rom $(FIRMWARE_OBJ)/option.bin
	$(E) "  AS    $<"
	$(Q)$(CC) -fcf-protection=full -DLODGER_ELF=$(BUILD)/vmm/machine/lodger.stripped -DLATCHKEY_ROM=$(BUILD)/latchkey.rom \
		-DOPTION_ROM=$(FIRMWARE_OBJ)/option.bin -c -o $@ $<

# The names of system calls, for who makes a forbidden one.
CALL_NAMES := $(BUILD)/vmm/sandbox/call_names.h
$(BUILD)/vmm/sandbox/violation.o: $(CALL_NAMES)

$(CALL_NAMES): Makefile
	$(Q)mkdir -p $(@D)
	$(Q)echo '#include <asm/unistd_64.h>' | $(CC) -E -dM - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$$/[\2] = "\1",/p' >$@

$(BUILD)/vmm/cli/completion_scripts.o: vmm/cli/completion_scripts.S vmm/cli/completion.bash vmm/cli/completion.zsh
	$(E) "  AS    $<"
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -fcf-protection=full -c -o $@ $<

-include $(LIB_OBJS:.o=.d) $(CLI_OBJS:.o=.d)

# For editors: one entry a source, with the flags that matter to them.
compile_commands.json: Makefile $(LIB_SRCS) $(CLI_SRCS)
	$(Q)separator='['; for source in $(LIB_SRCS) $(CLI_SRCS); do \
		printf '%s\n{"directory": "%s", "file": "%s", "command": "%s"}' "$$separator" '$(CURDIR)' "$$source" \
			"cc -std=gnu17 -Ivmm -I. -I$(BUILD)/vmm -D_GNU_SOURCE -DLODGE_VERSION=\\\"$(VERSION)\\\" -c $$source"; \
		separator=','; \
	done > $@; printf '\n]\n' >> $@
