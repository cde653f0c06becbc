#!/bin/sh
# runs.sh DETCHECK: training on the GPU. Skipped (77) where there is none, unless DETCHECK_REQUIRE_GPU is
# set. Two runs of 200 steps have the same bits, recorded or launched operation by operation; every
# precision trains; the first step is the CPU's within rounding.
detcheck=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

status=0
"$detcheck" bench --backend cuda --steps 1 >/dev/null 2>"$folder/err" || status=$?
cat "$folder/err"
if [ "$status" -eq 77 ] && [ "${DETCHECK_REQUIRE_GPU:-0}" = 1 ]; then
	echo "DETCHECK_REQUIRE_GPU is set"
	exit 1
fi
[ "$status" -eq 0 ] || exit "$status"

failed=0
# train FOLDER ARGUMENT...: a run; its verdict may be 1.
train() {
	out=$folder/$1
	shift
	"$detcheck" train --out "$out" --set eval.images=8 "$@" >/dev/null 2>"$folder/err"
	if [ $? -gt 1 ]; then
		echo "train $*: $(tail -1 "$folder/err")"
		failed=1
	fi
}

# hashes FOLDER: the weights' at every evaluation.
hashes() {
	grep -o '"weights_hash": *"[^"]*"' "$folder/$1/log.jsonl"
}

same() {
	if [ "$(hashes "$1")" != "$(hashes "$2")" ] || [ -z "$(hashes "$1")" ]; then
		echo "$1 and $2 differ:"
		hashes "$1"
		hashes "$2"
		failed=1
	fi
}

for run in first second; do
	train $run --backend cuda --set schedule.steps=200
done
same first second
train launched --backend cuda --set schedule.steps=200 --set backend.graph=false
same first launched
for precision in tf32 bf16 fp16; do
	train $precision --backend cuda --set schedule.steps=50 --set model.precision=$precision
done
train cpu --set schedule.steps=1
train gpu --backend cuda --set schedule.steps=1
for run in cpu gpu; do
	grep '"event": *"step"' "$folder/$run/log.jsonl" | grep -o '"loss": *[^,]*' | tr -dc '0-9.e+-' \
		>"$folder/$run.loss"
done
echo "first step's loss: cpu $(cat "$folder/cpu.loss"), gpu $(cat "$folder/gpu.loss")"
awk -v a="$(cat "$folder/cpu.loss")" -v b="$(cat "$folder/gpu.loss")" \
	'BEGIN { exit !(a - b <= 1e-4 * a && b - a <= 1e-4 * a && a > 0) }' || failed=1
exit $failed
