
# Offers what a value can be that the usage calls $1, such as 'exit|restart' or 'path=FILE[,ro]'. FILE and GUEST stand
# for names, other capitals for what only the user knows.
_lodge_offer()
{
	local word
	local -a more
	if [[ $1 == *'[,'* ]]; then
		compset -P '*,'
		more=(-qS ,)
	fi
	for word in ${=${1//[][]/}//[|,]/ }; do
		case $word in
		(GUEST) compadd -- ${(f)"$($lodge list --names 2>/dev/null)"} ;;
		(FILE) _files ;;
		(*=FILE)
			if compset -P "${word%FILE}"; then
				_files $more
				return
			fi
			compadd -S '' -- "${word%FILE}"
			;;
		([[:upper:].]*) ;;
		(*=[[:upper:]]*) compadd -S '' -- "${word%%=*}=" ;;
		(*:[[:upper:]]*) compadd -S '' -- "${word%:*}:" ;;
		(*) compadd $more -- "$word" ;;
		esac
	done
}

_lodge()
{
	local lodge=${(Q)words[1]}
	if ((CURRENT == 2)); then
		_describe command _lodge_commands
		return
	fi
	shift words
	((CURRENT--))
	_lodge_arguments
}

# Autoloaded from fpath, or sourced.
if [[ $funcstack[1] == _lodge ]]; then
	_lodge "$@"
else
	compdef _lodge lodge
fi
