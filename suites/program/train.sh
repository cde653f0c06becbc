#!/bin/sh
# Training from outside: what a run leaves behind, going on after an interrupt and after a kill, and
# bad input of every kind: one line, status 2, nothing half-written.
. "$(dirname "$0")/tap.sh"

cat >"$folder/small.yaml" <<END
threads: 1
model: {preset: custom, width: 4, groups: 4, fpn_channels: 8, fc_dim: 16, mask_convs: 1,
  mask_channels: 4}
schedule: {steps: 40, warmup_steps: 2}
train: {batch_size: 2}
eval: {every: 10, images: 3, batch_size: 2}
checkpoint: {every: 4}
END

# train NAME STATUS FOLDER ARGUMENT...: a run of that configuration.
train() {
	name=$1
	want=$2
	out=$folder/$3
	shift 3
	expect "$name" "$want" train --config "$folder/small.yaml" --out "$out" "$@"
}

# same NAME A B: two runs' logs say the same but for speed, interruptions and the folder's commit.
same() {
	for run in "$2" "$3"; do
		grep -E '"event": ?"(step|eval)"' "$folder/$run/log.jsonl" |
			sed 's/"images_per_second": *[^,}]*//' >"$folder/$run.lines"
	done
	holds "$1: the log" cmp "$folder/$2.lines" "$folder/$3.lines"
	holds "$1: the weights" cmp "$folder/$2/checkpoint.safetensors" \
		"$folder/$3/checkpoint.safetensors"
}

# A net of this size learns nothing in 40 steps: the verdict is 1, whatever it is called.
train "a run" 1 whole
says "a run: its verdict" out "whole: "
for file in config.yaml log.jsonl checkpoint.safetensors; do
	holds "a run: $file" test -s "$folder/whole/$file"
done
holds "a run: nothing else" test "$(ls "$folder/whole" | wc -l)" -eq 3
holds "a run: 40 steps" test "$(grep -c '"event": *"step"' "$folder/whole/log.jsonl")" -eq 40
holds "a run: 4 evaluations" test "$(grep -c '"event": *"eval"' "$folder/whole/log.jsonl")" -eq 4
expect "judge it" 1 judge "$folder/whole"

train "the same run again" 1 again --threads 2
same "the same run again, 2 threads" whole again
train "another seed" 1 other --seed 2
holds "another seed: other weights" sh -c \
	"! cmp -s $folder/whole/checkpoint.safetensors $folder/other/checkpoint.safetensors"

expect "a finished run resumed" 1 train --resume --out "$folder/again"
same "a finished run resumed" whole again

# killed SIGNAL: end a run of its own once its log has a checkpoint, then go on to the end.
killed() {
	run=killed-$1
	"$detcheck" train --config "$folder/small.yaml" --out "$folder/$run" \
		>"$folder/out" 2>"$folder/err" </dev/null &
	process=$!
	while kill -0 $process 2>/dev/null &&
		! grep -qs '"event": *"checkpoint"' "$folder/$run/log.jsonl"; do
		sleep 0.01
	done
	kill "-$1" $process 2>/dev/null
	wait $process 2>/dev/null
	echo "# $1 after $(grep -c '"event": *"step"' "$folder/$run/log.jsonl") of 40 steps"
	expect "$1: going on" 1 train --resume --out "$folder/$run"
	same "$1" whole "$run"
}
killed KILL
killed TERM

train "weights of another run" 1 from --weights "$folder/whole/checkpoint.safetensors" \
	--set schedule.steps=2

# ---- bad input ----

# refuse NAME WANT ARGUMENT...: refused with a message that has WANT, and no log begun.
refuse() {
	what=$1
	want_text=$2
	shift 2
	rm -rf "$folder/refused"
	train "$what" 2 refused "$@"
	says "$what: named" err "$want_text"
	holds "$what: nothing half-written" test ! -e "$folder/refused/log.jsonl"
}
refuse "unknown recipe" "the nearest one is \"lookalike\"" --data lokalike
refuse "missing recipe file" "none.yaml" --data "$folder/none.yaml"
printf 'about: x\nclasses: [\n' >"$folder/broken.yaml"
refuse "broken recipe" "broken.yaml:" --data "$folder/broken.yaml"
refuse "missing COCO file" "none.json" --data "coco:$folder/none.json,$folder"
printf '{"images": [' >"$folder/cut.json"
refuse "COCO file cut short" "cut.json" --data "coco:$folder/cut.json,$folder"
refuse "unknown backend" "abacus" --backend abacus
refuse "unknown key" "nearest is optimizer.lr" --set optimizer.lrr=1
refuse "value out of range" "out of range" --set train.batch_size=0
refuse "missing weights" "none.safetensors" --weights "$folder/none.safetensors"
head -c 5000 "$folder/whole/checkpoint.safetensors" >"$folder/cut.safetensors"
refuse "weights cut short" "cut.safetensors" --weights "$folder/cut.safetensors"
printf 'not tensors' >"$folder/text.safetensors"
refuse "weights that are text" "text.safetensors" --weights "$folder/text.safetensors"
refuse "weights of another model" "roi_heads.box_head.fc6" --set model.fc_dim=20 \
	--weights "$folder/whole/checkpoint.safetensors"
refuse "a file for a folder" "small.yaml" --out "$folder/small.yaml/run"

expect "resume without a run" 2 train --resume --out "$folder/none"
says "resume without a run: named" err "none/config.yaml"
expect "resume and weights" 2 train --resume --weights x --out "$folder/whole"
cp -r "$folder/whole" "$folder/hurt"
head -c 5000 "$folder/whole/checkpoint.safetensors" >"$folder/hurt/checkpoint.safetensors"
expect "resume from a checkpoint cut short" 2 train --resume --out "$folder/hurt"
says "resume from a checkpoint cut short: named" err "checkpoint.safetensors"
holds "resume from a checkpoint cut short: the log stands" cmp "$folder/whole/log.jsonl" \
	"$folder/hurt/log.jsonl"

# An image that does not decode.
mkdir "$folder/images"
printf 'no picture' >"$folder/images/a.png"
cat >"$folder/coco.json" <<END
{"images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 64}],
 "categories": [{"id": 1, "name": "thing"}],
 "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [8, 8, 20, 20], "area": 400,
  "iscrowd": 0, "segmentation": [[8, 8, 28, 8, 28, 28, 8, 28]]}]}
END
expect "an image that does not decode" 2 train --config "$folder/small.yaml" \
	--data "coco:$folder/coco.json,$folder/images" --out "$folder/undecoded"
says "an image that does not decode: named" err "a.png"

# A disk that is full, as a limit on the size of files: the checkpoint cannot be written.
name="a full disk"
problem=
got=0
(
	trap '' XFSZ
	ulimit -f 40
	exec "$detcheck" train --config "$folder/small.yaml" --out "$folder/full" \
		>"$folder/out" 2>"$folder/err" </dev/null
) || got=$?
[ "$got" -eq 2 ] || problem="status $got, want 2"
report
says "a full disk: the file and the reason" err "full/checkpoint.safetensors"
holds "a full disk: no temporary file" test "$(ls "$folder/full" | wc -l)" -le 2
expect "a full disk: the log can be judged" 1 judge "$folder/full"

finish
