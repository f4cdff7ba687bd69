#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# plot_pollution.sh - a picture (SVG) of what `sluice bench pollution --json` says.
#
# Usage: sluice bench pollution --json >docs/pollution.json
#        docs/plot_pollution.sh docs/pollution.json >docs/pollution.svg
# The same figures give the same picture, byte by byte; tests/style/check_plot.sh compares.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 BENCH.json >PICTURE.svg" >&2; exit 2; }

# One flat object: a pair a line, `key value`.
tr -d '\n' <"$1" | sed 's/^{//; s/}$//; s/, "/\n"/g' | sed 's/^"\([^"]*\)": /\1 /; s/"//g' | LC_ALL=C awk '
function text(x, y, size, anchor, what) {
    printf "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\" text-anchor=\"%s\">%s</text>\n", x, y, size, anchor, what
}
function bar(x, y, width, height, colour) {
    printf "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, width, height, colour
}
function line(x1, y1, x2, y2, colour) {
    printf "<path d=\"M%.1f %.1fL%.1f %.1f\" stroke=\"%s\" fill=\"none\"/>\n", x1, y1, x2, y2, colour
}
function is_number(what) {
    return what ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/
}
function need(key) {
    if (!(key in value)) {
        print "plot_pollution: no " key " among the figures" > "/dev/stderr"
        failed = 1
        exit 1
    }
    return is_number(value[key]) ? value[key] + 0 : value[key]
}
# Slowdowns from 1 on; what does not fit ends at the edge, its number tells.
function place(ratio) {
    ratio = ratio < 1 ? 1 : ratio > most ? most : ratio
    return left + (ratio - 1) / (most - 1) * width
}
function lane(key, y, colour,    ratio) {
    ratio = need(key "_slowdown_ratio")
    bar(left, y, place(ratio) - left + 1, 9, colour)
    line(place(need(key "_slowdown_low_ratio")), y + 4.5, place(need(key "_slowdown_high_ratio")), y + 4.5, "#000")
    text(left + width + 44, y + 8.5, 11, "end", sprintf("%.2f", ratio))
    text(left + width + 104, y + 8.5, 11, "end", sprintf("%.1f", need(key "_bytes_per_s") / 1e9))
}
function panel(top, size, title,    i, y, tick) {
    text(left, top - 22, 13, "start", title)
    text(left + width + 44, top - 6, 11, "end", "times")
    text(left + width + 104, top - 6, 11, "end", "GB/s")
    for (tick = 1; tick <= most; tick++) {
        line(place(tick), top, place(tick), top + lanes * 28 - 6, "#ccc")
        text(place(tick), top - 6, 11, "middle", tick)
    }
    for (i = 1; i <= lanes; i++) {
        y = top + (i - 1) * 28
        text(left - 8, y + 13, 12, "end", name[i])
        lane(plain[i] size, y, "#d95f02")
        lane(stream[i] size, y + 10, "#1b75bb")
    }
}
{ key = $1; sub(/^[^ ]* /, ""); value[key] = $0 }
END {
    lanes = split("written by packets|written by rows|written by blocks|read|copied out|looked at", name, "|")
    split("write_memcpy|write_memcpy_rows|write_memcpy_blocks|read_plain|copy_memcpy|look_plain", plain, "|")
    split("write_stream|write_stream_rows|write_stream_blocks|read_stream|copy_stream|inspect", stream, "|")
    left = 160; width = 420; most = 5
    print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"720\" height=\"500\" font-family=\"sans-serif\">"
    print "<rect width=\"720\" height=\"500\" fill=\"#fff\"/>"
    text(20, 24, 15, "start", "How much slower a neighbour on the same core becomes by one frame of 8 MB")
    bar(left, 34, 12, 9, "#d95f02")
    text(left + 18, 43, 12, "start", "plain")
    bar(left + 70, 34, 12, 9, "#1b75bb")
    text(left + 88, 43, 12, "start", "past the caches (Sluice)")
    panel(92, "", sprintf("its memory half of the L2: %d kB", need("primitives_victim_bytes") / 1024))
    panel(302, "_three_quarters", sprintf("three quarters of the L2: %d kB", need("primitives_victim_three_quarters_bytes") / 1024))
    text(left, 490, 11, "start", sprintf("%s, %s; %s, %s; median and quartiles", need("machine_cpu"), need("machine_caches"), need("stream_variant"), need("stream_behind")))
    print "</svg>"
}
'
