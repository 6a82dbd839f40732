# shellcheck shell=sh
# A B A B: the one place where contenders take turns. Sourced by scripts/bench, and by what runs in the svm lane.

# progress TEXT: over the line before, where descriptor 3 is a terminal.
progress()
{
	[ ! -t 3 ] || printf '\r\033[Kbench: %s' "$*" >&3
}

# interleave BENCH ROUNDS CONTENDER...: in each round, a sample of each. `sample_BENCH CONTENDER` ("-" in the bench's name is
# "_" there) prints a line "FIGURE VALUE" for all that it has measured; who fails is told of, and has no further turn.
# Prints lines as tests/bench/report.h has them.
interleave()
{
	bench=$1
	rounds=$2
	shift 2
	sampler=sample_$(echo "$bench" | tr - _)
	out_of_turn=
	round=0
	while [ $round -lt "$rounds" ]; do
		round=$((round + 1))
		for contender; do
			progress "$bench: $contender, round $round of $rounds"
			case " $out_of_turn " in
			*" $contender "*) ;;
			*)
				if values=$("$sampler" "$contender"); then
					echo "$values" | sed "s|^\([^ ]*\) |sample $bench/\1 $contender |"
				else
					echo "fail $bench $contender see the messages of round $round"
					out_of_turn="$out_of_turn $contender"
				fi
				;;
			esac
		done
	done
}
