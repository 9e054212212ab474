"""Let the doctor examine published faulty programs and their repairs, and write docs/doctor-published.md.

python -m benchmarks.published_faults                    # all; what is done is kept, and taken up again
python -m benchmarks.published_faults --only 48385830    # some, without the page
"""

import argparse
import sys
from pathlib import Path

from ..markdown import replace_between
from .page import BEGIN, END, said, text
from .runs import SOURCES, finish

PAGE = Path(__file__).parents[2] / "docs" / "doctor-published.md"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=[], help="numbers of programs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--file", type=Path, default=Path("runs/published.jsonl"), help="where what was said is kept")
    options = parser.parse_args()
    known = {program.number for programs in SOURCES.values() for program in programs}
    unknown = [number for number in options.only if number not in known]
    if unknown:
        parser.error(f"no program {', '.join(unknown)}; there are {', '.join(sorted(known))}")

    def report(row):
        print(f"{row['name']:45} {row['seconds']:5.1f} s  {said(row)}", flush=True)

    found = finish(options.file, options.only, options.seed, report)
    if not options.only:
        replace_between(PAGE, BEGIN, END, text(found))
        print(f"wrote {PAGE}", file=sys.stderr)


if __name__ == "__main__":
    main()
