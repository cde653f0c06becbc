#!/bin/sh
# The main job from outside: two runs, a table, plots, a report.
. "$(dirname "$0")/tap.sh"

cat >"$folder/small.yaml" <<'YAML'
model: {preset: custom, width: 8, fpn_channels: 8, fc_dim: 16, mask_convs: 1, mask_channels: 4}
schedule: {steps: 6, warmup_steps: 0}
train: {batch_size: 2}
eval: {every: 3, images: 2, batch_size: 2}
YAML
small="--config $folder/small.yaml"
all="$folder/all"

# main NAME STATUS ARGUMENT...: as expect, but for a run that says something on both.
main() {
	name=$1
	want=$2
	shift 2
	got=0
	problem=
	"$detcheck" run $small "$@" >"$folder/out" 2>"$folder/err" </dev/null || got=$?
	[ "$got" -eq "$want" ] || problem="status $got, want $want"
	report
}

# A net of this size learns nothing in 6 steps: both sides end without a detection.
if gnuplot --version >/dev/null 2>&1; then
	main "run" 1 --out "$all"
	for plot in losses map detections fg_bg_ratio grad_norm; do
		holds "run: $plot.svg" test -s "$all/plots/$plot.svg"
		holds "run: $plot.png" test -s "$all/plots/$plot.png"
	done
	says "run: where the plots are" out "plots: $all/plots"
	holds "run: a report with plots" grep -q "<svg" "$all/report.html"
	rm -rf "$all"
fi

mkdir "$folder/bin"
got=0
problem=
name="without gnuplot"
PATH="$folder/bin" "$detcheck" run $small --out "$all" >"$folder/out" 2>"$folder/err" </dev/null ||
	got=$?
[ "$got" -eq 1 ] || problem="status $got, want 1: the verdict counts for more"
report
says "without gnuplot: said" err "gnuplot is not installed"
says "without gnuplot: verdicts" out "fixed: collapsed: "
holds "without gnuplot: a report" test -s "$all/report.html"
for side in unfixed fixed; do
	says "the table: $side" out "$side"
	holds "$side: a run of its own" test -s "$all/$side/log.jsonl"
	holds "$side: its checkpoint" test -s "$all/$side/checkpoint.safetensors"
done
says "the table: what differs" out "roi_cls_pos_weight"
expect "the sides differ" 1 compare "$all/unfixed" "$all/fixed"
says "the sides differ: in these keys" out "configuration: rpn_cls_pos_weight: 1.0 in A, 5.0 in B"
expect "judged afterwards, the same" 1 judge "$all/unfixed" "$all/fixed"

main "another before" 1 --out "$folder/other" --before rpn_cls_pos_weight=2 --set schedule.steps=1
expect "another before: its key" 1 compare "$folder/other/unfixed" "$folder/other/fixed"
says "another before: its key only" out "configuration: rpn_cls_pos_weight: 2.0 in A, 5.0 in B"
expect "an unknown key before" 2 run $small --before lr=1 --out "$folder/none"
says "an unknown key before: where" err "--before lr=1: lr: unknown key"
expect "no name for a folder" 2 run $small --out ""
expect "a file for a folder" 2 run $small --out "$folder/small.yaml"
expect "bad data" 2 run $small --data none --out "$folder/none"
holds "bad input leaves nothing" test ! -e "$folder/none"

# Interrupted, it shows what there is.
"$detcheck" run $small --set schedule.steps=100000 --set eval.every=0 --out "$folder/stopped" \
	>"$folder/out" 2>"$folder/err" </dev/null &
for side in unfixed fixed; do
	while ! grep -qs '"step":3,' "$folder/stopped/$side/log.jsonl"; do sleep 0.05; done
done
kill -TERM $!
name="interrupted: status"
problem=
got=0
wait $! || got=$?
[ "$got" -eq 1 ] || [ "$got" -eq 77 ] || problem="status $got"
report
says "interrupted: what it is" out "fixed: incomplete: "
holds "interrupted: a report" test -s "$folder/stopped/report.html"

finish
