#!/bin/sh
# The program with the CUDA backend in the emulation: whole runs, and a GPU that is full or gets lost.
. "$(dirname "$0")/../program/tap.sh"

cat >"$folder/small.yaml" <<END
threads: 1
model: {preset: custom, width: 4, groups: 4, fpn_channels: 8, fc_dim: 16, mask_convs: 1,
  mask_channels: 4}
rpn: {pre_nms_train: 50, post_nms_train: 20, batch_per_image: 32}
roi: {batch_per_image: 16}
schedule: {steps: 6, warmup_steps: 2}
train: {batch_size: 2, accumulate: 2}
eval: {every: 3, images: 2, batch_size: 2}
checkpoint: {every: 2}
END

# train NAME STATUS FOLDER ARGUMENT...: a run of that configuration.
train() {
	name=$1
	want=$2
	out=$folder/$3
	shift 3
	expect "$name" "$want" train --config "$folder/small.yaml" --out "$out" "$@"
}

# lines RUN EVENT: what a run's log says, but for its speed.
lines() {
	grep -E "\"event\": ?\"$2\"" "$folder/$1/log.jsonl" |
		sed 's/"images_per_second": *[^,}]*//'
}

# same NAME A B: two runs have the same bits.
same() {
	lines "$2" step >"$folder/a"
	lines "$3" step >"$folder/b"
	holds "$1: the log" cmp "$folder/a" "$folder/b"
	holds "$1: the weights" cmp "$folder/$2/checkpoint.safetensors" \
		"$folder/$3/checkpoint.safetensors"
}

train "on the CPU" 1 cpu
train "recorded" 1 recorded --backend cuda
train "again" 1 again --backend cuda
same "two runs" recorded again
train "operation by operation" 1 single --backend cuda --set backend.graph=false
same "recorded or not" recorded single

# Batches travel beside the computation, in whatever order the device comes to it.
for stream in 1 2 3; do
	export DETCHECK_EMULATED_SLOW=$stream
	train "slow streams $stream" 1 slow --backend cuda
	same "slow streams $stream" recorded slow
done
unset DETCHECK_EMULATED_SLOW

# The first step's losses: before rounding has grown into another decision.
lines cpu step | head -1 >"$folder/a"
lines recorded step | head -1 >"$folder/b"
holds "the first step is the CPU's" awk '
	function value(line, key) {
		sub(".*\"" key "\": *", "", line)
		return line + 0
	}
	{ line[NR] = $0 }
	END {
		split("loss loss_rpn_cls loss_rpn_bbox loss_cls loss_bbox loss_mask", keys, " ")
		for (i in keys) {
			d = value(line[1], keys[i]) - value(line[2], keys[i])
			if (d > 1e-5 || d < -1e-5)
				exit 1
		}
		exit NR != 2
	}' "$folder/a" "$folder/b"

expect "every step from the CPU's state" 0 compare --teacher-forced --backends cpu,cuda \
	--config "$folder/small.yaml" --set train.accumulate=1 --steps 4
says "every step from the CPU's state: what was compared" out "agrees: 4 steps"
expect "every step in fp16" 0 compare --teacher-forced --backends cpu:fp16,cuda:fp16 \
	--config "$folder/small.yaml" --set train.accumulate=1 --steps 4

train "fp16" 1 fp16 --backend cuda --set model.precision=fp16
train "bf16" 1 bf16 --backend cuda --set model.precision=bf16
train "tf32" 1 tf32 --backend cuda --set model.precision=tf32
train "tf32 on the CPU" 77 none --set model.precision=tf32
says "tf32 on the CPU: why" err "TF32"

# refused WHAT STATUS VARIABLE=VALUE WHY: by such a device, before anything is written.
refused() {
	export "${3?}"
	train "$1" "$2" refused --backend cuda
	says "$1: why" err "$4"
	holds "$1: nothing was written" test ! -e "$folder/refused"
	unset "${3%%=*}"
}

refused "a full GPU" 2 DETCHECK_EMULATED_MEMORY=1000000 "bytes asked for"
refused "no memory to pin" 2 DETCHECK_EMULATED_PINNED=1000 "bytes of host memory to be pinned"
refused "a GPU that nothing was built for" 77 DETCHECK_EMULATED_OLD=1 "no kernel image"

# Lost in the fourth step, after the checkpoint of the second: what is there can be gone on from. (The
# steps before have been reported on standard error: it holds more than one line.)
status=0
DETCHECK_EMULATED_REPLAYS=8 "$detcheck" train --config "$folder/small.yaml" --out "$folder/lost" \
	--backend cuda >"$folder/out" 2>"$folder/err" </dev/null || status=$?
says "a GPU lost on the way: which operation" err "cuda: replay: unspecified launch failure"
holds "a GPU lost on the way: status $status" test "$status" -eq 2
expect "going on" 1 train --out "$folder/lost" --backend cuda --resume
same "lost and resumed" recorded lost

# Lost while something is read from it, wherever that is (a run has some 300 reads): no checkpoint of
# zeros. A run that had none yet says so; any other goes on to the same end.
for reads in 2 30 60 90 120 150 180 210 240; do
	rm -rf "$folder/read"
	status=0
	DETCHECK_EMULATED_DOWNLOADS=$reads "$detcheck" train --config "$folder/small.yaml" \
		--out "$folder/read" --backend cuda >"$folder/out" 2>"$folder/err" </dev/null || status=$?
	says "lost at read $reads" err "unspecified launch failure"
	holds "lost at read $reads: status $status" test "$status" -eq 2
	[ -e "$folder/read/checkpoint.safetensors" ] || continue
	expect "lost at read $reads: going on" 1 train --out "$folder/read" --backend cuda --resume
	same "lost at read $reads and resumed" recorded read
done

finish
