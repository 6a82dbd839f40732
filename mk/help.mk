# make help

define HELP
Usage: make [TARGET]... [VARIABLE=VALUE]...

  all                lodge, liblodge.a, lodger.elf (with .asm and .sym): the default
  check              every test; scripts/check also installs what it needs, and lints
  check-unit         the tests that need no KVM
  check-vm           whole virtual machines; needs /dev/kvm
  check-faults       what becomes of a guest whose host fails; a part of check-vm
  check-linux        stock Linux kernels, and check-vm, on a kvm_amd that QEMU emulates; needs no /dev/kvm
  check-linux-kinds  of the kernels one of each kind, as scripts/check does
  check-linux-smoke  the quickest of these
  check-fuzz         what fuzzing has found so far, with ASan and UBSan; a part of check
  fuzz               libFuzzer on all that a guest, an image or a client controls: FUZZ_SECONDS=60 a target, FUZZ=NAME,...
  fuzz-seeds         the loader's first inputs, anew
  run-gdb            lodger under GDB, with its symbols (docs/gdb.md); RUN='-c 2': options for lodge run
  bench              lodge beside a bare VMM, QEMU and fio: start, exits, console, memory, disk; scripts/bench --help
  bench-linux        in the svm lane: how soon Linux is up, and its disk, beside QEMU (and kvmtool: LKVM=path)
  lint               compilers' warnings, gcc -fanalyzer, clang-tidy, cppcheck, shellcheck, clang-format, our own rules
  format             clang-format all C files in place
  install            into DESTDIR and PREFIX (/usr/local)
  uninstall          remove what install has put there
  clean              remove all that was built
  compile_commands.json   for clangd
  help               this text

  FLAVOR=asan|tsan   with a sanitizer, in build/FLAVOR/
  V=1                show the commands
  CC, OPT, CFLAGS, LDFLAGS, GUEST_CC   as ever
  STATIC=            link the command with shared libraries, where there are no static ones
endef
export HELP

.PHONY: help
help:
	@printf '%s\n' "$$HELP"
