#!/bin/sh
# What is not equal to the bit by contract, measured: the default recipe's fixed and unfixed run,
# 60 steps of each over the whole length, repeated step by step with other BLAS cores, another
# compiler, without optimisation, and in bf16 and fp16. Prints the table of docs/teacher_forced.md.
#
#   suites/teacher/builds.sh build/harness/detcheck     builds two more programs: minutes
. "$(dirname "$0")/../program/tap.sh"
source=$(cd "$(dirname "$0")/../.." && pwd)
DETCHECK_ROOT=$source
export DETCHECK_ROOT
steps=60
every=5

# build NAME COMPILER OPTION: another program from this source; its name is in $built.
build() {
	built=$folder/$1/harness/detcheck
	{ CC=$2 meson setup -Dcuda=disabled "$folder/$1" "$source" "$3" &&
		ninja -C "$folder/$1" harness/detcheck; } >"$folder/err" 2>&1
}

holds "clang" build clang clang -Doptimization=3
clang=$built
holds "gcc -O0" build O0 gcc -Doptimization=0
unoptimised=$built

# row NAME: of the comparison in $folder/out, as a row of the table.
row() {
	awk -v name="$1" '
		$1 == "worst" { loss = $2; value = $3; gradient = $4; norm = $5; update = $6 }
		/^(anchor|proposal|RoI|ReLU|maximum|clip|skip)/ {
			sub(/proposal /, "proposal_"); sub(/RoI level/, "RoI_level")
			flips += $2; following += $3
			if ($2 > 0) kinds = kinds (kinds ? ", " : "") $2 " " $1
			if ($NF != "-" && $NF > worst) worst = $NF
		}
		END {
			gsub(/_/, " ", kinds)
			printf "# | %s | %s | %s | %s | %s | %s | %d + %d%s | %s |\n", name, loss, value, gradient,
				norm, update, flips, following, kinds ? ": " kinds : "", worst ? worst : "-"
		}' "$folder/out"
}

# pupil NAME PROGRAM CORE ARGUMENT...: the trace repeated by it, which must agree.
pupil() {
	what=$1
	detcheck=$2
	OPENBLAS_CORETYPE=$3
	shift 3
	expect "$what" 0 compare --teacher-forced "$folder/trace" --threads 1 "$@"
	row "$what"
	detcheck=$own
}

# record ARGUMENT...: the teacher's run, with Haswell kernels.
record() {
	rm -rf "$folder/trace"
	OPENBLAS_CORETYPE=Haswell
	expect "$side: recorded" 0 trace --out "$folder/trace" --steps $steps --every $every \
		--threads 1 $settings "$@"
}

own=$detcheck
export OPENBLAS_CORETYPE
echo "# | pair | losses | values | gradients | norm | update | flips + following | of the limit |"
for side in fixed unfixed; do
	settings=
	[ $side = fixed ] ||
		settings="--set rpn_cls_pos_weight=1.0 --set roi_cls_pos_weight=1.0"
	record
	for core in SkylakeX Zen Sandybridge Prescott; do
		[ $core != SkylakeX ] || grep -q avx512f /proc/cpuinfo || continue
		pupil "$side: Haswell, $core" "$own" $core
	done
	pupil "$side: gcc, clang" "$clang" Haswell
	pupil "$side: -O3, -O0" "$unoptimised" Haswell
	for precision in bf16 fp16; do
		pupil "$side: fp32, $precision" "$own" Haswell --set model.precision=$precision
	done
	for precision in bf16 fp16; do
		record --set model.precision=$precision
		pupil "$side: $precision: Haswell, Sandybridge" "$own" Sandybridge
	done
done

finish
