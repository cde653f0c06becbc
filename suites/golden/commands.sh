#!/bin/sh
# The commands of goldens from outside: a new table, checked, moved, looked at, accepted; and every
# kind of bad input: one line, status 2, the table as it was.
. "$(dirname "$0")/../program/tap.sh"

export DETCHECK_GOLDEN="$folder/golden"
export TMPDIR="$folder/temporary"
mkdir "$TMPDIR"
table=$DETCHECK_GOLDEN/runs/small.txt
mkdir -p "$DETCHECK_GOLDEN/runs"
new_table() {
	cat >"$table" <<-END
		detcheck golden run 1
		set: data=lookalike
		set: model.preset=custom
		set: model.width=4
		set: model.groups=4
		set: model.fpn_channels=8
		set: model.fc_dim=16
		set: model.mask_channels=4
		set: train.batch_size=2
		set: schedule.steps=6
		set: schedule.warmup_steps=2
		set: eval.every=3
		set: eval.images=2
		set: checkpoint.every=0
	END
}

# unchanged NAME: the table is as it was kept.
unchanged() {
	holds "$1: the table is as it was" cmp "$folder/kept" "$table"
}

new_table
expect "a table of nothing does not hold" 1 golden check small
says "and says so" out "missing"
expect "accept without a reason" 2 golden accept small
expect "a reason without words" 2 golden accept --reason ' - ' small
expect "a reason of two lines" 2 golden accept --reason 'one
two' small
expect "the first values" 0 golden accept --reason 'first values' small
holds "the reason is kept" grep -q '^accepted: .*: first values$' "$table"
expect "check" 0 golden check small
says "to the bit" out "to the bit (the same numerics)"
expect "check all of them" 0 golden check
expect "check by path, two threads" 0 golden check --threads 2 "$table"
expect "diff of nothing" 0 golden diff small
cp "$table" "$folder/kept"
expect "nothing moved: nothing to accept" 2 golden accept --reason 'because' small
unchanged "nothing moved"

sed -i 's/^\(loss_rpn_bbox *| 2 *| *\)0/\11/' "$table"
cp "$table" "$folder/kept"
expect "a moved value" 1 golden check small
says "the row" out "loss_rpn_bbox"
says "the command to accept it" out "detcheck golden accept --reason"
expect "diff" 1 golden diff small
says "what moved first" out "first part of the loss to move: loss_rpn_bbox, at step 2"
unchanged "check and diff write nothing"
expect "accept it" 0 golden accept --reason 'the value was bent' small
expect "check again" 0 golden check small
holds "both reasons are kept" test "$(grep -c '^accepted: ' "$table")" -eq 2

sed -i '/^rpn_positives *| 5/s/exact/abs 1/' "$table"
sed -i '/^loss_mask *| 5/d' "$table"
expect "a missing row" 1 golden check small
expect "accept the row" 0 golden accept --reason 'a row was lost' small
holds "tolerances set by hand stay" grep -q '^rpn_positives *| 5 .*abs 1' "$table"

sed -i 's/; core=[A-Za-z]*/; core=Other/' "$table"
cp "$table" "$folder/kept"
expect "other numerics: by tolerance" 0 golden check small
says "which differ" out "core is Other in the table"
says "and what is not compared" out "rows not compared"
expect "accept with other numerics" 2 golden accept --reason 'by mistake' small
unchanged "other numerics"
expect "on purpose" 0 golden accept --new-numerics --reason 'another core' small

echo 'loss_mask | 5 | 0.' | tr -d '\n' >>"$table"
cp "$table" "$folder/kept"
expect "a torn row" 2 golden check small
says "file and line" err "small.txt:"
expect "accept a torn table" 2 golden accept --reason 'because' small
unchanged "a torn table"

# What diverges is never recorded.
new_table
printf 'set: optimizer.lr=1.0\nset: clip_grad_norm=0\nset: optimizer.momentum=0.999\n' >>"$table"
sed -i 's/schedule.steps=6/schedule.steps=60/' "$table"
cp "$table" "$folder/kept"
expect "not finite: not accepted" 2 golden accept --reason 'it diverges' small
says "and named" err "not a value to accept"
unchanged "not finite"

expect "an unknown name" 2 golden check smal
says "the nearest" err '"small"'
expect "no such file" 2 golden check "$folder/nothing.txt"
expect "no subcommand" 2 golden
expect "an unknown subcommand" 2 golden chekc
expect "threads that are none" 2 golden check --threads 0 small
holds "no run is left behind" test -z "$(ls -A "$TMPDIR")"
finish
