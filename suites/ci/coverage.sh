#!/bin/sh
# docs/coverage.md says which test catches what: every test that it names must exist.
cd "$DETCHECK_ROOT" || exit 99
page=docs/coverage.md
named=$(grep -oE '`((gradient|collapse)/)?[a-z0-9_]+/[a-z0-9_]+`' $page | tr -d '`' | sort -u)
missing=0
for name in $named; do
	case $name in
	gradient/* | collapse/*) file=suites/${name%/*}.c ;;
	*) file=suites/unit/${name%/*}.c ;;
	esac
	suite=${name%/*}
	if ! grep -qE "^Test\(${suite##*/}, ${name##*/}[,)]" "$file" 2>/dev/null; then
		echo "$page names \`$name\`, which is not in $file"
		missing=$((missing + 1))
	fi
done
count=$(echo "$named" | wc -l)
echo "$count tests are named, $missing are missing"
[ "$missing" -eq 0 ] && [ "$count" -gt 100 ]
