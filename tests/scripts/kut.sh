#!/bin/sh
# scripts/kut, with a lodge that only pretends: what it makes of reports, and of a unittests.cfg.
set -eu
cd "$(dirname "$0")/../.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
checks=0
failures=0

# The image's own text is the report that lodge shall have written, then what the guest shall have printed.
cat >"$dir/lodge" <<'END'
#!/bin/sh
echo "$@" >>"${0%/*}/calls"
while [ $# != 1 ]; do
	[ "$1" != --report ] || report=$2
	shift
done
[ ! -s "$1" ] || sed '/^}/q' "$1" >"$report"
sed '1,/^}/d' "$1"
END
chmod +x "$dir/lodge"

# image NAME OUTCOME CODE MESSAGE OUTPUT
image()
{
	printf '{\n  "outcome": "%s",\n  "status": 1,\n  "guest_code": %s,\n  "message": "%s",\n  "x": {\n    "outcome": 9\n  }\n}\n%b' \
		"$2" "$3" "$4" "$5" >"$dir/images/$1.flat"
}

# expect STATUS TEXT ARGUMENT...: text is all of stdout and stderr, without the closing line of totals.
expect()
{
	status=0
	got=$(LODGE=$dir/lodge scripts/kut --logs "$dir/logs" "$@" 2>&1) || status=$?
	checks=$((checks + 1))
	if [ "$status" != "$want_status" ] || [ "$got" != "$want" ]; then
		failures=$((failures + 1))
		printf 'tests/scripts/kut.sh: scripts/kut %s: status %s, not %s:\n%s\n--- wanted:\n%s\n' \
			"$*" "$status" "$want_status" "$got" "$want"
	fi
}

mkdir "$dir/images"
image pass guest-exit 1 "" 'PASS: a\r\nSUMMARY: 3 tests, 1 skipped\r\n'
image plain guest-exit 1 "" 'no summary\n'
image skip guest-exit 77 "" 'SKIP: no TSX here\r\nSUMMARY: 1 tests, 1 skipped\n'
image fail guest-exit 3 "" 'FAIL: b\nSUMMARY: 4 tests, 1 unexpected failures\n'
image code guest-exit 9 "" ''
image abort guest-exit 127 "" 'Unhandled exception 6 #UD at ip 1\nmore\n'
image assert guest-exit 127 "" 'x86/s3.c:37: assert failed: facs\n'
image timeout timeout null "the guest was stopped after 5.000 seconds" ''
image triple triple-fault null "triple fault on CPU 0, at rip 0x10" ''
image off poweroff null "" ''
: >"$dir/images/none.flat"
: >"$dir/images/no.elf"

want_status=1
want='FAIL abort (aborted: Unhandled exception 6 #UD at ip 1)
FAIL assert (aborted: x86/s3.c:37: assert failed: facs)
FAIL code (exit code 4)
FAIL fail (4 tests, 1 unexpected failures)
FAIL none (lodge gave no report)
FAIL off (poweroff)
PASS pass (3 tests, 1 skipped)
PASS plain
SKIP skip (no TSX here)
FAIL timeout (no end within 5 s)
FAIL triple (triple fault on CPU 0, at rip 0x10)
11 tests: 2 passed, 8 failed, 1 skipped'
expect --timeout 5 "$dir/images"

want_status=0
want='PASS pass (3 tests, 1 skipped)
SKIP skip (no TSX here)
2 tests: 1 passed, 0 failed, 1 skipped'
expect "$dir/images" skip pass

cat >"$dir/cfg" <<'END'
# file = comment.flat
[first]
file = pass.flat
smp = 3
test_args = 'one two'
qemu_params = -cpu max,+svm -m 2048 -overcommit cpu-pm=on
timeout = 30

[again]
file = pass.flat
test_args="-a x* `date`"
extra_params = -m 4g -machine pit=off

[default]
file = plain.flat
[hidden]
file = pass.flat
groups = vmx nodefault
[old]
file = pass.flat
arch = i386
[slow]
file = pass.flat
accel = tcg
[device]
file = pass.flat
qemu_params = -cpu max -device edu
[host]
file = pass.flat
check = /dev/null= /dev/null=Y
[absent]
file = absent.flat
[last]
file = fail.flat
END
: >"$dir/calls"
want_status=1
want='PASS first (3 tests, 1 skipped)
PASS again (3 tests, 1 skipped)
PASS default
SKIP hidden (runs only when named)
SKIP old (for i386)
SKIP slow (for tcg)
SKIP device (wants -device edu)
SKIP host (wants /dev/null=Y)
SKIP absent (absent.flat was not built)
FAIL last (4 tests, 1 unexpected failures)
10 tests: 3 passed, 1 failed, 6 skipped'
expect --cfg "$dir/cfg" "$dir/images"

head='run --debug-exit qemu --device pc-testdev --timeout'
got=$(sed "s|$dir/||g" "$dir/calls")
want="$head 30 --report logs/first.json -c 3 -m 2048M --append one two images/pass.flat
$head 90 --report logs/again.json -c 1 -m 4G --append -a x* \`date\` images/pass.flat
$head 90 --report logs/default.json -c 1 -m 128M --append  images/plain.flat
$head 90 --report logs/last.json -c 1 -m 128M --append  images/fail.flat"
checks=$((checks + 1))
if [ "$got" != "$want" ]; then
	failures=$((failures + 1))
	printf 'tests/scripts/kut.sh: lodge was called as\n%s\n--- wanted:\n%s\n' "$got" "$want"
fi

want_status=0
want='PASS hidden (3 tests, 1 skipped)
1 tests: 1 passed, 0 failed, 0 skipped'
expect --cfg "$dir/cfg" "$dir/images" hidden

want_status=100
want="kut: no folder given; see scripts/kut --help"
expect
want="kut: $dir/none: no such folder; see scripts/kut --help"
expect "$dir/none"
want="kut: --timeout wants a whole number of seconds; see scripts/kut --help"
expect --timeout 1.5 "$dir/images"
want="kut: --nothing: no such option; see scripts/kut --help"
expect --nothing "$dir/images"
want="kut: $dir/logs: nothing to run; see scripts/kut --help"
expect "$dir/logs"
want="kut: $dir/none: no such file; see scripts/kut --help"
expect --cfg "$dir/none" "$dir/images"
want="kut: nosuch: no such test; see scripts/kut --help"
expect "$dir/images" nosuch

echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures = 0 ]
