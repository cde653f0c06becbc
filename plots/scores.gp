# Scores against the threshold that counts, and against the closed form where it is known: a head
# with class weight w settles at s = w p / (w p + 1 - p), p the foreground share of what looks alike.
set multiplot layout 1,2 title "Scores on the validation images: " . TITLE font ",15"
set yrange [0:1.02]
set ylabel "score"
set arrow from graph 0, first SCORE to graph 1, first SCORE nohead lc rgb "#777777" lw 1.4 dt 2
set label sprintf("judge.score %g", SCORE) at graph 0.02, first SCORE left offset 0,0.6 \
    textcolor rgb "#555555"
set title "highest score"
plot for [i = 1:N] EVALS_OF(i) using 1:10 with linespoints \
         lc rgb COLOR(i) lw 2.2 pt MARK(i) ps 0.8 title NAME[i]
set title "mean score of the box head at the objects' own boxes"
law_title(i) = CLOSED[i] >= 0 ? sprintf("%s, law: %.3f", NAME[i], CLOSED[i]) : ""
plot for [i = 1:N] EVALS_OF(i) using 1:11 with linespoints \
         lc rgb COLOR(i) lw 2.2 pt MARK(i) ps 0.8 title NAME[i], \
     for [i = 1:N] (CLOSED[i] >= 0 ? CLOSED[i] : NaN) with lines \
         lc rgb COLOR(i) lw 1.6 dt 3 title law_title(i)
