
# Offers what a value can be that the usage calls $1, such as 'exit|restart' or 'path=FILE[,ro]'; $2 is there of it.
# The words go to COMPREPLY, each with $3 before it. FILE and GUEST stand for names, other capitals for what only
# the user knows.
_lodge_offer()
{
	local words=${1//[][]/} before=${3-} field=$2 word
	if [[ $1 == *'[,'* && $2 == *,* ]]; then
		field=${2##*,}
		before+=${2%"$field"}
	fi
	words=${words//[|,]/ }
	[[ $words != *GUEST* ]] || words+=" $("$lodge" list --names 2>/dev/null)"
	for word in $words; do
		case $word in
		FILE)
			compopt -o default
			continue
			;;
		[[:upper:].]*) continue ;;
		*=FILE) [[ $field != "${word%FILE}"* ]] || compopt -o default ;;&
		*=[[:upper:]]*) word=${word%%=*}= ;;
		*:[[:upper:]]*) word=${word%:*}: ;;
		esac
		[[ $word != "$field"* || ($word == "$field" && $word == *[=:]) ]] || COMPREPLY+=("$before$word")
	done
	[[ $1 != *'[,'* && ${COMPREPLY[*]-} != *[=:] ]] || compopt -o nospace
}

_lodge()
{
	local IFS=$' \t\n' lodge=$1 line=${COMP_LINE:0:COMP_POINT} words=() word i
	local options first rest value='' operand=0 literal=''
	COMPREPLY=()
	# Readline breaks words at '=' and ':', too. Those that no blank parts are one; the last ends at the cursor.
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $i == 0 || $line == [[:blank:]]* ]]; then
			words+=('')
			line=${line#"${line%%[![:blank:]]*}"}
		fi
		[[ $i != "$COMP_CWORD" ]] || word=$line
		words[${#words[@]} - 1]+=$word
		line=${line#"$word"}
	done
	local last=$((${#words[@]} - 1))
	local current=${words[last]}

	_lodge_table "${words[1]-}"
	for ((i = 2; i < last; i++)); do
		value=
		[[ $literal ]] || _lodge_table "${words[1]}" "${words[i]}"
		if [[ $value ]]; then
			((++i))
		elif [[ $literal || ${words[i]} != -?* ]]; then
			((++operand))
		elif [[ ${words[i]} == -- ]]; then
			literal=1
		fi
	done
	if ((last < 2)); then
		# shellcheck disable=SC2154 # stands above this in what is printed
		_lodge_offer "$_lodge_commands|--help|--version" "$current"
	elif [[ $value && $i -gt $last ]]; then
		_lodge_offer "$value" "$current"
	elif [[ ! $literal && $current == --*=* ]]; then
		value=
		_lodge_table "${words[1]}" "${current%%=*}"
		_lodge_offer "$value" "${current#*=}" "${current%%=*}="
	elif [[ ! $literal && $current == -* ]]; then
		_lodge_offer "$options" "$current"
	elif ((operand == 0)); then
		_lodge_offer "$first" "$current"
	else
		_lodge_offer "$rest" "$current"
	fi
	# What stands before a break stays.
	[[ $COMP_WORDBREAKS != *=* ]] || COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*[=:]}"}"}")
}

complete -F _lodge lodge
