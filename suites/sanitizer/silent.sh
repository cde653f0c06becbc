#!/bin/sh
# Fails if a test before this one left a sanitizer's report PREFIX.<pid>; shows it and clears it
# away, so that the next run starts clean. A warning alone (an allocation refused) is no finding.
prefix=$1
found=0
for report in "$prefix".*; do
	[ -f "$report" ] || continue
	if grep -q -e 'ERROR: ' -e 'runtime error: ' "$report"; then
		found=$((found + 1))
		cat "$report"
	fi
	rm -f "$report"
done
echo "$found findings of the sanitizers"
[ "$found" -eq 0 ]
