# What all plots share. Loaded before each; runs.gp (written with the data) says what is plotted:
# N runs, NAME[i], CLIP[i], CLIPPED[i], CLOSED[i], BAD[i], TITLE, SCORE, STEPS, DETECTIONS_MAX, and
# of each loss c the HIGHEST[c] and TYPICAL[c] value.
reset
set datafile separator tab
set datafile missing "?"
set termoption noenhanced
set encoding utf8

# Okabe and Ito's colours, which the colour-blind can tell apart; the marks say it again.
COLOR(i) = word("#D55E00 #0072B2 #009E73 #CC79A7 #E69F00 #56B4E9 #000000 #8B5A2B", i)
MARK(i) = int(word("7 5 9 11 13 15 4 6", i))
STEPS_OF(i) = sprintf("%d.steps.tsv", i)
EVALS_OF(i) = sprintf("%d.evals.tsv", i)

set border 3 lc rgb "#555555"
set tics nomirror textcolor rgb "#333333"
set grid lc rgb "#e4e4e4" lt 1 lw 1
set key Left reverse samplen 2.5 spacing 1.15 textcolor rgb "#222222"
set key outside below center horizontal height 0.6
set xrange [0:STEPS]
set xlabel "optimiser steps" offset 0,0.3

# Counts grow as log10(1 + n): equal ratios look alike, as on a log axis, and 0 has a place.
COUNT_TICS = "(0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000, 100000)"
