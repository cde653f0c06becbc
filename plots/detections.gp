# Detections: over the run at judge.score, and over the ladder of thresholds at the end.
set multiplot layout 1,2 title "Detections on the validation images: " . TITLE font ",15"
set nonlinear y via log10(1 + y) inverse 10**y - 1
set yrange [-0.3:2 * DETECTIONS_MAX + 10]
eval("set ytics " . COUNT_TICS)
set ylabel "detections (logarithmic, with 0)"
set arrow from graph 0, first 0 to graph 1, first 0 nohead lc rgb "#999999" lw 1

set title sprintf("over the run, score >= %g", SCORE)
plot for [i = 1:N] EVALS_OF(i) using 1:2 with linespoints \
         lc rgb COLOR(i) lw 2.2 pt MARK(i) ps 1 title NAME[i], \
     for [i = 1:N] EVALS_OF(i) using 1:($22 > 0 ? $2 : NaN) with points \
         pt 2 ps 1.6 lw 2 lc rgb "black" title (BAD[i] ? NAME[i] . ": not finite" : ""), \
     EVALS_OF(1) using 1:9 with lines lc rgb "#777777" lw 1.4 dt 2 title "objects to find"

set title "over score thresholds, last evaluation"
set xrange [-0.3:5.3]
set xlabel "score threshold"
set xtics ("0.05" 0, "0.1" 1, "0.3" 2, "0.5" 3, "0.7" 4, "0.9" 5)
plot for [i = 1:N] sprintf("%d.ladder.tsv", i) using 0:2 with linespoints \
         lc rgb COLOR(i) lw 2.2 pt MARK(i) ps 1 title NAME[i], \
     for [i = 1:N] sprintf("%d.ladder.tsv", i) using 0:3 with lines \
         lc rgb COLOR(i) lw 1.4 dt 3 title NAME[i] . ", objects found"
