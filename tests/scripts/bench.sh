#!/bin/bash
# scripts/bench, without its numbers: what it writes, what it tells of what is missing or broken, and that it leaves nothing
# behind. tests/scripts/bench.sh: with a lodge that only pretends; with --kvm: one small round of each bench on this host.
# shellcheck disable=SC2317 # check() calls what it is given
set -eu
cd "$(dirname "$0")/../.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
checks=0
failures=0

# check WHAT COMMAND...: the command says whether it is so.
check()
{
	local what=$1

	shift
	checks=$((checks + 1))
	"$@" && return
	failures=$((failures + 1))
	echo "tests/scripts/bench.sh: $what; it wrote:"
	cat "$dir/messages"
	[ ! -e "$dir/out/table.md" ] || cat "$dir/out/table.md"
}

# bench ARGUMENT...: sets status.
bench()
{
	status=0
	scripts/bench "$@" --out "$dir/out" >"$dir/stdout" 2>"$dir/messages" </dev/null || status=$?
}

told()
{
	grep -qF -- "$1" "$dir/messages"
}

in_table()
{
	grep -qE -- "$1" "$dir/out/table.md"
}

# figures BENCH: their names.
figures()
{
	sed -n "s|^\($1/[^ ]*\) .*|\1|p" tests/bench/figures
}

# Each of its figures has a row, and a value of lodge's.
measured()
{
	local figure

	for figure in $(figures "$1"); do
		# A difference of two may be below 0 where others use the machine, too.
		in_table "^\| .$figure. \| .* \| -?[0-9.]+ [^|]+ \|" || return
	done
}

# Dead, though maybe not yet reaped by who has inherited it.
is_dead()
{
	! grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null
}

finish()
{
	echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
	[ $failures = 0 ]
	exit
}

if [ "${1-}" = --kvm ]; then
	: <>/dev/kvm || {
		echo "SKIPPED: all of tests/scripts/bench.sh --kvm: /dev/kvm cannot be opened"
		exit 77
	}
	bench --smoke --only start,guests,exits,console,memory,idle
	check "status $status, expected 0" [ $status = 0 ]
	for name in start guests exits console memory idle; do
		check "a figure of $name is missing" measured $name
	done
	check "the bare VMM is missing" in_table "start/exit.*\| bare: [0-9.]+ ms \| [0-9.]+ \| at most 1.50: "
	check "nothing was left of a sample's processes" [ ! -e "$dir/out/work" ]
	! command -v gnuplot >/dev/null || check "no plot" grep -q '<svg' "$dir/out/plot.svg"
	finish
fi

# One prints what the bench of the console expects, one is a guest that never has a prompt.
cat >"$dir/lodge" <<END
#!/bin/sh
case \$* in
version) echo "lodge 9.9" ;;
*burst.elf*) head -c 65536 /dev/zero ;;
esac
END
cat >"$dir/hangs" <<END
#!/bin/sh
[ "\$1" = run ] || exit
echo \$\$ >>$dir/pids
exec sleep 100
END
chmod +x "$dir/lodge" "$dir/hangs"
export QEMU=$dir/no-qemu FIO=$dir/no-fio GNUPLOT=$dir/no-gnuplot

bench --only nosuch
check "status $status for an unknown bench" [ $status = 100 ]
check "an unknown bench is not told" told "nosuch: no such bench"
bench --nothing
check "status $status for an unknown option" [ $status = 100 ]
check "help is missing" grep -q -- --full <(scripts/bench --help)
check "the list is missing figures" [ "$(scripts/bench --list | grep -c '^  ')" = "$(figures '[a-z-]*' | wc -l)" ]

LODGE=$dir/lodge bench --smoke --only console
check "status $status, expected 0" [ $status = 0 ]
check "a figure of the console is missing" measured console
check "absent QEMU is not told" told "console: qemu-microvm is left out: $dir/no-qemu is not installed"
check "absent QEMU is not in the table" in_table "console/writes.*qemu-microvm: not measured: .* is not installed"
check "absent gnuplot is not told" told "no plot: $dir/no-gnuplot is not installed"
check "absent gnuplot is not in the table" in_table "^No plot: "
check "lodge's version is missing" in_table "^- lodge: lodge 9.9"
check "no JSON" grep -q '"format": 1' "$dir/out/bench.json"
check "raw samples are missing" grep -q '^sample console/writes lodge [0-9]' "$dir/out/bench.samples"
check "its work is still there" [ ! -e "$dir/out/work" ]

sed 's/^None yet.*/the last table/' docs/performance.md >"$dir/doc"
echo "the last table" >>"$dir/doc"
LODGE=$dir/lodge bench --smoke --only console --update-doc "$dir/doc"
check "the document has no table" grep -q 'console/writes.*write' "$dir/doc"
check "the document lost its text" grep -q '^## What is not measured' "$dir/doc"
check "the last table is still there" [ "$(grep -c 'the last table$' "$dir/doc")" = 0 ]
bench --smoke --only console --update-doc README.md
check "status $status for a document without a mark" [ $status = 100 ]

bench --smoke --only blk
check "status $status without fio" [ $status = 0 ]
check "absent fio is not told" told "blk: fio is left out"
check "rows are missing" [ "$(grep -c '^| .blk/.*fio: not measured' "$dir/out/table.md")" = "$(figures blk | wc -l)" ]

LODGE=/bin/false bench --smoke --only console
check "status $status of a bench that fails" [ $status = 1 ]
check "it is not told who failed" told "console: lodge FAILED"
check "it is not told what failed" told "bench: FAILED: console"
check "the failure is not in the table" in_table "console/writes.*\| failed: "

# Stopped, as by Ctrl-C.
LODGE=$dir/hangs scripts/bench --smoke --only idle --out "$dir/out" >"$dir/stdout" 2>"$dir/messages" </dev/null &
pid=$!
for _ in $(seq 300); do
	[ ! -s "$dir/pids" ] || break
	sleep 0.1
done
kill -TERM $pid
begin=$SECONDS
status=0
wait $pid || status=$?
sleep 0.2
check "status $status of a bench that was stopped" [ $status = 130 ]
check "it ended late, $((SECONDS - begin)) s after it was stopped" [ $((SECONDS - begin)) -lt 20 ]
check "it started no guest" [ -s "$dir/pids" ]
while read -r guest; do
	check "guest $guest outlives it" is_dead "$guest"
done <"$dir/pids"
check "its work is still there" [ ! -e "$dir/out/work" ]
finish
