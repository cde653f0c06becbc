#!/bin/sh
# harness/nightly from outside: what it keeps, and that a backend that cannot run here is said to be.
. "$(dirname "$0")/tap.sh"
build=$(dirname "$(dirname "$detcheck")")
nightly=$DETCHECK_ROOT/harness/nightly

# One step teaches nothing: the verdict fails the night, which goes on to its report all the same.
status=0
"$nightly" --build "$build" --out "$folder/night" --backends cpu --seeds 1 --recipes sparse \
	--jobs "runs report" --set schedule.steps=1 --set schedule.warmup_steps=1 --set eval.images=2 \
	>"$folder/out" 2>"$folder/err" || status=$?
says "a night of one run: which job failed" out "FAILED   run-cpu-sparse-1"
holds "a night of one run: status" test "$status" -eq 1
holds "a night of one run: its log" test -s "$folder/night/runs/cpu-sparse-1/fixed/log.jsonl"
holds "a night of one run: the report" test -s "$folder/night/report.html"
holds "a night of one run: the summary" grep -q "1 failed, 0 skipped" "$folder/night/summary.txt"

status=0
"$nightly" --build "$build" --out "$folder/night" >"$folder/out" 2>"$folder/err" || status=$?
says "a night is not written over: why" err "exists"
holds "a night is not written over" test "$status" -eq 2

# With or without a GPU: never silently nothing.
"$nightly" --build "$build" --out "$folder/gpu" --backends cuda --jobs none >"$folder/out" 2>"$folder/err"
holds "a GPU is used, or skipped in so many words" \
	grep -qE "^(passed|skipped) +can-run-cuda" "$folder/gpu/summary.txt"
if grep -q "^skipped" "$folder/gpu/summary.txt"; then
	status=0
	DETCHECK_REQUIRE_GPU=1 "$nightly" --build "$build" --out "$folder/must" --backends cuda --jobs none \
		>"$folder/out" 2>"$folder/err" || status=$?
	holds "a GPU that must be there is missed" test "$status" -eq 1
fi

status=0
"$nightly" --backend cpu >"$folder/out" 2>"$folder/err" || status=$?
holds "an unknown option: status 2" test "$status" -eq 2
finish
