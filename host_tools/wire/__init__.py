"""Sockets under the exchange: HTTP servers, an HTTP client, datagrams. It knows neither terminal nor head-end.

Both sides hand in what answers and what takes datagrams (`exchange.transport`); nothing here decides anything about
the messages. Only `http_server` needs aiohttp, and only head-ends load it.
"""
