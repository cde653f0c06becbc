#!/bin/sh
# interchange.py by the first Python that has torchvision: $DETCHECK_PYTHON, python3, the system's.
# Skipped where none has.
for python in ${DETCHECK_PYTHON:+"$DETCHECK_PYTHON"} python3 /usr/bin/python3; do
	if "$python" -c 'import torchvision' 2>/dev/null; then
		exec "$python" "$(dirname "$0")/interchange.py" "$1"
	fi
done
exit 77
