#!/bin/sh
# alone.sh ROOT COMPILER [FLAG]...: compiles a file that includes nothing but one header, twice, for
# every header under ROOT. Prints TAP.
cd "$1" || exit 1
shift
n=0
for header in $(find detector fixtures harness -name '*.h' | sort); do
	n=$((n + 1))
	if output=$(printf '#include "%s"\n#include "%s"\nextern int one;\n' "$header" "$header" |
		"$@" -x c - 2>&1); then
		echo "ok $n - $header"
	else
		echo "not ok $n - $header"
		echo "$output" | sed 's/^/# /'
	fi
done
echo "1..$n"
