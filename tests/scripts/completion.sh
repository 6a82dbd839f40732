#!/bin/bash
# Completion, in real shells: of all commands and options that lodge's help names, of values, files and guests.
# lodge is a function here that tells its arguments, and knows of two guests.
set -u
cd "$(dirname "$0")/../.." || exit

lodge=$PWD/${LODGE:-build/lodge}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
checks=0
failures=0

# is WHAT GOT WANTED
is()
{
	checks=$((checks + 1))
	[ "$2" = "$3" ] && return
	failures=$((failures + 1))
	printf 'tests/scripts/completion.sh: %s: got:\n%s\n--- wanted:\n%s\n' "$1" "$2" "$3"
}

"$lodge" completion bash >"$dir/bash" && "$lodge" completion zsh >"$dir/_lodge" || exit 1
cat >"$dir/lodge" <<'END'
lodge()
{
	if [ "$*" = "list --names" ]; then printf '%s\n' lodger-1 web.2; return; fi
	printf '<%s>' "$@"
	echo
}
END

# offers LINE: what bash is given at its end, in one line; "FILES" where it is to look for files itself.
offers()
(
	# shellcheck disable=SC1091
	source "$dir/lodge"
	# shellcheck disable=SC1091
	source "$dir/bash"
	files=
	# shellcheck disable=SC2317
	compopt() { [ "$2" != default ] || files=" FILES"; }
	# As readline splits it.
	COMP_LINE=$1 COMP_POINT=${#1}
	read -ra COMP_WORDS <<<"${1//=/ = }"
	case $1 in *' ') COMP_WORDS+=('') ;; esac
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
	_lodge lodge "" ""
	files=${COMPREPLY[*]}$files
	echo "${files# }"
)

commands=$("$lodge" help | sed -n 's/^  \([a-z]*\) .*/\1/p')
is "lodge " "$(offers "lodge ")" "${commands//$'\n'/ } --help --version"
is "zsh's commands" "$(sed -n "/^_lodge_commands/,/^)/s/^\t'\([a-z]*\):.*/\1/p" "$dir/_lodge")" "$commands"
for command in $commands; do
	options=$("$lodge" "$command" --help | sed -nE 's/^  (-.|  ),?  *--([a-z-]*).*/\1\n--\2/p' | grep -o '[^ ]*' | sort)
	is "lodge $command -" "$(offers "lodge $command -" | tr ' ' '\n' | sort)" "$options"
	is "zsh's options of $command" "$(sed -n "/^\t($command)/,/;;/s/^\t\t\t'[*]'[{]*\([^'[]*\).*/\1/p" "$dir/_lodge" |
		grep -oE -- '-(-[a-z-]*|[^-])' | sort)" "$options"
done
[ "$(echo "$commands" | wc -l)" -gt 5 ] || is "the commands in lodge help" "$commands" "more"

is "lodge set NAME " "$(offers "lodge set web.2 " | tr ' ' '\n')" \
	"$("$lodge" set --help | sed -nE 's/^  ([a-z-]+=).*/\1/p')"

while IFS='|' read -r line wanted; do
	is "$line" "$(offers "$line")" "$wanted"
done <<'END'
lodge pau|pause
lodge nothing |
lodge run |FILES
lodge run kernel |
lodge run --on-r|--on-reset
lodge run --on-reset |exit restart
lodge run --on-reset=|exit restart
lodge run --on-reset=r|restart
lodge run --on-reset exit |FILES
lodge run -m 1G --pit k.elf |
lodge run -m |
lodge run -- -|FILES
lodge run -- kernel -|
lodge run --initrd x|FILES
lodge run --initrd=x|FILES
lodge run --append x |FILES
lodge run --console |stdio none file= pty socket=
lodge run --console s|stdio socket=
lodge run --disk-rate |requests=
lodge run --gdb |unix: tcp:127.0.0.1:
lodge run --gdb=t|tcp:127.0.0.1:
lodge run --gdb unix:|
lodge run --console file=|FILES
lodge run --console=file=x|FILES
lodge run --disk |path= ro serial= direct poll=off aio=
lodge run --disk path=a|FILES
lodge run --disk path=a,s|a,serial=
lodge run --disk=path=a,ro,d|a,ro,direct
lodge run --disk path=a,serial=|
lodge run --trace |pio mmio irq virtio exit all
lodge run --trace pio,v|pio,virtio
lodge attach |lodger-1 web.2
lodge attach lodger-1 |
lodge stop w|web.2
lodge stop --grace 3 lodger-1 |lodger-1 web.2
lodge list |
lodge completion |bash zsh
END
# types SHELL LINE...: what the shell's commands print when the lines are typed on a terminal.
types()
{
	case $1 in
	bash) set -- "bash --norc --noprofile -i" "source $dir/bash" "${@:2}" ;;
	zsh) set -- "zsh -f -i" "fpath=($dir \$fpath); autoload -U compinit; compinit -D -u" "${@:2}" ;;
	esac
	printf '%s\n' "${@:2}" exit |
		(cd "$dir/files" && TERM=dumb timeout 60 script -qec "$1" /dev/null) | tr -d '\r' | grep '^<'
}

mkdir "$dir/files"
echo >"$dir/files/a file.elf"
echo >"$dir/files/disk.img"
tab=$'\t'
for shell in bash zsh; do
	if ! command -v $shell >/dev/null || ! script -qec true /dev/null >/dev/null 2>&1; then
		echo "SKIPPED: completion in $shell: there is no $shell, no script(1), or no pty to be had"
		continue
	fi
	is "typed in $shell" "$(types $shell "source $dir/lodge" \
		"lodge run a${tab}-v" \
		"lodge run --report=a${tab}" \
		"lodge run --disk path=d${tab}" \
		"lodge run --console file=a${tab}" \
		"lodge run --verb${tab} --on-reset r${tab} disk.img" \
		"lodge run --disk path=disk.img,r${tab}" \
		"lodge pau${tab}w${tab}")" \
		"<run><a file.elf><-v>
<run><--report=a file.elf>
<run><--disk><path=disk.img>
<run><--console><file=a file.elf>
<run><--verbose><--on-reset><restart><disk.img>
<run><--disk><path=disk.img,ro>
<pause><web.2>"
done

echo "completion.sh: $checks checks, $failures failures"
exit $((failures != 0))
