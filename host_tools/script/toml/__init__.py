"""Reads scripts in TOML: steps, what is said about answers, and the tables that rules and plans share."""
