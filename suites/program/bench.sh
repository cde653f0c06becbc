#!/bin/sh
# `detcheck bench`: its figures as text and as JSON, and what it refuses.
. "$(dirname "$0")/tap.sh"

small="--threads 1 --set train.batch_size=1 --set eval.batch_size=1"

expect "text" 0 bench --steps 2 $small
says "text: the step" out "training step"
says "text: what the cost depends on" out "mean positives a step"

expect "JSON" 0 bench --steps 2 --json $small
says "JSON: the step" out '"training_step":{"median":'
says "JSON: memory" out '"memory_planned":'
holds "JSON: one line" test "$(wc -l <"$folder/out")" -eq 1

expect "no step" 2 bench --steps 0
says "no step: the range" err "1 to 100000"
expect "not a number" 2 bench --steps ten
expect "a number and more" 2 bench --steps 3x
expect "no GPU" 77 bench --backend cuda --steps 1

finish
