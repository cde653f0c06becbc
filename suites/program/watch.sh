#!/bin/sh
# Following a log that grows: healthy, collapsed, diverged, a writer that is killed, a log that comes
# late, is replaced or truncated.
. "$(dirname "$0")/tap.sh"
logs=$DETCHECK_ROOT/fixtures/foreign
log=$folder/metrics.json

# write FROM FILE [LINES]: the lines of FROM into FILE, some at a time, as a trainer does; each batch
# but the last ends in the middle of a line for a moment.
write() {
	n=$(wc -l <"$1")
	at=0
	while [ "$at" -lt "${3:-$n}" ]; do
		at=$((at + 3))
		line=$(sed -n "${at}p" "$1")
		sed -n "$((at - 2)),$((at - 1))p" "$1" >>"$2"
		printf '%.40s' "$line" >>"$2"
		sleep 0.05
		printf '%s\n' "${line#"$(printf '%.40s' "$line")"}" >>"$2"
	done
}

# follow NAME STATUS ARGUMENT...: watches while $writer runs; its output is in $folder/out.
follow() {
	case=$1
	status=$2
	shift 2
	eval "$writer" >/dev/null 2>&1 &
	expect "$case" "$status" watch --interval 0.02 --timeout 100 "$@"
	kill $! 2>/dev/null
	wait $! 2>/dev/null
}

writer='sleep 0.3; write "$logs/healthy.metrics.json" "$log"'
follow "a healthy run, from before its first line" 0 --steps 300 "$log"
says "healthy: found late" out "metrics.json: found, a log of detectron2"
says "healthy: the verdict" out "healthy: by step 300"

rm "$log"
writer='write "$logs/collapsed.metrics.json" "$log"; touch "$folder/written"'
follow "a collapsed run" 1 --steps 300 "$log"
says "collapsed: rule and step" out "collapsed (foreground_missed) at step 19"

# Nothing is certain before judge.after: an empty detector is how all of them begin.
head -18 "$logs/collapsed.metrics.json" >"$log"
expect "collapsed, too early to say" 0 watch --once --steps 300 "$log"
says "too early: a warning" out "warning (fg_accuracy_low)"
says "too early: where it stands" out "of 300 steps; nothing certain yet"
expect "collapsed, steps not known" 0 watch --once "$logs/collapsed.metrics.json"
says "steps not known: a warning" out "would be a collapse if the run ended here"
expect "collapsed, and ended" 1 watch --interval 0.02 --idle 0.2 "$logs/collapsed.metrics.json"
says "ended: the verdict" out "collapsed (foreground_missed)"

# Divergence is certain at once: the log is not read to its end.
rm "$log"
writer='write "$logs/diverged.metrics.json" "$log"; sleep 5'
follow "a diverged run" 1 --steps 300 "$log"
says "diverged: rule and step" out "diverged (loss_not_finite) at step 119"
says "diverged: the loss" out "loss_rpn_cls is nan"

rm "$log"
writer='write "$logs/healthy.metrics.json" "$log" 12; printf "{\"iterat" >>"$log"; sleep 5'
follow "a writer that is killed within a line" 1 --idle 0.5 --steps 300 "$log"
says "killed: incomplete" out "incomplete (ended_early)"

for kind in scalars log; do
	rm -f "$log"
	writer='write "$logs/dead.$kind.json" "$log"'
	follow "a dead run, $kind" 1 --steps 300 "$log"
	says "dead, $kind: the rule" out "collapsed (no_detections)"
done
for kind in csv jsonl; do
	rm -f "$log"
	writer='write "$logs/collapsed.$kind" "$log"'
	follow "a collapsed run, $kind" 1 --steps 300 --map "$logs/$kind.yaml" "$log"
	says "collapsed, $kind: the rule" out "collapsed (no_detections) at step 25"
done

# Result files as they come.
mkdir "$folder/results"
writer='for file in "$logs"/collapsed_results/*; do sleep 0.1; cp "$file" "$folder/results"; done'
follow "results, one a checkpoint" 1 --steps 300 --gt "$logs/truth.json" "$folder/results"
says "results: the rule" out "collapsed (no_detections) at step 75"

# Another log under the same name, as after a restart; and one cut to nothing in between.
cp "$logs/diverged.metrics.json" "$log.old"
head -4 "$log.old" >"$log"
writer='sleep 0.2; : >"$log"; sleep 0.2; write "$logs/healthy.metrics.json" "$log.new"; mv "$log.new" "$log"'
follow "truncated and replaced" 0 --steps 300 "$log"
says "replaced: the new one's verdict" out "healthy: by step 300"

# Our own log says itself how many steps are planned.
"$detcheck" train --set image_size=64 --set model.preset=custom --set model.width=8 \
	--set model.fpn_channels=8 --set model.fc_dim=16 --set schedule.steps=40 \
	--set schedule.warmup_steps=0 --set train.batch_size=1 --set eval.every=10 --set eval.images=2 \
	--out "$folder/ours" >/dev/null 2>&1 </dev/null &
trainer=$!
expect "our own run" 1 watch --interval 0.02 --timeout 100 "$folder/ours"
wait $trainer
says "our own run: the verdict" out "ours: collapsed (no_detections)"
holds "our own run: as judge says" sh -c \
	"'$detcheck' judge '$folder/ours' | head -1 | grep -qxF \"\$(grep collapsed '$folder/out' | head -1)\""

expect "no log, once" 2 watch --once "$folder/none.json"
says "no log, once: said" err "no log there"
expect "no log in time" 2 watch --timeout 0.2 --interval 0.05 "$folder/none.json"
says "no log in time: said" err "and none came"
expect "the time is up" 1 watch --timeout 0.2 --interval 0.05 --steps 400 "$logs/healthy.metrics.json"
says "the time is up: said" out "running, 300 of 400 steps; the time is up"
printf '{"iteration": 1, "total_loss": 1}\n{"iteration" 2}\n{"iteration": 3}\n' >"$log"
name="a damaged log"
expect "$name" 2 watch --interval 0.02 --timeout 20 "$log"
says "$name: where" err "metrics.json:2: not a line of JSON"
expect "two logs" 2 watch "$log" "$log"
expect "no log" 2 watch
expect "not a time" 2 watch --idle soon "$log"

finish
