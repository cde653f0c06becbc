#!/bin/sh
# .ci/count, by which CI says how many tests passed, on made logs: it must see every way to fail.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/meson-logs"
log=$folder/meson-logs/testlog.json
tests=0

# counts NAME STATUS LINE: what .ci/count makes of the log.
counts() {
	got=0
	line=$("$DETCHECK_ROOT/.ci/count" "$folder" 2>/dev/null) || got=$?
	tests=$((tests + 1))
	if [ "$got" -eq "$2" ] && [ "$line" = "$3" ]; then
		echo "ok $tests - $1"
	else
		echo "not ok $tests - $1"
		echo "# got '$line', status $got; want '$3', status $2"
	fi
}

counts "no log" 1 "0 passed, 0 failed, 0 skipped"
: >"$log"
counts "no test" 1 "0 passed, 0 failed, 0 skipped"

tap='TAP version 13\n1..3\nok - a\nok - b # SKIP no GPU\nok - c\n'
printf '%s\n' "{\"name\": \"t\", \"result\": \"OK\", \"stdout\": \"$tap\"}" >"$log"
counts "TAP, one of three skipped" 0 "2 passed, 0 failed, 1 skipped"
printf '%s\n' '{"name": "plain", "result": "OK", "stdout": "fine"}' >>"$log"
counts "a program without TAP" 0 "3 passed, 0 failed, 1 skipped"
printf '%s\n' '{"name": "gpu", "result": "SKIP", "stdout": ""}' >>"$log"
counts "a program that skips" 0 "3 passed, 0 failed, 2 skipped"
cp "$log" "$folder/good"

for result in FAIL ERROR TIMEOUT INTERRUPT UNEXPECTEDPASS; do
	cp "$folder/good" "$log"
	printf '%s\n' "{\"name\": \"bad\", \"result\": \"$result\", \"stdout\": \"ok - a\\n\"}" >>"$log"
	counts "$result after a passed one" 1 "4 passed, 1 failed, 2 skipped"
done
cp "$folder/good" "$log"
printf '%s\n' '{"name": "bad", "result": "ERROR", "stdout": "ok - a\nnot ok - b\nnot ok - c\n"}' >>"$log"
counts "two of three fail" 1 "4 passed, 2 failed, 2 skipped"

printf '%s\n' '{"name": "t", "result": "OK", "stdout": "not"}' >"$folder/meson-logs/testlog-nightly.json"
cp "$folder/good" "$log"
counts "logs of two set-ups" 0 "4 passed, 0 failed, 2 skipped"

echo 'detcheck:unit / t
detcheck:cuda / kernels
detcheck:oracle+slow / vectors' >"$folder/meson-logs/planned.txt"
echo '{"name": "detcheck:unit / t", "result": "OK", "stdout": ""}' >"$log"
counts "two planned suites of which nothing ran" 1 "2 passed, 0 failed, 0 skipped"
echo '{"name": "detcheck:oracle+slow / vectors", "result": "SKIP", "stdout": ""}' >>"$log"
counts "suites that were skipped as a whole" 1 "2 passed, 0 failed, 1 skipped"
echo '{"name": "detcheck:oracle+slow / other", "result": "OK", "stdout": ""}' >>"$log"
counts "all planned suites ran, but for the GPU's" 0 "3 passed, 0 failed, 1 skipped"

echo "1..$tests"
