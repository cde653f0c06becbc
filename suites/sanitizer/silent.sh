#!/bin/sh
# Fails if a test before this one left a sanitizer's report PREFIX.<pid>; shows it and clears it
# away, so that the next run starts clean.
prefix=$1
found=0
for report in "$prefix".*; do
	[ -f "$report" ] || continue
	found=$((found + 1))
	cat "$report"
	rm -f "$report"
done
echo "$found reports of a sanitizer"
[ "$found" -eq 0 ]
