#!/bin/sh
# Teacher-forced comparison from outside: another BLAS core and two devices agree, another loss or
# learning rate is found and named, and bad input is one line.
. "$(dirname "$0")/tap.sh"

cat >"$folder/small.yaml" <<END
threads: 1
model: {preset: custom, width: 8, groups: 4, fpn_channels: 16, fc_dim: 32, mask_convs: 1,
  mask_channels: 8}
schedule: {steps: 24, warmup_steps: 2}
train: {batch_size: 2}
END
trace=$folder/trace
OPENBLAS_CORETYPE=Haswell # the teacher's
export OPENBLAS_CORETYPE

# forced NAME STATUS ARGUMENT...: the trace's steps, compared.
forced() {
	name=$1
	want=$2
	shift 2
	expect "$name" "$want" compare --teacher-forced "$trace" "$@"
}

expect "a trace" 0 trace --config "$folder/small.yaml" --out "$trace" --steps 8 --every 3
holds "a trace: 8 steps and config.yaml" test "$(ls "$trace" | wc -l)" -eq 9
holds "a trace: every third step" test -s "$trace/000021.safetensors"

forced "the same numerics" 0
says "the same numerics: verdict" out "agrees: 8 steps, each from the teacher's state; 0 flips"

# Cores that every machine with AVX2 runs.
for core in Sandybridge Prescott; do
	OPENBLAS_CORETYPE=$core
	forced "core $core" 0 --threads 2
	says "core $core: taken" out "BLAS core $core"
	says "core $core: verdict" out "agrees: 8 steps"
done
OPENBLAS_CORETYPE=Haswell

forced "as JSON" 0 --json --steps 2
says "as JSON: verdict" out '"passes": true'

# ---- a change of the training is found, and named by what it moves ----

forced "roi_cls_pos_weight" 1 --set roi_cls_pos_weight=1.0
says "roi_cls_pos_weight: named" out ": loss_cls: "
forced "rpn_cls_pos_weight" 1 --set rpn_cls_pos_weight=4.99 --steps 2
says "rpn_cls_pos_weight: named" out "step 0: loss_rpn_cls: "
forced "learning rate" 1 --set optimizer.lr=0.02001 --steps 2
says "learning rate: named" out "after the update differs by"
forced "momentum" 1 --set optimizer.momentum=0.89 --steps 2
says "momentum: named" out "after the update differs by"
forced "clipping" 1 --set clip_grad_norm=0.5 --steps 2
says "clipping: named" out "gradients clipped: 0 there, 1 here"
forced "NMS threshold" 1 --set rpn.nms_iou=0.6
says "NMS threshold: named" out "proposal NMS"
# Its proposals are others in every step; with the teacher's in their place nothing else is.
exact() {
	holds "$1" grep -qE "^worst +0.0e\+00 +0.0e\+00 +0.0e\+00 " "$folder/out"
}
exact "NMS threshold: losses and gradients are the teacher's"
forced "positive threshold of RoIs" 1 --set roi.fg_iou=0.6 --set roi.bg_iou=0.6
says "positive threshold of RoIs: named" out "RoI candidate"
exact "positive threshold of RoIs: losses and gradients are the teacher's"
forced "negative threshold of anchors" 1 --set rpn.bg_iou=0.1
says "negative threshold of anchors: named" out "sampled as 0 there, -1 here"
exact "negative threshold of anchors: losses and gradients are the teacher's"

# ---- two devices in one process ----

both() {
	name=$1
	want=$2
	shift 2
	expect "$name" "$want" compare --teacher-forced --config "$folder/small.yaml" --steps 4 "$@"
}
both "cpu and cpu" 0 --backends cpu,cpu --every 2
says "cpu and cpu: verdict" out "agrees: 4 steps"
both "fp32 and bf16" 0 --backends cpu,cpu:bf16
says "fp32 and bf16: told" out "pupil:   cpu bf16"
printf 'fp32 bf16 loss 1e-5 too tight\n' >"$folder/tight.txt"
both "an incomplete table" 2 --backends cpu,cpu:bf16 --tolerances "$folder/tight.txt"
says "an incomplete table: named" err "no tolerance of value"
both "cpu and cuda" 77 --backends cpu,cuda

# ---- bad input ----

expect "no steps" 2 trace --steps 0 --out "$folder/none"
expect "no trace" 2 compare --teacher-forced
expect "a folder that is not there" 2 compare --teacher-forced "$folder/none"
mkdir "$folder/empty"
cp "$trace/config.yaml" "$folder/empty"
expect "a folder without steps" 2 compare --teacher-forced "$folder/empty"
says "a folder without steps: what to do" err "detcheck trace"
expect "a second trace into a folder" 2 trace --config "$folder/small.yaml" --out "$trace"
forced "a trace and backends" 2 --backends cpu,cpu
forced "one backend" 2 --backends cpu
forced "another model" 2 --set model.fc_dim=40
says "another model: named" err "value.roi_heads.box_head.fc6.weight"
forced "another batch" 2 --set train.batch_size=3
says "another batch: named" err "rpn_logits: 2 x"
forced "another seed" 2 --seed 2
says "another seed: named" err "another dataset"
forced "another dataset" 2 --data balanced
says "another dataset: named" err "another dataset"
forced "hard examples" 2 --set roi_cls_loss=ohem
expect "accumulated passes" 2 trace --set train.accumulate=2 --out "$folder/none"
says "accumulated passes: named" err "train.accumulate"
head -c 9000 "$trace/000003.safetensors" >"$folder/cut"
cp "$folder/cut" "$trace/000003.safetensors"
forced "a step cut short" 2
says "a step cut short: named" err "000003.safetensors"

finish
