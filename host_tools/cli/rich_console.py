"""rich's console, with the end that every other output of ours has when its reader leaves."""

from __future__ import annotations

import rich.console


class Console(rich.console.Console):
    """Lets a broken pipe through to the main program, where rich would end the process with status 1."""

    def on_broken_pipe(self) -> None:
        """Raise again the `BrokenPipeError` that rich has caught."""
        self.quiet = True
        raise BrokenPipeError
