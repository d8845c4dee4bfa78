"""Reads typed fields of TOML files that people write: profiles, scenarios, scripts, rules, plans.

`kinds` says what a field may hold, `table` reads fields and notes what is wrong, `problems` gives each problem its
line. How a problem is put into words is the matter of whoever reads the file (`table.Wording`). Nothing in here knows
cards; both sides may import it.
"""
