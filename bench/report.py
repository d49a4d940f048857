"""What a run found: figures held against their measure, tables, plots and notes, printed as they come and in the end written
as a page of Markdown."""

import dataclasses


@dataclasses.dataclass
class Judgement:
    what: str
    floor: str
    ours: str
    peer: str
    ratio: str
    goal: str
    reached: bool

    headings = ("what", "floor", "grantd", "peer", "ratio", "to reach", "")

    def sentence(self):
        beside = (f"{self.ratio}" if self.ratio else "", f"floor {self.floor}" if self.floor else "", self.peer, self.goal)
        return f"{self.what}: {self.ours} ({', '.join(filter(None, beside))})"

    def cells(self):
        return (self.what, self.floor, self.ours, self.peer, self.ratio, self.goal, "reached" if self.reached else "**MISSED**")


class Section:
    def __init__(self, title):
        self.title, self.parts, self.judgements, self.has_table = title, [], [], False

    def markdown(self):
        """What was judged stands in the table at the top as well, so that only sections without figures of their own repeat it."""
        parts = [f"## {self.title}\n", *self.parts]
        if not self.has_table and self.judgements:
            parts.append("".join(f"- {one.sentence()}\n" for one in self.judgements))
        return "\n".join(parts)


class Report:
    def __init__(self):
        self._sections = []
        self._plots = {}

    @property
    def judgements(self):
        return [one for section in self._sections for one in section.judgements]

    @property
    def missed(self):
        return [one for one in self.judgements if not one.reached]

    def section(self, title, text=""):
        self._sections.append(Section(title))
        print(f"\n{title}")
        if text:
            self.note(text)

    def note(self, text):
        self._sections[-1].parts.append(f"{text}\n")
        print(f"  {text}")

    def table(self, headings, rows):
        """Of values that are already text."""
        self._sections[-1].parts.append(markdown_table(headings, rows))
        self._sections[-1].has_table = True
        for line in aligned([headings, *rows]):
            print(f"  {line}")

    def plot(self, name, svg, description):
        """`svg` is stored as NAME.svg beside the page."""
        self._plots[f"{name}.svg"] = svg
        self._sections[-1].parts.append(f"![{description}]({{plots}}/{name}.svg)\n")

    def judge(self, what, ours, goal, reached, *, floor="", peer="", ratio=""):
        one = Judgement(what, floor, ours, peer, ratio, goal, bool(reached))
        self._sections[-1].judgements.append(one)
        print(f"  {'reached' if one.reached else 'MISSED '}  {one.sentence()}", flush=True)

    def summary(self):
        rows = [one.cells() for one in self.judgements]
        return "\n".join(aligned([Judgement.headings, *rows])).replace("**", "")

    def write(self, page, heading):
        """Into the file `page`, with the plots in the folder of the same name; `heading` stands before what was found."""
        folder = page.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        for name, svg in self._plots.items():
            (folder / name).write_text(svg)
        result = "Every measure is reached." if not self.missed else f"{len(self.missed)} of {len(self.judgements)} missed."
        table = markdown_table(Judgement.headings, [one.cells() for one in self.judgements])
        sections = "\n".join(section.markdown() for section in self._sections).replace("{plots}", folder.name)
        page.write_text(f"{heading}\n## The measures\n\n{result}\n\n{table}\n{sections}")


def markdown_table(headings, rows):
    lines = ["| " + " | ".join(cells) + " |" for cells in (headings, ["---"] * len(headings), *rows)]
    return "\n".join(" ".join(line.split()) for line in lines) + "\n"


def aligned(rows):
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def number(value):
    """Three figures that count."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def times(value):
    """A ratio, with as many digits as it takes to see on which side of 1 it is."""
    return f"{value:.3f}" if 0.99 <= value < 1.01 else f"{value:.2f}"


def nanoseconds(value):
    """With the unit in which it reads best."""
    for unit, size in (("ns", 1), ("µs", 1e3), ("ms", 1e6)):
        if value < 1000 * size:
            return f"{number(value / size)} {unit}"
    return f"{number(value / 1e9)} s"
