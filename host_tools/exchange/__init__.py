"""What terminal and network say to each other. Each message is declared once, with its encoding, path and media type.

A request travels like this. A class of `messages` encodes the body; its row in `procedures` gives method, target and
media types; `digest` adds who asks (TS 33.246 clause 6.2.1.3); a `transport` carries the bytes to a server, which
authenticates before it reads them, and answers in the same way. Keys do not come in the answer: they follow as
datagrams (`messages.ltkm_push`). Nothing in here opens a socket, knows the time or draws a random number by itself.
"""
