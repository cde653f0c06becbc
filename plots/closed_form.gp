# Trained scores over the closed form s = w p / (w p + 1 - p).
# By hand: cd plots/data && gnuplot -d closed_form.gp
load 'closed_form_points.gp'
PNG = strstrt(GPVAL_TERMINALS, "pngcairo") ? "pngcairo" : "png"
do for [format in "svg png"] {
    if (format eq "svg") {
        set terminal svg noenhanced font 'sans-serif,14' name 'closed_form' size 800,560 \
            background rgb 'white'
    } else {
        eval("set terminal " . PNG . " noenhanced font 'sans,11' size 800,560 background rgb 'white'")
    }
    set output "../closed_form." . format
    STEPS = 1
    load 'style.gp'
    set title "Score at objects against the closed form w p / (w p + 1 - p)"
    set xrange [0:1]
    set yrange [0:1]
    set xlabel "p: share of what looks alike that is annotated"
    set ylabel "mean score at objects"
    set key inside bottom right vertical height 0
    set samples 400
    set arrow from 0, 0.5 to 1, 0.5 nohead lc rgb "#999999" lw 1 dt 2
    plot for [i = 1:N] WEIGHT[i] * x / (WEIGHT[i] * x + 1 - x) with lines lc rgb COLOR(i) lw 1.6 \
             title sprintf("w = %g", WEIGHT[i]), \
         for [i = 1:N] sprintf("closed_form.%d.tsv", i) using 1:2 with points lc rgb COLOR(i) \
             pt MARK(i) ps 1.2 title NAME[i]
    set output
}
