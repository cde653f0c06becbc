#!/bin/sh
# Every oracle vector of a folder through `detcheck verify`: vectors.sh DETCHECK FOLDER [OPTION]...
# Skipped where the folder is not there (the shared set lives beside the source tree, not in it), and
# where there is no GPU for `--backend cuda`, unless DETCHECK_REQUIRE_GPU says that there must be one.
program=$1
folder=$2
shift 2
[ -d "$folder" ] || exit 77
status=0
"$program" verify "$@" "$folder" || status=$?
[ "$status" -ne 77 ] || [ "${DETCHECK_REQUIRE_GPU:-0}" != 1 ] || status=1
exit $status
