#!/bin/sh
# No atomics on floats in the kernels, whose sums would then depend on the order of threads: atomics are
# called in kernel.h alone, on integers.
cd "$DETCHECK_ROOT/detector/backend/cuda" || exit 99
calls=$(grep -nE 'atomic(Add|Sub|Exch|Min|Max|Inc|Dec|CAS|And|Or|Xor)' -- *.cu *.cuh *.h)
elsewhere=$(echo "$calls" | grep -v '^kernel\.h:')
floats=$(grep -nE 'det_atomic_[a-z]+\((float|double)' kernel.h)
[ -n "$calls" ] || { echo "no atomics found: is this the folder of the kernels?"; exit 99; }
[ -z "$elsewhere" ] || echo "outside kernel.h: $elsewhere"
[ -z "$floats" ] || echo "on floats: $floats"
[ -z "$elsewhere$floats" ]
