# SPDX-License-Identifier: MIT
"""Draws the figures of a run with gnuplot, as SVG."""
import pathlib
import shutil
import subprocess

PREAMBLE = """set terminal svg size 900,420 font 'sans,12' background 'white'
set output '{path}'
set title '{title}'
set key top left
set grid
"""


def gnuplot(path, title, script):
    text = PREAMBLE.format(path=path, title=title) + script
    subprocess.run(["gnuplot"], input=text, text=True, check=True)


def block(name, rows):
    lines = "\n".join(" ".join(str(value) for value in row) for row in rows)
    return f"${name} << EOD\n{lines}\nEOD\n"


def draw_lines(path, title, xlabel, ylabel, series, logs="xy"):
    """series: title → [(x, y)]."""
    data, curves = "", []
    for number, (name, points) in enumerate(series.items()):
        points = [(x, y) for x, y in points if y]
        if not points:
            continue
        data += block(f"series{number}", points)
        curves.append(f"$series{number} with linespoints title '{name}'")
    if not curves:
        return
    gnuplot(path, title, f"{data}set logscale {logs}\nset xlabel '{xlabel}'\n"
            f"set ylabel '{ylabel}'\nplot {', '.join(curves)}\n")


def medians(samples, name, columns, xs=None):
    return [(x, samples.median(name, column))
            for x, column in zip(xs or columns, columns)]


def draw_latency(path, name, result):
    """The worst of each 20 ms, and when upatchctl was started."""
    def rows(slots):
        return [(number * 0.02, us / 1000) for number, us in enumerate(slots)]
    moments = "".join(f"set arrow from {moment},graph 0 to {moment},graph 1 "
                      "nohead lc rgb '#bbbbbb'\n"
                      for moment in result["moments"])
    gnuplot(path, f"{name}: worst answer of each 20 ms; "
            "grey: apply or revert begins",
            block("quiet", rows(result["quiet"]["slots"]))
            + block("patched", rows(result["patched"]["slots"]))
            + moments + "set logscale y\nset xlabel 's'\nset ylabel 'ms'\n"
            "plot $quiet with lines lc rgb '#1f77b4' title 'not patched', "
            "$patched with lines lc rgb '#d62728' title 'patched'\n")


def draw(folder, samples, servers, threads, functions, memory):
    """All that the run has figures for; returns the files."""
    if not shutil.which("gnuplot"):
        return []
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    draw_lines(folder / "pause-threads.svg", "longest pause of any thread",
               "threads", "ms",
               {step: medians(samples, f"{step} pause ms", threads)
                for step in ("bare stop", "first apply", "apply", "revert",
                             "gdb")})
    draw_lines(folder / "wall-threads.svg", "wall time of the command",
               "threads", "ms",
               {step: medians(samples, f"{step} wall ms", threads)
                for step in ("first apply", "apply", "revert", "gdb")})
    draw_lines(folder / "functions.svg", "functions in the patch, 8 threads",
               "functions", "ms",
               {title: medians(samples, f"functions apply {key} ms",
                               functions, [1, 10, 100, 1000])
                for title, key in (("pause", "pause"), ("barrier", "barrier"),
                                   ("library", "total"))})
    draw_lines(folder / "memory.svg", "resident memory, 8 threads", "GiB",
               "ms",
               {f"{step}, {key}": medians(samples,
                                          f"memory {step} {key} ms", memory)
                for step in ("apply", "revert") for key in ("pause", "total")},
               logs="y")
    for name, result in (servers or {}).items():
        draw_latency(folder / f"latency-{name.replace(' ', '-')}.svg", name,
                     result)
    return sorted(folder.glob("*.svg"))
