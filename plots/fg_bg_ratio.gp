# Predicted foreground over predicted background. asinh is linear next to 0 and logarithmic above,
# so that a ratio of 0 (everything is background) can be seen.
set multiplot layout 1,2 title "Predicted foreground / background: " . TITLE font ",15"
FLOOR = 1e-4
set nonlinear y via asinh(y / FLOOR) inverse sinh(y) * FLOOR
set yrange [-FLOOR / 4:3]
set ytics ("0" 0, "0.0001" 1e-4, "0.001" 1e-3, "0.01" 1e-2, "0.1" 1e-1, "1" 1)
set ylabel "ratio (logarithmic, with 0)"
set arrow from graph 0, first 0 to graph 1, first 0 nohead lc rgb "#999999" lw 1
do for [panel = 0:1] {
    set title (panel ? "RoI head: RoIs by arg-max" : "RPN: anchors with objectness >= 0.5")
    plot for [i = 1:N] EVALS_OF(i) using 1:(column(15 + panel)) with linespoints \
             lc rgb COLOR(i) lw 2.2 pt MARK(i) ps 1 title NAME[i]
}
