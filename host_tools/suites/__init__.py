"""The conformance suite: APDU scripts that ship with the package (docs/user/scripts.md)."""
