"""Keys of a scenario that nobody can foretell.

All keys of a scenario follow from its seed, which whoever has the scenario can read: right for a laboratory, and no
secret. A file of random keys stands in for the seed; BSM and BSD/A as two programs share it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from card.crypto.primitives import hmac_sha256
from card.disk.kinds import RANDOM_KEYS
from card.disk.reading import read_text
from host_tools.files.writing import write_whole
from host_tools.sessions.errors import SessionError, Trouble

if TYPE_CHECKING:
    from host_tools.headend.scenario.model import Scenario

_SIZE = 32
_HEX = re.compile(rf"[0-9a-fA-F]{{{2 * _SIZE}}}\s*")
_LABEL = b"bcast-uicc keys of a scenario: "


def with_random_keys(scenario: Scenario, path: Path | None) -> Scenario:
    """Return a scenario whose SEKs, TEKs and other random values come from the secret in a file.

    A file that is not there is made, for its owner's eyes only; without a path the scenario stays as it is. Raises
    `SessionError`, `UnusableFile`, `UnwritableFile`.
    """
    if path is None:
        return scenario
    if not path.exists():
        write_whole(path, (secrets.token_hex(_SIZE) + "\n").encode(), private=True)
    text = read_text(path, RANDOM_KEYS)
    if not _HEX.fullmatch(text):
        raise SessionError(f"{path} has no random keys: {2 * _SIZE} hex digits are wanted.", Trouble.INPUT)
    seed = hmac_sha256(bytes.fromhex(text), _LABEL + scenario.seed.encode()).hex()
    return replace(scenario, seed=seed)
