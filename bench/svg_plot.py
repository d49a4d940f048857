"""Line plots as SVG that read well on light and dark pages, and without knowing colours apart: every line has a dash of its
own, and the names stand beside the plot in the order in which the lines lie, with a piece of each."""

import math
from xml.sax.saxutils import escape

width, height = 760, 430
left, right, top, bottom = 78, 206, 50, 58  # margins around the lines; their names stand in the right one
dashes = ("", "7 3", "2 3", "10 3 2 3", "14 4", "5 5", "1 5", "12 3 2 3 2 3")
style = """
  .frame { fill: #ffffff; } text { font: 12px sans-serif; fill: #24292f; } .title { font-size: 15px; font-weight: bold; }
  .grid { stroke: #d8dee4; stroke-width: 1; } .axis { stroke: #57606a; stroke-width: 1; }
  .line { fill: none; stroke-width: 2; }
  .c0 { stroke: #0550ae; } .c1 { stroke: #bc4c00; } .c2 { stroke: #57606a; } .c3 { stroke: #1a7f37; } .c4 { stroke: #8250df; }
  .c5 { stroke: #bf3989; } .c6 { stroke: #9a6700; } .c7 { stroke: #cf222e; }
  @media (prefers-color-scheme: dark) {
    .frame { fill: #0d1117; } text { fill: #e6edf3; } .grid { stroke: #30363d; } .axis { stroke: #8d96a0; }
    .c0 { stroke: #58a6ff; } .c1 { stroke: #f0883e; } .c2 { stroke: #8d96a0; } .c3 { stroke: #3fb950; } .c4 { stroke: #bc8cff; }
    .c5 { stroke: #f778ba; } .c6 { stroke: #d29922; } .c7 { stroke: #ff7b72; }
  }
"""


class Axis:
    """Maps values to 0..1; `ticks` are (value, text) pairs."""

    def __init__(self, label, ticks, position):
        self.label, self._position = label, position
        self.ticks = ticks
        self._low, self._high = position(ticks[0][0]), position(ticks[-1][0])

    def __call__(self, value):
        part = (self._position(value) - self._low) / (self._high - self._low)
        return min(max(part, 0), 1)


def decades(label, values, text):
    """A logarithmic axis over all values, with a tick at each power of ten."""
    values = [value for value in values if value > 0]
    first, last = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    ticks = [(10.0**power, text(10.0**power)) for power in range(first, max(last, first + 1) + 1)]
    return Axis(label, ticks, lambda value: math.log10(max(value, 10.0**first)))


def linear(label, largest, text):
    """From 0 on, with about six ticks."""
    step = 10 ** math.floor(math.log10(largest / 5))
    step *= next(factor for factor in (1, 2, 5, 10) if largest / (step * factor) <= 6)
    count = math.ceil(largest / step)
    return Axis(label, [(step * i, text(step * i)) for i in range(count + 1)], lambda value: value)


def powers_of_two(label, values):
    ticks = [(value, str(value)) for value in sorted(values)]
    return Axis(label, ticks, math.log2)


def nines(label, most):
    """For parts of a whole that come ever closer to 1: every further nine takes the same room."""
    ticks = [(1 - 10**-power, f"{100 * (1 - 10**-power):.{max(power - 2, 0)}f} %") for power in range(most + 1)]
    ticks[:1] = [(0, "0"), (0.5, "50 %")]
    return Axis(label, ticks, lambda part: -math.log10(max(1 - part, 10**-most)))


def plot(title, x, y, lines):
    """`lines`: a list of (x, y) pairs for each name, in the order of the legend."""
    across, down = width - left - right, height - top - bottom
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">', f"<title>{escape(title)}</title>",
           f"<style>{style}</style>", f'<rect class="frame" width="{width}" height="{height}" rx="6"/>',
           f'<text class="title" x="{left}" y="28">{escape(title)}</text>']

    def spot(point):
        return left + x(point[0]) * across, top + (1 - y(point[1])) * down

    for value, text in y.ticks:
        at = top + (1 - y(value)) * down
        out += [f'<path class="grid" d="M{left} {at:.1f}H{left + across}"/>',
                f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{escape(text)}</text>']
    for value, text in x.ticks:
        at = left + x(value) * across
        out += [f'<path class="grid" d="M{at:.1f} {top}V{top + down}"/>',
                f'<text x="{at:.1f}" y="{top + down + 18}" text-anchor="middle">{escape(text)}</text>']
    out += [f'<path class="axis" d="M{left} {top}V{top + down}H{left + across}" fill="none"/>',
            f'<text x="{left + across / 2}" y="{height - 14}" text-anchor="middle">{escape(x.label)}</text>',
            f'<text transform="translate(18 {top + down / 2}) rotate(-90)" text-anchor="middle">{escape(y.label)}</text>']
    names = []
    for i, (name, points) in enumerate(lines.items()):
        spots = [spot(point) for point in points]
        dash = f' stroke-dasharray="{dashes[i % len(dashes)]}"' if dashes[i % len(dashes)] else ""
        drawn = f'<path class="line c{i % len(dashes)}"{dash} d='
        out.append(drawn + '"M' + "L".join(f"{a:.1f} {b:.1f}" for a, b in spots) + '"/>')
        names.append((sum(y(value) for _, value in points) / len(points), name, drawn))
    for row, (_, name, drawn) in enumerate(sorted(names, reverse=True)):
        begin, at = width - right + 16, top + 8 + 24 * row
        out += [f'{drawn}"M{begin} {at}h36"/>', f'<text x="{begin + 44}" y="{at + 4}">{escape(name)}</text>']
    return "\n".join(out) + "\n</svg>\n"
