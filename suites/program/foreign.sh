#!/bin/sh
# Other trainers' logs, made by real training (fixtures/foreign/make_logs.py): every format, healthy,
# collapsed, dead (nothing predicted at all) and diverged, through judge, compare and report.
. "$(dirname "$0")/tap.sh"
logs=$DETCHECK_ROOT/fixtures/foreign

# judged NAME STATUS VERDICT ARGUMENT...: the first line gives the verdict.
judged() {
	case=$1
	status=$2
	verdict=$3
	shift 3
	expect "$case" "$status" judge "$@"
	holds "$case: $verdict" sh -c "head -1 '$folder/out' | grep -qF ': $verdict'"
}

for kind in metrics scalars log; do
	judged "healthy.$kind" 0 "healthy: by step 300, box AP 0.8" "$logs/healthy.$kind.json" --steps 300
	judged "dead.$kind" 1 "collapsed (no_detections)" "$logs/dead.$kind.json" --steps 300
	judged "diverged.$kind" 1 "diverged (loss_not_finite)" "$logs/diverged.$kind.json" --steps 300
	says "diverged.$kind: which loss" out "loss_rpn_cls is nan"
	judged "healthy.$kind, more steps planned" 1 "incomplete (ended_early) at step 300" \
		"$logs/healthy.$kind.json" --steps 400
done
# Written by mmengine's and mmcv's own loggers.
for kind in mmengine mmcv; do
	judged "healthy.$kind" 0 "healthy: by step 300, box AP 0.8" --steps 300 "$logs/healthy.$kind.json"
	judged "dead.$kind" 1 "collapsed (no_detections) at step 50" --steps 300 "$logs/dead.$kind.json"
done
for kind in csv jsonl; do
	map="--map $logs/$kind.yaml"
	judged "healthy.$kind" 0 "healthy: by step 300" $map "$logs/healthy.$kind"
	judged "collapsed.$kind" 1 "collapsed (no_detections) at step 25" $map "$logs/collapsed.$kind"
	judged "dead.$kind" 1 "collapsed (no_detections) at step 25" $map "$logs/dead.$kind"
	judged "diverged.$kind" 1 "diverged (loss_not_finite)" $map "$logs/diverged.$kind"
done
truth="--gt $logs/truth.json"
judged "healthy results" 0 "healthy: by step 300, 160 detections at score >= 0.5 on 160 objects" \
	$truth "$logs/healthy_results"
judged "collapsed results" 1 "collapsed (no_detections) at step 75" $truth "$logs/collapsed_results"
judged "dead results" 1 "collapsed (no_detections) at step 75" $truth "$logs/dead_results"
judged "a checkpoint's results" 1 "collapsed (no_detections) at step 300" \
	$truth "$logs/collapsed_results/step_000300.json"

# The scores settle at 0.3 there and rank as well as ever: AP does not show it, the foreground does.
judged "collapsed.metrics" 1 "collapsed (foreground_missed) at step 19" \
	"$logs/collapsed.metrics.json" --steps 300
for kind in scalars log; do
	judged "collapsed.$kind" 0 "healthy: by step 300, box AP 0.8" "$logs/collapsed.$kind.json"
	says "collapsed.$kind: what it cannot show" out "whether scores reach 0.5 cannot be told"
	says "collapsed.$kind: which rules" out "cannot be told from this log: no_detections"
	judged "collapsed.$kind, strictly" 1 "incomplete (nothing_counted)" --strict \
		"$logs/collapsed.$kind.json"
	judged "collapsed.$kind with results" 1 "collapsed (no_detections) at step 75" $truth \
		--results "$logs/collapsed_results" "$logs/collapsed.$kind.json"
	judged "healthy.$kind with results" 0 "healthy: by step 300, 160 detections" $truth \
		--results "$logs/healthy_results" --strict "$logs/healthy.$kind.json"
done

# The judge's rules are the user's to set.
judged "a score that is reached" 0 "healthy: by step 300, 160 detections at score >= 0.3" $truth \
	--set judge.score=0.3 "$logs/collapsed_results"
expect "an unknown rule" 2 judge --set judge.scor=0.3 "$logs/healthy.metrics.json"
expect "another key" 2 judge --set seed=3 "$logs/healthy.metrics.json"
expect "a rule out of range" 2 judge --set judge.score=1.5 "$logs/healthy.metrics.json"
says "a rule out of range: the range" err "0 to 1"

expect "json" 1 judge --json "$logs/collapsed.metrics.json" "$logs/healthy.metrics.json" --steps 300
holds "json: parses" python3 -c "import json; v = json.load(open('$folder/out'));
assert [x['verdict'] for x in v] == ['collapsed', 'healthy'], v
assert 'no_detections' in v[1]['untold'], v"

# A score that is not finite is no damage: it is what the detector said.
sed 's/"score":[0-9.]*/"score":NaN/' "$logs/healthy_results/step_000300.json" >"$folder/step_300.json"
judged "results that are not finite" 1 "diverged (boxes_not_finite) at step 300" $truth \
	"$folder/step_300.json"
says "results that are not finite: counted" out ": 1 boxes or scores"
rm "$folder/step_300.json"

# Planned steps of a mapping hold with results beside it.
(cat "$logs/csv.yaml"; echo "steps: 400") >"$folder/map.yaml"
judged "a mapping's planned steps" 1 "incomplete (ended_early) at step 300" --map "$folder/map.yaml" \
	"$logs/healthy.csv" $truth --results "$logs/healthy_results"

# Damage that only a folder or a second file can have.
expect "no ground truth" 2 judge "$logs/healthy_results/step_000300.json"
says "no ground truth: the way out" err "--gt"
expect "a folder without results" 2 judge $truth "$folder"
says "a folder without results: said" err "no .json file of results"
cp "$logs/healthy_results/step_000300.json" "$folder/last.json"
expect "results without a step" 2 judge $truth "$folder/last.json"
says "results without a step: the way out" err "step_2000.json"
mkdir "$folder/twice"
cp "$folder/last.json" "$folder/twice/a_7.json"
cp "$folder/last.json" "$folder/twice/b_7.json"
expect "two results of one step" 2 judge $truth "$folder/twice"
says "two results of one step: named" err "are both of step 7"
expect "a log that is not there" 2 judge "$folder/none.json"
expect "no format of that name" 2 judge --format detektron2 "$logs/healthy.metrics.json"

expect "compare: a log with itself" 0 compare "$logs/healthy.metrics.json" "$logs/healthy.metrics.json"
says "compare: what was compared" out "equal: 15 steps and 12 evaluations, bit for bit"
expect "compare: two runs" 1 compare "$logs/healthy.csv" "$logs/collapsed.csv" --map "$logs/csv.yaml"
says "compare: what differs first" out "different: loss_rpn_cls first, at step 4"
expect "compare: within a tolerance" 0 compare --tolerance 1e-9 "$logs/dead.scalars.json" \
	"$logs/dead.scalars.json"
expect "compare: NaN is equal to nothing" 1 compare "$logs/diverged.log.json" "$logs/diverged.log.json"

expect "report" 0 report --no-plots -o "$folder/report.html" --steps 300 "$logs/healthy.metrics.json" \
	"$logs/collapsed.scalars.json"
holds "report: what cannot be told" grep -q "Cannot be told from this log: no_detections" \
	"$folder/report.html"
if gnuplot --version >/dev/null 2>&1; then
	expect "report: plots" 0 report -o "$folder/report.html" $truth --results "$logs/dead_results" \
		"$logs/healthy.log.json" "$logs/diverged.metrics.json"
	holds "report: plots are in it" grep -q "<svg" "$folder/report.html"
fi

finish
