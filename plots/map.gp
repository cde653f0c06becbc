# COCO mean average precision, boxes and masks. It ranks detections, whatever their scores are: a
# collapse below a threshold does not show here.
set multiplot layout 1,2 title "Validation mAP: " . TITLE font ",15"
set yrange [0:1.02]
do for [panel = 0:1] {
    set title (panel ? "masks" : "boxes")
    set ylabel "average precision (AP: IoU .50 to .95)"
    ap = 18 + 2 * panel
    plot for [i = 1:N] EVALS_OF(i) using 1:(column(ap)) with linespoints \
             lc rgb COLOR(i) lw 2.2 pt MARK(i) ps 0.8 title NAME[i] . ", AP", \
         for [i = 1:N] EVALS_OF(i) using 1:(column(ap + 1)) with lines \
             lc rgb COLOR(i) lw 1.4 dt 3 title NAME[i] . ", AP50"
}
