#!/bin/bash
# scripts/check-hardening, on programs and objects that lack one thing each: it says so, and nothing else.
set -eu
cd "$(dirname "$0")/../.."

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
checks=0
failures=0

# A function with a buffer to protect, a copy to check, and a frame of more than a page to probe.
cat >"$dir/x.c" <<'END'
#include <string.h>
char *volatile from = "text";
int main(int argc, char **argv)
{
	char to[8000];

	(void)argv;
	strcpy(to, from);
	return to[argc] == 'x';
}
END
compile="-O2 -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3"
link="-pie -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code"

# expect FILE TEXT: TEXT is what the check says of the file, or nothing, but for the note on CET.
expect()
{
	local got status=0 want_status=$((${#2} > 0))

	got=$(scripts/check-hardening "$1" 2>&1) || status=$?
	got=$(grep -v 'not for CET, for a library' <<<"$got" | sed "s|^$1: ||; s|:  .*||" || :)
	checks=$((checks + 1))
	if [ "$got" != "$2" ] || [ $status != $want_status ]; then
		failures=$((failures + 1))
		printf 'tests/scripts/hardening.sh: status %s, "%s", not "%s"\n' $status "$got" "$2"
	fi
}

# objects TEXT FLAG..., program TEXT FLAG...: built as lodge is, but for the last flags.
objects()
{
	# shellcheck disable=SC2086 # lists of words
	gcc $compile "${@:2}" -w -c -o "$dir/x.o" "$dir/x.c"
	expect "$dir/x.o" "$1"
}

program()
{
	# shellcheck disable=SC2086 # lists of words
	gcc $compile $link "${@:2}" -w -o "$dir/x" "$dir/x.c" 2>"$dir/messages" || cat "$dir/messages"
	expect "$dir/x" "$1"
}

objects ""
objects "no stack protector" -fno-stack-protector
objects "no FORTIFY" -U_FORTIFY_SOURCE
objects "no stack probes (-fstack-clash-protection)" -fno-stack-clash-protection
objects "not for CET: no IBT, SHSTK among its properties" -fcf-protection=none

program ""
program "not position-independent (PIE)" -fno-pie -no-pie
program "no RELRO segment" -Wl,-z,norelro
program "relocations wait for their first use (not -z now)" -Wl,-z,lazy
program "its stack is executable, or nobody says that it is not" -Wl,-z,execstack
program "its headers and constants are executable (not -z separate-code)" -Wl,-z,noseparate-code
cat >"$dir/text.S" <<'END'
	.text
	.quad main
	.section .note.GNU-stack, "", @progbits
END
program "relocations in its code" "$dir/text.S" -Wl,-z,notext
cat >"$dir/rwx.S" <<'END'
	.section .rwx, "awx", @progbits
	.byte 0
	.section .note.GNU-stack, "", @progbits
END
program "memory both to write and to execute" "$dir/rwx.S"
expect "$dir/x.c" "neither a program nor objects"
expect "$dir/none" "neither a program nor objects"

echo "$((100 * (checks - failures) / checks))%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures = 0 ]
