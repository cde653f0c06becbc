# Draws every plot as SVG and PNG into the folder above. By hand, after any change:
#     cd plots/data && gnuplot -d all.gp
load 'runs.gp'
PLOTS = "losses map detections fg_bg_ratio foreground scores grad_norm"
HEIGHTS = "720 480 480 460 460 480 460"
PNG = strstrt(GPVAL_TERMINALS, "pngcairo") ? "pngcairo" : "png"
do for [p = 1:words(PLOTS)] {
    do for [format in "svg png"] {
        size = sprintf("size 1100,%s background rgb 'white'", word(HEIGHTS, p))
        if (format eq "svg") {
            eval("set terminal svg noenhanced font 'sans-serif,14' name '" . word(PLOTS, p) . "' " . size)
        } else {
            eval("set terminal " . PNG . " noenhanced font 'sans,11' " . size)
        }
        set output sprintf("../%s.%s", word(PLOTS, p), format)
        load 'style.gp'
        load word(PLOTS, p) . '.gp'
        unset multiplot
        set output
    }
}
