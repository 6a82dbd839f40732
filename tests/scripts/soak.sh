#!/bin/bash
# scripts/soak: a short one, from a fixed seed; and one that has to notice what it is there for, with something before lodge that
# leaves things behind and has another status. LODGE, MINUTES and SEED choose others.
# shellcheck disable=SC2016 # expanded by what stands before lodge
set -eu
cd "$(dirname "$0")/../.."

: 2>/dev/null <>/dev/kvm || {
	echo "SKIPPED: all of tests/scripts/soak.sh: /dev/kvm cannot be opened"
	exit 77
}
lodge=$(realpath "${LODGE:-build/lodge}")
dir=$(mktemp -d)
build=$dir/$(basename "$(dirname "$lodge")")
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tmp"
checks=0
failures=0

check()
{
	local what=$1

	shift
	checks=$((checks + 1))
	"$@" && return
	failures=$((failures + 1))
	echo "tests/scripts/soak.sh: $what; it wrote:"
	cat "$dir/out"
}

# soak MINUTES JOBS: sets status.
soak()
{
	status=0
	TMPDIR=$dir/tmp scripts/soak --minutes "$1" --jobs "$2" --seed "${SEED:-5}" --build "$build" --out "$dir/logs" >"$dir/out" 2>&1 </dev/null || status=$?
	rm -rf "$dir/logs"
}

# with COMMANDS: lodge does this first.
with()
{
	mkdir -p "$build"
	printf '#!/bin/bash\n%s\nexec %s "$@"\n' "$1" "$lodge" >"$build/lodge"
	chmod +x "$build/lodge"
}

with :
soak "${MINUTES:-0.1}" 2
check "status $status, expected 0" [ $status = 0 ]
check "nothing happened" grep -qE '^guests: [1-9]' "$dir/out"
check "no seed to do it again" grep -q -- "--seed ${SEED:-5}, " "$dir/out"
check "its folder is left" [ -z "$(ls "$dir/tmp")" ]

# Without guests but the one that lives through it: what is asked last connects for good, what is to stop it leaves things behind.
with 'case $* in
stats*) [ ! -e "$SOAK_DIR/asked" ] || for i in 1 2; do (exec 2>/dev/null; sleep 97 | LODGE attach steady >/dev/null) & sleep 0.5; done
	: >"$SOAK_DIR/asked" ;;
stop*) : >"$TMPDIR/left"; sleep 98 & flock "$SOAK_DIR/disks/steady" sleep 99 & sleep 0.5; exit 9 ;;
esac'
sed -i "s|LODGE attach|$lodge attach|" "$build/lodge"
soak 0 1
check "status $status, expected 1" [ $status = 1 ]
check "a file is not noticed" grep -q "files are left: .*/tmp/left" "$dir/out"
check "a process is not noticed" grep -q "is left: sleep 98" "$dir/out"
check "a lock is not noticed" grep -q "disks/steady is locked" "$dir/out"
check "a status is not noticed" grep -q "lodge stop --now steady: status 9, not 0" "$dir/out"
check "descriptors are not noticed" grep -q "steady: [0-9]* descriptors, and [0-9]* in the beginning" "$dir/out"
check "its folder is left" [ -z "$(ls "$dir/tmp")" ]
check "a process outlives it" [ -z "$(grep -l "SOAK_DIR=$dir" /proc/[0-9]*/environ 2>/dev/null)" ]

echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures = 0 ]
