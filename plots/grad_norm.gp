# The gradient's norm before clipping. Rings: clipped steps. An x on top: not finite.
set title "Gradient norm before clipping: " . TITLE font ",15"
set logscale y
set ylabel "global L2 norm"
set format y "%g"
set y2range [0:1]
set yrange [*:*]
plot for [i = 1:N] STEPS_OF(i) using 1:20 with lines lc rgb COLOR(i) lw 1.3 \
         title NAME[i], \
     for [i = 1:N] STEPS_OF(i) using 1:($21 > 0 ? $20 : NaN) with points pt 6 ps 0.9 lw 1.4 \
         lc rgb COLOR(i) title sprintf("%s: %d steps clipped", NAME[i], CLIPPED[i]), \
     for [i = 1:N] STEPS_OF(i) using 1:($24 > 0 ? 0.97 : NaN) axes x1y2 with points pt 2 ps 1.2 lw 2 \
         lc rgb COLOR(i) title (BAD[i] ? NAME[i] . ": not finite" : ""), \
     for [i = 1:N] (CLIP[i] > 0 ? CLIP[i] : NaN) with lines lc rgb "#777777" lw 1.4 dt 2 \
         title (CLIP[i] > 0 && (i == 1 || CLIP[i] != CLIP[1]) \
                ? sprintf("clip_grad_norm %g", CLIP[i]) : "")
