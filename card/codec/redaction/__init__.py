"""Which bytes of an exchange nobody may see: PINs, keys, and the content of files that hold keys.

`Redactor` follows the traffic of one card, ours or any other, from the bytes alone, by the rows of
`card.spec.secrets` and `EfRow.secret`. What cannot be understood is hidden whole: a trace may lose a byte it could have
shown, never the other way round.
"""

from __future__ import annotations

from card.codec.redaction.current_file import MF, CurrentFile
from card.codec.redaction.redactor import Redaction, Redactor
from card.codec.redaction.spans import Span, blank

__all__ = ["MF", "CurrentFile", "Redaction", "Redactor", "Span", "blank"]
