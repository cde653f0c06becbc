# A gnuplot script as one C string literal: each line quoted, with its newline.
s/\\/\\\\/g
s/"/\\"/g
s/^/"/
s/$/\\n"/
