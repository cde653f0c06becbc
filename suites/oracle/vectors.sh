#!/bin/sh
# Every oracle vector of a folder through `detcheck verify`: vectors.sh DETCHECK FOLDER. Skipped
# where the folder is not there (the shared set lives beside the source tree, not in it).
[ -d "$2" ] || exit 77
exec "$1" verify "$2"
