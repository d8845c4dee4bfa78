"""Measures STKMs on the card that is imported here, in blocks, and prints the processor time of each as JSON.

    python -m tests.bench.stkm_blocks

`test_bench_compiled` starts it for either card: one process cannot import both.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

from tests.bench.test_bench_stkm import STKMS, cards, commands, cost

BLOCKS = 30


def main() -> None:
    """Print, by kind of card, the seconds of an STKM in each block."""
    with tempfile.TemporaryDirectory() as folder, cards(Path(folder)) as found:
        kinds = [kind for kind in found if kind[1] < 2]
        blocks = {
            f"{where}, {'one policy' if policies else 'plain MBMS'}": [
                cost(found[where, policies], commands(found[where, policies], 1 + number * STKMS), time.process_time)
                for number in range(BLOCKS)
            ]
            for where, policies in kinds
        }
    print(json.dumps(blocks))


if __name__ == "__main__":
    main()
