#!/bin/sh
# clash.sh PROGRAM ARCHIVE...: no function of ours has the name of one in a library that the program
# loads: the linker takes ours for theirs without a word.
program=$1
shift
ours=$(nm --defined-only --extern-only "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u)
theirs=$(ldd "$program" | awk '$3 ~ /^\// { print $3 }' | xargs nm -D --defined-only 2>/dev/null |
	awk 'NF == 3 && $2 ~ /[TWDBV]/ { sub(/@.*/, "", $3); print $3 }' | sort -u)
if [ -z "$ours" ] || [ -z "$theirs" ]; then
	echo "no symbols found: is nm there, and is $program linked?"
	exit 99
fi
clashes=$(printf '%s\n%s\n' "$ours" "$theirs" | sort | uniq -d)
echo "$(echo "$ours" | wc -l) names of ours, $(echo "$theirs" | wc -l) of the libraries"
[ -z "$clashes" ] || printf 'in both:\n%s\n' "$clashes"
[ -z "$clashes" ]
