# gnuplot -e "data='...'; out='...'" plot.gp: a line a ratio; see report_write_plot().
rows = int(system(sprintf("wc -l < '%s'", data)))
set terminal svg size 1000, 100 + 24 * rows font "sans-serif,12" background "white"
set output out
set datafile separator tab
set logscale x
set xlabel "lodge's cost in units of the other's: left of 1, lodge is the better one"
set yrange [rows - 0.5 : -0.5]
set grid xtics
set key outside top horizontal
set arrow from 1, graph 0 to 1, graph 1 nohead linecolor "gray40"
plot data using 3:1:4:5:ytic(2) with xerrorbars pointtype 7 linecolor "#204080" title "median and quartiles", \
	data using 6:1 with points pointtype 2 pointsize 1.2 linecolor "#c03020" title "goal: no further right"
