"""APDU scripts: written in TOML or one line per command, run against any link, judged and reported."""
