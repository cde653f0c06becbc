#!/bin/sh
# The job that README shows for another project's CI, its own lines run as they stand: a "trainer" that
# writes a log made by real training, and a healthy and a collapsed one of it.
. "$(dirname "$0")/tap.sh"
logs=$DETCHECK_ROOT/fixtures/foreign

# The lines, but for the one that clones and builds, with the numbers of the fixtures.
job=$(sed -n '/^    python train.py/,/^$/p' "$DETCHECK_ROOT/README.md" |
	sed 's/^    //; s/--steps 90000/--steps 300/; s/--idle 900/--idle 60 --interval 0.05/')
name="README: the job is there"
problem=
[ "$(echo "$job" | grep -c detcheck/build/harness/detcheck)" -eq 3 ] || problem="not the lines: $job"
report

mkdir -p "$folder/job/detcheck/build/harness" "$folder/job/bin" "$folder/job/main"
ln -s "$(realpath "$detcheck")" "$folder/job/detcheck/build/harness/detcheck"
cp "$logs/healthy.metrics.json" "$folder/job/main/metrics.json"
cp "$logs/truth.json" "$folder/job/val.json"

# `python train.py --output out`: writes the log of $RUN, then works on.
cat >"$folder/job/bin/python" <<'SH'
#!/bin/sh
[ "$1 $2" = "train.py --output" ] || exit 9
echo $$ >trainer.pid
mkdir -p "$3"
cp -r "$LOGS/${RUN}_results" "$3/detections"
while read -r line; do
	echo "$line"
	sleep 0.02
done <"$LOGS/$RUN.metrics.json" >"$3/metrics.json"
sleep 30
echo finished >finished
SH
chmod +x "$folder/job/bin/python"

# works NAME RUN STATUS: the job over that run.
works() {
	name=$1
	problem=
	got=0
	rm -rf "$folder/job/out" "$folder/job/finished"
	(cd "$folder/job" && PATH="$PWD/bin:$PATH" LOGS=$logs RUN=$2 sh -ec "$job") \
		>"$folder/out" 2>"$folder/err" </dev/null || got=$?
	[ "$got" -eq "$3" ] || problem="status $got, want $3"
	kill "$(cat "$folder/job/trainer.pid")" 2>/dev/null
	report
}

works "a healthy run passes" healthy 0
says "healthy: watched" out "out: healthy: by step 300"
says "healthy: its detections" out "160 detections at score >= 0.5 on 160 objects"
says "healthy: compared" out "equal: 5 steps"
works "a collapsed run fails" collapsed 1
says "collapsed: the verdict" out "out: collapsed (foreground_missed)"
holds "collapsed: the trainer was stopped" test ! -e "$folder/job/finished"

finish
