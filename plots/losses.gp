# The total and the five losses: thin as logged, thick a moving mean. A panel turns logarithmic
# where a spike would press everything else flat. An x on top: the loss is not finite there.
LOSSES = "loss loss_rpn_cls loss_rpn_bbox loss_cls loss_bbox loss_mask"
bad = 0
do for [i = 1:N] { bad = bad + BAD[i] }
set multiplot layout 2,3 title "Losses: " . TITLE . (bad ? " (x: not finite)" : "") font ",15"
set y2range [0:1]
do for [c = 1:6] {
    set title word(LOSSES, c) . (c == 1 ? " (total)" : "")
    set ylabel (c % 3 == 1 ? "loss" : "")
    unset key
    if (c == 1) { set key inside top right vertical height 0 opaque }
    unset logscale y
    set yrange [0:*]
    if (HIGHEST[c] > 20 * TYPICAL[c] && TYPICAL[c] > 0) {
        set logscale y
        set yrange [*:*]
    }
    if (HIGHEST[c] == 0) { set yrange [0:1] }
    plot for [i = 1:N] STEPS_OF(i) using 1:(column(1 + c)) with lines \
             lc rgb "#60" . substr(COLOR(i), 2, 7) lw 0.6 notitle, \
         for [i = 1:N] STEPS_OF(i) using 1:(column(7 + c)) with linespoints \
             lc rgb COLOR(i) lw 2.2 pt MARK(i) ps 0.8 pn 6 title NAME[i], \
         for [i = 1:N] STEPS_OF(i) using 1:(column(13 + c) > 0 ? 0.97 : NaN) axes x1y2 with points \
             pt 2 ps 0.6 lc rgb COLOR(i) notitle
}
