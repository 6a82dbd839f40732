# latchkey, the firmware: a ROM of 64 KiB. Included by the top Makefile, which defines BUILD and Q.
FIRMWARE_CC  ?= $(GUEST_CC)
FIRMWARE_DIR := firmware
FIRMWARE_OBJ := $(BUILD)/firmware

# 32-bit code for any x86-64 CPU; no SSE or x87, as in guest/guest.mk.
FIRMWARE_CFLAGS := -std=gnu17 -m32 -march=i686 -Os -g -ffreestanding -fno-builtin -mgeneral-regs-only \
	-fno-pic -fno-pie -fno-stack-protector -fno-omit-frame-pointer -fcf-protection=none \
	-fno-asynchronous-unwind-tables -I$(FIRMWARE_DIR) \
	-Wall -Wextra -Wshadow -Wcast-qual -Wimplicit-fallthrough -Wmissing-prototypes \
	-Wstrict-prototypes -Wvla -Wundef -MMD -MP
FIRMWARE_LDFLAGS := -m elf_i386 -nostdlib -static --build-id=none --no-warn-rwx-segments -T $(FIRMWARE_DIR)/rom.ld

FIRMWARE_SRCS := $(wildcard $(FIRMWARE_DIR)/*.[cS] $(FIRMWARE_DIR)/bios/*.[cS])
FIRMWARE_OBJS := $(patsubst $(FIRMWARE_DIR)/%,$(FIRMWARE_OBJ)/%.o,$(FIRMWARE_SRCS))

.PHONY: latchkey
latchkey: $(BUILD)/latchkey.rom $(BUILD)/latchkey.elf $(BUILD)/latchkey.asm $(BUILD)/latchkey.sym

$(FIRMWARE_OBJ)/%.o: $(FIRMWARE_DIR)/% $(FIRMWARE_DIR)/firmware.mk
	$(Q)mkdir -p $(@D)
	$(Q)$(FIRMWARE_CC) $(FIRMWARE_CFLAGS) -c $< -o $@

$(BUILD)/latchkey.elf: $(FIRMWARE_OBJS) $(FIRMWARE_DIR)/rom.ld
	$(Q)$(LD) $(FIRMWARE_LDFLAGS) $(FIRMWARE_OBJS) -o $@

$(BUILD)/latchkey.rom: $(BUILD)/latchkey.elf
	$(Q)objcopy -O binary --gap-fill 0xff $< $@

# What SeaBIOS boots: the way to a kernel alone. All its bytes add up to 0; the checksum is at 0x1c.
OPTION_OBJS := $(addprefix $(FIRMWARE_OBJ)/,option/option.S.o option/main.c.o reset.S.o boot_kernel.c.o enter.S.o fwcfg.c.o print.c.o)

$(FIRMWARE_OBJ)/option.elf: $(OPTION_OBJS) $(FIRMWARE_DIR)/option/option.ld
	$(Q)$(LD) -m elf_i386 -nostdlib -static --build-id=none --no-warn-rwx-segments -T $(FIRMWARE_DIR)/option/option.ld $(OPTION_OBJS) -o $@

$(FIRMWARE_OBJ)/option.bin: $(FIRMWARE_OBJ)/option.elf
	$(Q)objcopy -O binary $< $@
	$(Q)sum=$$(od -An -v -tu1 -w1 $@ | awk '{ sum += $$1 } END { printf "\\%03o", (256 - sum % 256) % 256 }'); \
		printf "$$sum" | dd of=$@ bs=1 seek=28 conv=notrunc status=none

# The 16-bit parts apart, by their own rules.
$(BUILD)/latchkey.asm: $(BUILD)/latchkey.elf
	$(Q)objdump -d -j .text $< >$@
	$(Q)objdump -d -m i8086 -j .text16 -j .reset $< >>$@

$(BUILD)/latchkey.sym: $(BUILD)/latchkey.elf
	$(Q)nm -n $< >$@

-include $(FIRMWARE_OBJS:.o=.d) $(OPTION_OBJS:.o=.d)
