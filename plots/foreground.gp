# Foreground accuracy of the training batches: total accuracy and loss look best when everything is
# called background, this one looks worst.
set multiplot layout 1,2 title "Foreground predicted right (moving mean): " . TITLE font ",15"
set yrange [-0.02:1.02]
set ylabel "share of foreground rows"
do for [panel = 0:1] {
    set title (panel ? "RoI head: class right" : "RPN: objectness above 0.5")
    plot for [i = 1:N] STEPS_OF(i) using 1:(column(22 + panel)) with linespoints \
             lc rgb COLOR(i) lw 2.2 pt MARK(i) ps 0.9 pn 10 title NAME[i]
}
