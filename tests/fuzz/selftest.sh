#!/bin/sh
# Checks that a replay notices what it is there to notice: tests/fuzz/selftest.sh build/asan/tests/fuzz/selftest
set -u

target=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

fail()
{
	echo "FAIL: fuzz selftest: $1" >&2
	failed=1
}

# replay NAME...: inputs of these texts, in a folder.
replay()
{
	rm -rf "$dir/in"
	mkdir "$dir/in"
	for name; do
		printf %s "$name" >"$dir/in/$name"
	done
	timeout 60 "$target" --seconds 2 "$dir/in" >"$dir/log" 2>&1
}

replay good better || fail "it failed on inputs that are fine"
grep -q '2 inputs, 0 failed' "$dir/log" || fail "it does not say how many inputs it ran"

for name in promise overrun undefined guest exit hang; do
	replay "$name" && fail "it did not notice: $name"
	grep -q "FAILED: $dir/in/$name" "$dir/log" || fail "it does not name the input: $name"
done
# A leak shows at the end only, and LeakSanitizer cannot look where it is traced itself.
replay leak && ! grep -q 'LeakSanitizer has encountered a fatal error' "$dir/log" && fail "it did not notice a leak"

replay good overrun promise zzz && fail "it did not notice two of four"
grep -q '4 inputs, 2 failed' "$dir/log" || fail "an input that fails keeps it from the rest"
replay && fail "it takes no inputs at all for a success"
"$target" "$dir/none" 2>"$dir/log" && fail "it takes a folder that is not there for a success"

[ $failed = 0 ] && echo "fuzz selftest: 100%: a replay notices what breaks"
exit $failed
