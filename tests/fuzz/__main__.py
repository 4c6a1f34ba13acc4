"""`python -m tests.fuzz` tells how many cases the last `make fuzz` had, by area; below 100,000 the exit status is 1."""

from __future__ import annotations

import sys

from tests.promises.document import RECORDED
from tests.promises.recording import Row, read

SECTION = "Fuzzing"
LEAST = 100_000


def cases(row: Row) -> int:
    """The cases of an area."""
    return int(sum(value for what, value, _ in row.figures if what == "cases"))


def main() -> int:
    """Print a line for each area and one for all of them; returns the exit status."""
    rows = [row for row in read(RECORDED).rows if row.section == SECTION]
    for row in rows:
        print(f"{cases(row):>9,}  {row.promise}{'' if row.passed == row.cases else ': BROKEN'}")
    total, broken = sum(map(cases, rows)), sum(row.passed < row.cases for row in rows)
    print(f"{total:>9,}  cases in {len(rows)} areas, {broken} of them broken; expected at least {LEAST:,}")
    return int(broken > 0 or total < LEAST)


if __name__ == "__main__":
    sys.exit(main())
