"""Files that the tools write: whole or not at all, and never through a link."""
