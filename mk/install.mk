# make install: the command, the library, its header and its pkg-config file, the manual page, the shells' completion and lodger.

prefix  ?= /usr/local
PREFIX  ?= $(prefix)
DESTDIR ?=
INSTALL ?= install
DEST     = $(DESTDIR)$(PREFIX)

COMPLETION_BASH := share/bash-completion/completions/lodge
COMPLETION_ZSH  := share/zsh/site-functions/_lodge

.PHONY: install uninstall clean FORCE
install: all $(BUILD)/lodge.pc
	$(Q)$(INSTALL) -D -m 755 $(BUILD)/lodge "$(DEST)/bin/lodge"
	$(Q)$(INSTALL) -D -m 644 $(BUILD)/liblodge.a "$(DEST)/lib/liblodge.a"
	$(Q)$(INSTALL) -D -m 644 $(BUILD)/lodge.pc "$(DEST)/lib/pkgconfig/lodge.pc"
	$(Q)$(INSTALL) -D -m 644 vmm/lodge.h "$(DEST)/include/lodge.h"
	$(Q)$(INSTALL) -D -m 644 vmm/lodge_control.h "$(DEST)/include/lodge_control.h"
	$(Q)$(INSTALL) -D -m 644 $(BUILD)/lodger.elf "$(DEST)/share/lodge/lodger.elf"
	$(Q)$(INSTALL) -D -m 644 docs/lodge.1 "$(DEST)/share/man/man1/lodge.1"
	$(Q)$(BUILD)/lodge completion bash | $(INSTALL) -D -m 644 /dev/stdin "$(DEST)/$(COMPLETION_BASH)"
	$(Q)$(BUILD)/lodge completion zsh | $(INSTALL) -D -m 644 /dev/stdin "$(DEST)/$(COMPLETION_ZSH)"

uninstall:
	$(Q)rm -f "$(DEST)/bin/lodge" "$(DEST)/lib/liblodge.a" "$(DEST)/lib/pkgconfig/lodge.pc" \
		"$(DEST)/include/lodge.h" "$(DEST)/include/lodge_control.h" "$(DEST)/share/lodge/lodger.elf" "$(DEST)/share/man/man1/lodge.1" \
		"$(DEST)/$(COMPLETION_BASH)" "$(DEST)/$(COMPLETION_ZSH)"

# The library is static: what it needs is needed by whoever links it. Written anew, for PREFIX may differ.
$(BUILD)/lodge.pc: FORCE
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$${prefix}/include' 'libdir=$${prefix}/lib' '' \
		'Name: lodge' 'Description: Virtual machines on Linux KVM, as a library' \
		'Version: $(VERSION)' 'Requires: $(PKGS)' 'Cflags: -I$${includedir}' \
		'Libs: -L$${libdir} -llodge -lfdt -pthread' >$@

clean:
	$(Q)rm -rf build compile_commands.json
