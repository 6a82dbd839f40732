# lodger, the guest kernel. Included by the top Makefile, which defines BUILD and Q.
# Linked twice: the first image gives the function names that the second carries for back-traces.
GUEST_CC ?= gcc
GUEST_DIR := guest
GUEST_OBJ := $(BUILD)/guest

GUEST_CFLAGS := -std=gnu17 -O2 -g -ffreestanding -fno-builtin-printf -mgeneral-regs-only -mno-red-zone \
	-fno-pic -fno-pie -mcmodel=small -fno-stack-protector -fno-omit-frame-pointer \
	-fno-optimize-sibling-calls -fcf-protection=none -fno-asynchronous-unwind-tables \
	-Wall -Wextra -Wshadow -Wcast-qual -Wimplicit-fallthrough -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wundef -MMD -MP
GUEST_LDFLAGS := -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
	-Wl,-T,$(GUEST_DIR)/kernel.ld
GUEST_LIBS := -lfdt

GUEST_SRCS := $(wildcard $(GUEST_DIR)/*.c) $(wildcard $(GUEST_DIR)/*.S)
GUEST_OBJS := $(patsubst $(GUEST_DIR)/%,$(GUEST_OBJ)/%.o,$(GUEST_SRCS))

.PHONY: lodger
lodger: $(BUILD)/lodger.elf $(BUILD)/lodger.asm $(BUILD)/lodger.sym

$(GUEST_OBJ)/%.c.o: $(GUEST_DIR)/%.c $(GUEST_DIR)/guest.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) -c $< -o $@

$(GUEST_OBJ)/%.S.o: $(GUEST_DIR)/%.S $(GUEST_DIR)/guest.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) -c $< -o $@

$(GUEST_OBJ)/nosyms.S:
	$(Q)mkdir -p $(@D)
	$(Q)printf '.section .ksyms,"a"\n.globl ksyms,ksyms_end\nksyms:\nksyms_end:\n.section .note.GNU-stack,"",@progbits\n' >$@

$(GUEST_OBJ)/first.elf: $(GUEST_OBJS) $(GUEST_OBJ)/nosyms.S.o $(GUEST_DIR)/kernel.ld
	$(Q)$(GUEST_CC) $(GUEST_LDFLAGS) $(filter %.o,$^) $(GUEST_LIBS) -o $@

$(GUEST_OBJ)/ksyms.S: $(GUEST_OBJ)/first.elf
	$(Q)nm -n $< | awk ' \
		BEGIN { print ".section .ksyms,\"a\"\n.balign 8\n.globl ksyms,ksyms_end\nksyms:" } \
		$$2 ~ /^[tT]$$/ { n++; print ".quad 0x" $$1 ", ksym" n; name[n] = $$3 } \
		END { print "ksyms_end:"; for (i = 1; i <= n; i++) print "ksym" i ": .asciz \"" name[i] "\""; \
			print ".section .note.GNU-stack,\"\",@progbits" }' >$@

$(GUEST_OBJ)/%.S.o: $(GUEST_OBJ)/%.S
	$(Q)$(GUEST_CC) $(GUEST_CFLAGS) -c $< -o $@

$(BUILD)/lodger.elf: $(GUEST_OBJS) $(GUEST_OBJ)/ksyms.S.o $(GUEST_DIR)/kernel.ld
	$(Q)$(GUEST_CC) $(GUEST_LDFLAGS) $(filter %.o,$^) $(GUEST_LIBS) -o $@

$(BUILD)/lodger.asm: $(BUILD)/lodger.elf
	$(Q)objdump -d $< >$@

$(BUILD)/lodger.sym: $(BUILD)/lodger.elf
	$(Q)nm -n $< >$@

-include $(patsubst %.o,%.d,$(GUEST_OBJS))
