# Faults of the host, injected by link-time wrappers (tests/faults/README.md):
#
#   build/tests/check-faults   the tests, and the library as its embedders have it; a part of check-vm
#   build/tests/lodge-faults   the command, whose faults $LODGE_FAULTS plans

FAULT_SHIM  := $(addprefix $(BUILD)/tests/faults/,fault.o wrap.o wrap_uring.o)
FAULT_OBJS  := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/faults/*.c))
FAULT_CALLS := $(shell sed -n 's/^CALL(\(.*\))$$/\1/p' tests/faults/calls.def)
FAULT_WRAP  := $(FAULT_CALLS:%=-Wl,--wrap=%)

$(FAULT_OBJS): CFLAGS_ALL += $(TEST_CFLAGS)

$(BUILD)/tests/check-faults: $(FAULT_OBJS) $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/lib/*.c)) $(BUILD)/liblodge.a
	$(E) "  LINK  $@"
	$(Q)$(CC) $(LDFLAGS_ALL) $(FAULT_WRAP) -o $@ $^ $(LIBS) $(TEST_LIBS)

$(BUILD)/tests/lodge-faults: $(CLI_OBJS) $(filter $(BUILD)/vmm/util/%,$(LIB_OBJS)) $(FAULT_SHIM) $(BUILD)/liblodge.a
	$(E) "  LINK  $@"
	$(Q)$(CC) $(STATIC) $(LDFLAGS_ALL) $(FAULT_WRAP) -o $@ $^ $(LIBS) $(CLI_LIBS)

.PHONY: check-faults
check-faults: $(BUILD)/tests/check-faults $(BUILD)/tests/lodge-faults $(BUILD)/lodger.elf
	$(Q)LODGE=$(BUILD)/tests/lodge-faults LODGER=$(BUILD)/lodger.elf $< || [ $$? = 77 ]
# What fails is one call at a time, about which ThreadSanitizer has nothing to say; and it needs more of the host than is left.
check-vm: $(if $(filter tsan,$(FLAVOR)),,check-faults)

-include $(FAULT_OBJS:.o=.d)
