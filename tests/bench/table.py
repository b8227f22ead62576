"""Rows of figures: one table for people, one JSON file for whoever quotes them."""
import json
import statistics


class Row:
    """What was measured against what. `theirs` None: there is nothing to compare with. `wanted` is the target as text,
    `good` whether it was met (None: the row is only a report)."""

    def __init__(self, name, unit, ours, theirs=None, higher=True, digits=0, cpu="", wanted="", good=None):
        self.name, self.unit, self.digits, self.cpu, self.wanted, self.good = name, unit, digits, cpu, wanted, good
        self.ours_runs = ours if isinstance(ours, list) else [ours]
        self.theirs_runs = theirs if isinstance(theirs, list) or theirs is None else [theirs]
        self.ours = statistics.median(self.ours_runs)
        self.theirs = statistics.median(self.theirs_runs) if self.theirs_runs else None
        # always "how many times as much": for a time, below 1 is better
        self.ratio = self.ours / self.theirs if self.theirs else None
        self.higher = higher

    def aim(self, limit, text):
        """Sets the target of the ratio."""
        self.wanted = text
        self.good = self.ratio >= limit if self.higher else self.ratio <= limit
        return self

    def document(self):
        return {"name": self.name, "unit": self.unit, "ours": round(self.ours, 3),
                "theirs": None if self.theirs is None else round(self.theirs, 3),
                "ratio": None if self.ratio is None else round(self.ratio, 3),
                "runs-ours": [round(v, 3) for v in self.ours_runs],
                "runs-theirs": [round(v, 3) for v in self.theirs_runs or []],
                "cpu": self.cpu, "wanted": self.wanted, "met": self.good}

    def cells(self):
        number = lambda v: "" if v is None else f"{v:,.{self.digits}f}"  # noqa: E731
        mark = {None: "", True: "yes", False: "NO"}[self.good]
        return [self.name, number(self.ours), number(self.theirs), self.unit,
                "" if self.ratio is None else f"{self.ratio:.2f}", self.wanted, mark, self.cpu]


HEADS = ["figure", "anynic", "other", "unit", "ratio", "wanted", "met", "CPU: anynic run | other run"]


def show(rows):
    lines = [HEADS] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    for number, line in enumerate(lines):
        cells = [cell.rjust(w) if 1 <= i <= 2 or i == 4 else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * w for w in widths))


def save(rows, path, about):
    path.write_text(json.dumps({"machine": about, "figures": [row.document() for row in rows]}, indent=1) + "\n")
