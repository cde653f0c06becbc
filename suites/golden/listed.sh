#!/bin/sh
# listed.sh FOLDER NAME...: the tables in the folder are those that have a test, one for one.
set -eu
folder=$1
shift
files=$(cd "$folder" && ls -- *.txt | sed 's/\.txt$//' | LC_ALL=C sort)
tests=$(printf '%s\n' "$@" | LC_ALL=C sort)
[ "$files" = "$tests" ] && exit 0
echo "tables in $folder and tests in suites/golden/meson.build are not the same:"
for name in $files; do
	echo "$tests" | grep -qxF -- "$name" || echo "  $name.txt has no test"
done
for name in $tests; do
	echo "$files" | grep -qxF -- "$name" || echo "  $name has a test and no table"
done
exit 1
