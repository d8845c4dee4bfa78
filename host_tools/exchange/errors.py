"""Errors between terminal and network. Each message is one clear sentence without key material."""


class ExchangeError(Exception):
    """Base of the errors of an exchange."""


class ServerNotAuthenticError(ExchangeError):
    """A server's answer does not show that it knows the password."""


class TransportError(ExchangeError):
    """No answer came: no connection, a connection that broke, or one that took too long."""
