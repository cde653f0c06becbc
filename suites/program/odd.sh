#!/bin/sh
# Training in odd ways: unusual sizes and switches, every recipe, folders that held or hold something
# else, and resuming as another run than began.
. "$(dirname "$0")/tap.sh"

# A model so small that a step takes some milliseconds.
cat >"$folder/small.yaml" <<'YAML'
seed: 1
threads: 1
image_size: 64
model: {preset: custom, width: 8, fpn_channels: 8, fc_dim: 16, mask_convs: 1, mask_channels: 4}
schedule: {steps: 30, warmup_steps: 0}
train: {batch_size: 2}
eval: {every: 10, images: 2, batch_size: 2}
checkpoint: {every: 5}
YAML
small="--config $folder/small.yaml"
run="$folder/run"

# refuse NAME REASON ARGUMENT...: training ends so before it has made its folder.
refuse() {
	case=$1
	reason=$2
	shift 2
	expect "$case" 2 train $small --out "$run" "$@"
	says "$case: why" err "$reason"
	holds "$case: leaves nothing" test ! -e "$run"
}
refuse "unknown recipe" 'no recipe "lokalike"' --data lokalike
refuse "other classes to validate on" "val_data" --set val_data=balanced
refuse "too small an image" "31 is out of range 32" --set image_size=31
refuse "a stage too few" "3 stages given" --set "model.layers=[1,1,1]"
refuse "a level too few" "4 given" --set "model.anchor_sizes=[8,16,32,64]"
expect "a file for a folder" 2 train $small --out "$folder/small.yaml"
says "a file for a folder: named" err "small.yaml: Not a directory"
expect "no name for a folder" 2 train $small --out ""
says "no name for a folder: said" err "empty name"

# train NAME ARGUMENT...: runs to its end, whatever the verdict.
train() {
	name=$1
	shift
	problem=
	"$detcheck" train "$@" >"$folder/out" 2>"$folder/err" </dev/null || [ $? -eq 1 ] || problem=failed
	report
}

# Odd, but allowed.
odd() {
	train "odd: $*" $small --out "$folder/odd" --set schedule.steps=2 $(printf -- '--set %s ' "$@")
}
odd train.batch_size=1 eval.batch_size=1 eval.images=1
odd eval.batch_size=9
odd rpn.post_nms_test=1
odd infer.detections_per_image=1 rpn.post_nms_train=1
odd train.accumulate=3 threads=7
odd model.aspect_ratios=[1] mask.enabled=false
odd model.precision=bf16 optimizer.kind=adamw schedule.decay=cosine
odd rpn_cls_loss=focal roi_cls_loss=ohem
odd train.freeze_stages=5 image_size=33 seed=9007199254740991
for recipe in lookalike twins per_class sparse tiny_objects long_tail missing_labels crowd balanced; do
	odd data=$recipe
done

train "an uninterrupted run" $small --out "$folder/whole"
cp -r "$folder/whole" "$run"

expect "resumed with another seed" 2 train --resume --out "$run" --seed 2
says "resumed with another seed: both" err "the run began with seed: 1, which is now 2"
expect "resumed with a file" 2 train --resume --out "$run" $small
rm "$run/checkpoint.safetensors"
expect "no checkpoint" 2 train --resume --out "$run"
says "no checkpoint: the way out" err "without --resume"
printf 'seed: one\n' >"$run/config.yaml"
expect "a run's broken configuration" 2 train --resume --out "$run"
says "a run's broken configuration: where" err "config.yaml:1: seed"

# A kill at any moment, also while resuming.
rm -rf "$run"
for pause in 0.3 0.2 0.4 0.1; do
	option="$small"
	[ ! -e "$run/checkpoint.safetensors" ] || option=--resume
	"$detcheck" train $option --out "$run" >/dev/null 2>&1 </dev/null &
	sleep $pause
	kill -9 $! 2>/dev/null
	wait $! 2>/dev/null
done
option="$small"
[ ! -e "$run/checkpoint.safetensors" ] || option=--resume
train "after kills: to the end" $option --out "$run" --threads 2
expect "after kills: the same run" 0 compare "$folder/whole" "$run"
holds "after kills: the same weights" cmp "$folder/whole/checkpoint.safetensors" \
	"$run/checkpoint.safetensors"

# ends NAME STATUS: of the run before, in $got.
ends() {
	name=$1
	problem=
	[ "$got" -eq "$2" ] || problem="status $got, want $2"
	report
}

# Asked to stop, it leaves a checkpoint of where it was.
rm -rf "$run"
"$detcheck" train $small --set schedule.steps=100000 --set checkpoint.every=0 --out "$run" \
	>"$folder/out" 2>"$folder/err" </dev/null &
while ! grep -q '"step":3,' "$run/log.jsonl" 2>/dev/null; do sleep 0.05; done
kill -TERM $!
got=0
wait $! || got=$?
ends "stopped: ends with a verdict" 1
says "stopped: incomplete" out "run: incomplete"
says "stopped: how to go on" out "train --resume --out $run"
holds "stopped: a checkpoint" test -s "$run/checkpoint.safetensors"

# A verdict is no verdict where nobody reads it.
name="a verdict that reaches nobody"
problem="not noticed"
"$detcheck" judge "$folder/whole" >/dev/full 2>"$folder/err" || [ $? -ne 2 ] || problem=
report
says "a verdict that reaches nobody: the reason" err "No space left on device"

finish
