#!/bin/sh
# harness/gpu_session.sh [OUT]: what a machine with a GPU is to be used for first, within a quarter of an
# hour, in the order in which the answers matter. Needs the CUDA toolkit; compute-sanitizer where it is
# there. Everything it says goes to OUT (default runs/gpu), one file a step, and summary.txt. A step that
# fails does not stop the ones behind it. Exit status 1 where one failed.
set -u
cd "$(dirname "$0")/.." || exit 2
out=${1:-runs/gpu}
mkdir -p "$out" || exit 2
export DETCHECK_REQUIRE_GPU=1
failed=0

# step NAME SECONDS COMMAND...
step() {
	name=$1
	limit=$2
	shift 2
	began=$(date +%s)
	status=0
	timeout "$limit" "$@" >"$out/$name" 2>&1 </dev/null || status=$?
	[ "$status" -eq 0 ] || failed=1
	printf '%-24s status %3d  %4d s\n' "$name" "$status" $(($(date +%s) - began)) |
		tee -a "$out/summary.txt"
}

# A build for this machine's GPU alone is quicker than one for all.
arch=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -1 | tr -d .)
build=build-gpu
step configure 120 meson setup "$build" -Dcuda=enabled "-Dgpu_archs=${arch:-90}"
step build 600 ninja -C "$build" all meson-test-prereq
detcheck=$build/harness/detcheck

nvidia-smi >"$out/nvidia-smi" 2>&1
step parity 120 meson test -C "$build" --no-rebuild --print-errorlogs --suite parity
step verify 120 "$detcheck" verify --backend cuda golden/oracle
step runs 240 meson test -C "$build" --no-rebuild --print-errorlogs --suite cuda

# Each tool by itself on one pass over every operation, then on two steps of training.
if command -v compute-sanitizer >/dev/null; then
	for tool in memcheck initcheck racecheck synccheck; do
		for test in update maps weighted roi_align boxes losses rows staging; do
			[ ! -x "$build/suites/parity/parity_$test" ] ||
				step "$tool-$test" 90 compute-sanitizer --tool "$tool" --error-exitcode 9 \
					--target-processes all "$build/suites/parity/parity_$test" --tap=-
		done
		step "$tool-train" 120 compute-sanitizer --tool "$tool" --error-exitcode 9 "$detcheck" \
			train --backend cuda --out "$out/run-$tool" --set schedule.steps=2 \
			--set schedule.warmup_steps=1 --set eval.images=2
	done
fi

step bench-tiny 60 "$detcheck" bench --backend cuda --json
step bench-tiny-launched 60 "$detcheck" bench --backend cuda --json --set backend.graph=false
for precision in tf32 bf16 fp16; do
	step "bench-tiny-$precision" 60 "$detcheck" bench --backend cuda --json \
		--set model.precision=$precision
done
step bench-r50 120 "$detcheck" bench --backend cuda --json --steps 20 \
	--set model.preset=r50 --set image_size=320 --set train.batch_size=2
for pair in cpu,cuda cpu,cuda:tf32 cpu:bf16,cuda:bf16 cpu:fp16,cuda:fp16; do
	step "teacher-$pair" 90 "$detcheck" compare --teacher-forced --backends "$pair" --steps 20
done
exit $failed
