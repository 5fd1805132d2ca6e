# SPDX-License-Identifier: MIT
"""The table that a run prints: a figure in each cell, its aim at the end."""

WIDTH = 34


def cell(value, digits=2):
    return f"{'-' if value is None else format(value, f'.{digits}f'):>10}"


def line(title, cells, aim=""):
    print(f"{title:<{WIDTH}}{''.join(cells)}  {aim}".rstrip())


def header(title, columns):
    print()
    line(title, [f"{column:>10}" for column in columns], "aim")


def medians(samples, title, name, columns, aim="", digits=2):
    line(title, [cell(samples.median(name, column), digits)
                 for column in columns], aim)


def ratios(samples, title, above, below, columns, aim):
    """Of two figures of the same run."""
    cells = []
    for column in columns:
        top = samples.median(above, column)
        bottom = samples.median(below, column)
        cells.append(cell(top / bottom if top and bottom else None, 1))
    line(title, cells, aim)
