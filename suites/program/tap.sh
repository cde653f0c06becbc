# Sourced by the tests of the built program, which is $1. Each `expect` runs it once.
detcheck=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tests=0

# expect NAME STATUS ARGUMENT...: runs the program; its output is in $folder/out and $folder/err. An
# exit status of 2, 77 or 125 must come with one line on stderr and nothing on stdout.
expect() {
	name=$1
	want=$2
	shift 2
	got=0
	"$detcheck" "$@" >"$folder/out" 2>"$folder/err" </dev/null || got=$?
	problem=
	[ "$got" -eq "$want" ] || problem="status $got, want $want"
	case $want in
	2 | 77 | 125)
		[ "$(wc -l <"$folder/err")" -eq 1 ] || problem="$problem; not one line on stderr"
		[ ! -s "$folder/out" ] || problem="$problem; output on stdout"
		;;
	esac
	report
}

# says NAME FILE TEXT: the program's last output (out or err) has TEXT.
says() {
	name=$1
	problem=
	grep -qF -e "$3" "$folder/$2" || problem="no '$3' on std$2"
	report
}

# holds NAME COMMAND...: the command succeeds.
holds() {
	name=$1
	shift
	problem=
	"$@" >"$folder/err" 2>&1 || problem="$* failed"
	report
}

report() {
	tests=$((tests + 1))
	if [ -z "$problem" ]; then
		echo "ok $tests - $name"
		return
	fi
	echo "not ok $tests - $name"
	# Of a TAP program `meson test` shows standard error alone.
	{
		echo "$name: $problem"
		sed 's/^/  err: /' "$folder/err" | head -20
		echo "  rerun: DETCHECK_ROOT=$DETCHECK_ROOT OPENBLAS_CORETYPE=$OPENBLAS_CORETYPE $0 $detcheck"
	} >&2
}

finish() {
	echo "1..$tests"
}
