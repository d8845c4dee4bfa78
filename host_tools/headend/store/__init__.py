"""The head-end's state in a database: SQLAlchemy Core, SQLite or PostgreSQL, behind the ports of the servers.

One request, one datagram, one step of a timer is one transaction (`database`); nothing waits inside, so the calls are
plain and stand in the handler. `schema` has the tables and their version, `vault` keeps secrets, and every other module
is one family of ports: `subscribers`, `keys`, `books`, `papers`. `store` puts them together.
"""
