#!/bin/sh
# Envelopes from outside: made from the runs of ten seeds of a tiny net, read by `judge`.
. "$(dirname "$0")/../program/tap.sh"

export DETCHECK_GOLDEN="$folder/golden"
file=$DETCHECK_GOLDEN/envelopes/tiny.txt
mkdir -p "$DETCHECK_GOLDEN/envelopes"
cat >"$file" <<-END
	detcheck golden envelope 1
	set: data=balanced
	set: model.preset=custom
	set: model.width=4
	set: model.groups=4
	set: model.fpn_channels=8
	set: model.fc_dim=16
	set: mask.enabled=false
	set: eval.masks=false
	set: train.batch_size=4
	set: optimizer.lr=0.001
	set: schedule.steps=18
	set: schedule.warmup_steps=2
	set: eval.every=9
	set: eval.images=4
	set: checkpoint.every=0
END
runs=$folder/runs
judge() {
	expect "$1" "$2" judge --envelope tiny "$3"
}

mkdir "$folder/run"
expect "ten seeds and two fresh ones" 0 golden envelope --seeds 10 --fresh 2 --first-fresh 501 --jobs 2 --out "$runs" tiny
says "progress" err "[10/10"
holds "no bar where there is no terminal" sh -c "! grep -q '#' '$folder/err'"
says "false alarms" out "false alarms: "
holds "the file says from which seeds" grep -q '^seeds: 10 from 1, 2 fresh from 501$' "$file"
cp "$file" "$folder/kept"
expect "again, from what is there" 0 golden envelope --reuse --out "$runs" tiny
holds "the same file" cmp "$folder/kept" "$file"
expect "two envelopes" 0 golden envelope --reuse --out "$runs" tiny "$file"
says "pooled" out "2 envelopes together: false alarms: "
says "of all fresh runs" out " of 4 fresh runs ("

TERM=xterm script -qec "'$detcheck' golden envelope --reuse --jobs 1 --out '$runs' tiny" /dev/null \
	</dev/null >"$folder/out" 2>"$folder/err"
says "a terminal shows a bar" out "tiny [---"
says "that fills" out "] 5/10  "
says "with what came of each run" out "tiny seed 5: "
says "in place" out "$(printf '\033[1A')"
holds "the same file again" cmp "$folder/kept" "$file"

# The verdict of the rules stands (a net of this size learns nothing); the envelope adds none.
judge "a run of its own" 1 "$runs/tiny/seed-3"
holds "is not off golden" sh -c "! grep -q off_golden '$folder/out'"

# bend NAME FROM TO: the log of seed 3 as it would be after a regression.
bend() {
	mkdir -p "$folder/$1"
	sed "s/$2/$3/" "$runs/tiny/seed-3/log.jsonl" >"$folder/$1/log.jsonl"
}
bend losses '"loss_cls": *' '"loss_cls":77'
judge "another loss" 1 "$folder/losses"
says "is off golden" out "off_golden (outside_envelope)"
says "and named" out "loss_cls at steps"
bend key '"optimizer.lr": *[0-9.]*' '"optimizer.lr":0.01'
judge "another key" 1 "$folder/key"
says "is named" out "off_golden (other_configuration)"
expect "as JSON" 1 judge --json --envelope tiny "$folder/key"
says "the verdict" out '"verdict":"off_golden"'
head -n 12 "$runs/tiny/seed-3/log.jsonl" >"$folder/run/log.jsonl"
judge "half a run" 1 "$folder/run"
says "is incomplete" out "incomplete"

expect "an unknown envelope" 2 judge --envelope tini "$folder/run"
says "the nearest" err '"tiny"'
expect "too few seeds" 2 golden envelope --seeds 5 tiny
expect "no seed" 2 golden envelope --first-fresh 0 tiny
expect "fresh seeds that are none" 2 golden envelope --first-fresh 10 --out "$runs" tiny
says "which are taken" err "seeds up to 10 make the envelope"
sed -i 's/^seeds: .*/seeds: 10 from 1, 2 fresh/' "$file"
expect "a line of seeds cut short" 2 golden envelope --reuse --out "$runs" tiny
says "what it wants" err "N from 1, N fresh from SEED"
cp "$folder/kept" "$file"
sed -i 's/^limits: .*/limits: none/' "$file"
expect "a damaged envelope" 2 judge --envelope tiny "$folder/run"
sed -i '/^$/,$d' "$file"
expect "nothing is recorded" 2 judge --envelope tiny "$runs/tiny/seed-3"
finish
