"""Files of the computer, as everything in the product reads them.

A file that a person names comes from anybody: it may be a device without end, a pipe that never speaks, larger than
the memory, or no text. `reading` is the one way in, `kinds` says what each kind of file may be at most, `toml` reads
TOML so that what is wrong has its line. Nothing in here knows cards; both sides may import it.
"""
