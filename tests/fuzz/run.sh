#!/bin/bash
# What make fuzz does once the targets are built: runs each for so many seconds, and says what came of it.
#
#   tests/fuzz/run.sh --check           what clang needs is there
#   tests/fuzz/run.sh --merge NAME      takes what was found into the committed corpus
#   tests/fuzz/run.sh SECONDS NAME...   by build/fuzz/tests/fuzz/NAME, and build/cov/tests/fuzz/NAME for the coverage
#
# FUZZ_ARGS: more options for libFuzzer.
set -euo pipefail
cd "$(dirname "$0")/../.."

# What a guest, an image or a client reaches. The rest of these folders is the host's side.
faced="vmm/virtio/*.c vmm/devices/*.c vmm/bus/*.c vmm/memory/guest_memory.c vmm/machine/board.c vmm/machine/boot.c
	vmm/machine/firmware.c vmm/machine/firmware_files.c vmm/loader/*.c vmm/x86/boot_params.c vmm/x86/multiboot.c vmm/x86/pvh.c
	vmm/gdb/packet.c vmm/gdb/registers.c vmm/gdb/session.c vmm/control/protocol.c vmm/control/client.c vmm/cli/top_table.c vmm/cli/options.c
	vmm/cli/run_options.c vmm/cli/disk_options.c vmm/cli/limits.c vmm/cli/user.c vmm/util/size.c"

fail()
{
	echo "fuzz: $1" >&2
	exit 1
}

check()
{
	local runtime tool

	command -v clang >/dev/null || fail "there is no clang: scripts/install-deps --fuzz"
	runtime=$(clang -print-runtime-dir 2>/dev/null)
	[ -e "$runtime/libclang_rt.fuzzer-$(uname -m).a" ] || [ -e "$runtime/libclang_rt.fuzzer.a" ] ||
		fail "clang has no libFuzzer ($runtime): scripts/install-deps --fuzz (the package libclang-rt-dev)"
	for tool in llvm-profdata llvm-cov; do
		command -v $tool >/dev/null || fail "there is no $tool: scripts/install-deps --fuzz (the package llvm)"
	done
}

# stat LOG NAME: one of libFuzzer's final numbers.
stat()
{
	sed -n "s/^stat::$2: *//p" "$1" | tail -n 1
}

# run NAME: fuzzes it, and prints its line of the table.
run()
{
	local name=$1 corpus=build/fuzz/corpus/$1 crashes=build/fuzz/crashes/$1 log=build/fuzz/$1.log status=0 verdict=ok

	mkdir -p "$corpus" "$crashes"
	# What was found goes into the first folder; the committed ones are only read.
	# shellcheck disable=SC2086 # options
	build/fuzz/tests/fuzz/"$name" -max_total_time="$seconds" -max_len=4096 -timeout=20 -print_final_stats=1 \
		-artifact_prefix="$crashes/" ${FUZZ_ARGS-} "$corpus" "tests/fuzz/corpus/$name" >"$log" 2>&1 || status=$?
	if [ $status != 0 ]; then
		verdict="FAILED: $crashes/, $log"
		failed=1
	fi
	printf '%-14s %12s %10s %8s   %s\n' "$name" "$(stat "$log" number_of_executed_units)" \
		"$(stat "$log" average_exec_per_sec)" "$(find "$corpus" -type f | wc -l)" "$verdict"
}

# Which lines of the guest-facing files the inputs reach, those found included.
coverage()
{
	local name objects=() profile=build/cov/fuzz.profdata

	rm -f build/cov/*.profraw
	for name; do
		LLVM_PROFILE_FILE="build/cov/$name-%p.profraw" build/cov/tests/fuzz/"$name" \
			"tests/fuzz/corpus/$name" "build/fuzz/corpus/$name" >"build/cov/$name.log" 2>&1 ||
			echo "fuzz: $name: inputs that fail count for nothing here: build/cov/$name.log"
		objects+=(--object "build/cov/tests/fuzz/$name")
	done
	llvm-profdata merge -o $profile build/cov/*.profraw
	# shellcheck disable=SC2086 # a list of files
	llvm-cov report "${objects[@]:1}" -instr-profile=$profile $faced >build/cov/report.txt
	# Of its columns: the file, its lines, those missed, and how much that leaves.
	awk '/^-+$/ { rows = !rows; next } /^TOTAL/ || (rows && NF > 9) { printf "%-40s %6s %6s %8s\n", $1, $8, $9, $10 }' \
		build/cov/report.txt
}

case ${1-} in
--check)
	check
	exit
	;;
--merge)
	exec build/fuzz/tests/fuzz/"$2" -set_cover_merge=1 -use_counters=0 "tests/fuzz/corpus/$2" "build/fuzz/corpus/$2"
	;;
esac
seconds=$1
shift
failed=0
printf '%-14s %12s %10s %8s\n' target executions a-second found
for name; do
	[ -d "tests/fuzz/corpus/$name" ] || fail "there is no target '$name'"
	run "$name"
done
printf '\n%-40s %6s %6s %8s\n' "lines reached" all missed reached
coverage "$@"
echo "all of it: build/cov/report.txt; line by line: llvm-cov show, as in tests/fuzz/README.md"
exit $failed
