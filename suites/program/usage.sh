#!/bin/sh
# What the program says and returns when it is asked for help, or asked wrongly.
. "$(dirname "$0")/tap.sh"

expect "no command" 2
says "no command: the way out" err "detcheck --help"

expect "help" 0 --help
says "help: exit statuses" out "Exit status: 0 good"
commands=$(awk '/^  [a-z]/ { print $1 }' "$folder/out")
holds "help: lists commands" test -n "$commands"

expect "version" 0 --version
holds "version: a number" grep -qE '^detcheck [0-9]+\.[0-9]+\.[0-9]+$' "$folder/out"

expect "unknown command" 2 confg
says "unknown command: nearest" err "confg: unknown command; nearest is config"
expect "unknown option instead of a command" 2 --hlep
expect "empty command" 2 ""
expect "a name with line breaks" 2 judge "no
such
run"
says "a name with line breaks: one line" err "no?such?run: No such file"

for command in $commands; do
	expect "$command --help" 0 "$command" --help
	says "$command --help: usage" out "Usage: detcheck $command"
	expect "$command --no-such-option" 2 "$command" --no-such-option
	says "$command --no-such-option: named" err "no-such-option"
done

name="a full disk behind stdout"
problem="not noticed"
"$detcheck" config >/dev/full 2>"$folder/err" || [ $? -ne 2 ] || problem=
report
says "a full disk: the reason" err "No space left on device"
name="help for a full disk"
problem="not noticed"
"$detcheck" train --help >/dev/full 2>"$folder/err" || [ $? -ne 2 ] || problem=
report
says "help for a full disk: the reason" err "No space left on device"

finish
