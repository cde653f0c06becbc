#!/bin/sh
# within.sh DETCHECK ENVELOPE: a real training with a seed that the envelope has not seen is inside;
# the same training with the RoI weight silently left at 1.0 is not.
set -eu
detcheck=$1
envelope=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# train NAME ARGUMENT...: with the envelope's settings.
train() {
	name=$1
	shift
	sed -n 's/^set: \(.*\)/--set\n\1/p' "$envelope" >"$folder/settings"
	while read -r word; do
		set -- "$@" "$word"
	done <"$folder/settings"
	"$detcheck" train --seed 2001 --threads 1 --out "$folder/$name" "$@" >"$folder/out" 2>&1 || true
	[ -s "$folder/$name/log.jsonl" ] || {
		cat "$folder/out"
		exit 1
	}
}

train same
"$detcheck" judge --envelope "$envelope" "$folder/same" >"$folder/out" || true
cat "$folder/out"
! grep -q off_golden "$folder/out" || exit 1

train unweighted --set roi_cls_pos_weight=1.0
sed -i 's/"roi_cls_pos_weight": *1\(\.0\)*\([,}]\)/"roi_cls_pos_weight":3.0\2/' "$folder/unweighted/log.jsonl"
"$detcheck" judge --envelope "$envelope" "$folder/unweighted" >"$folder/out" || true
cat "$folder/out"
grep -q 'off_golden (\(outside\|far_from\)_envelope)' "$folder/out"
