#!/bin/sh
# Configuration as the program reads it: the file, the overrides, and what is wrong with them.
. "$(dirname "$0")/tap.sh"

expect "defaults" 0 config
says "defaults: the fixes" out "rpn_cls_pos_weight: 5.0"
cp "$folder/out" "$folder/defaults.yaml"
expect "defaults read back" 0 config --config "$folder/defaults.yaml"
holds "defaults read back: the same" cmp "$folder/out" "$folder/defaults.yaml"
expect "config.yaml" 0 config --config "$DETCHECK_ROOT/config.yaml"
holds "config.yaml: the defaults" cmp "$folder/out" "$folder/defaults.yaml"

expect "settings" 0 config --set optimizer.lr=0.5 --set seed=7 --set optimizer.lr=0.25
says "settings: the last one counts" out "  lr: 0.25"
says "settings: every one" out "seed: 7"

expect "preset over the file" 0 config --config "$folder/defaults.yaml" --set model.preset=r50
says "preset over the file: as a whole" out "layers: [3, 4, 6, 3]"
expect "single keys over the preset" 0 config --set model.width=32 --set model.preset=r18
says "single keys over the preset: whatever the order" out "width: 32"
printf 'model:\n  width: 32\n  preset: r18\n' >"$folder/preset.yaml"
expect "preset in the file" 0 config --config "$folder/preset.yaml"
says "preset in the file: single keys go over it" out "width: 32"
says "preset in the file: the rest is the preset's" out "fpn_channels: 256"
printf 'mask:\n  # enabled: false\neval: {}\n' >"$folder/empty.yaml"
expect "sections with nothing set" 0 config --config "$folder/empty.yaml"

# refuse NAME TEXT WANT: a file with this TEXT is refused with a message that has WANT.
refuse() {
	printf "$2" >"$folder/bad.yaml"
	expect "$1" 2 config --config "$folder/bad.yaml"
	says "$1: where and what" err "bad.yaml:$3"
}
refuse "unknown key" 'seed: 1\noptimizr:\n  lr: 1\n' \
	'3: optimizr.lr: unknown key; nearest is optimizer.lr'
refuse "wrong type" 'seed: one\n' '1: seed: expected a whole number'
refuse "out of range" '\nfocal_gamma: -1\n' '2: focal_gamma: -1 is out of range'
refuse "a section for a value" 'seed:\n  a: 1\n' '2: seed.a: unknown key'
refuse "a value for a section" 'optimizer: 3\n' '1: optimizer: unknown key'
refuse "a list for a number" 'seed: [1]\n' '1: seed: expected a whole number'
refuse "twice the same key" 'seed: 1\nseed: 2\n' '2: seed: set before, in line 1'
refuse "not YAML" 'seed: [1\n' '2: '
refuse "a contradiction" 'schedule:\n  steps: 5\n' ' schedule.warmup_steps: 20 is longer'

expect "missing file" 2 config --config "$folder/none.yaml"
says "missing file: named" err "none.yaml: No such file"
expect "folder for a file" 2 config --config "$folder"
expect "unknown key in --set" 2 config --set lr=1
says "unknown key in --set: nearest" err "--set lr=1: lr: unknown key; nearest is optimizer.lr"
expect "no value in --set" 2 config --set optimizer.lr
says "no value in --set: the form" err "expected KEY=VALUE"
expect "no key in --set" 2 config --set =3
expect "contradiction by --set" 2 config --set roi_cls_reduction=sum
says "contradiction by --set: the way out" err "set roi_cls_avg_factor to none"

finish
