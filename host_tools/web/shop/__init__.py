"""The web shop in both kinds (seed 002, clauses 5.4.7.2.9 and 5.4.7.2.10). Both sell from the same books.

`known` stands behind the digest of Ua and knows who asks; `unknown` knows nobody and takes orders. `goods` is how an
item looks in both.
"""
