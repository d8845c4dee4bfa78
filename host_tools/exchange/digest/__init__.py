"""HTTP Digest access authentication (RFC 2617, RFC 7616) with HTTP Digest AKA (RFC 3310), for both ends.

The password never travels. The server sends a nonce in a challenge; the client answers with a hash over user name,
realm, password, nonce, a count of how often the nonce was used (nc), a nonce of its own (cnonce), method, target and,
with qop auth-int, the body. The server shows with rspauth that it knows the password as well: the same hash without a
method, over the body of the answer. So both ends are authenticated and both bodies are protected.

`parameters` reads header texts, `headers` gives them their meaning, `compute` has the hashes. `client` keeps what a
terminal must remember between two requests, `nonces`, `counts` and `server` what a server must. `aka` and `one_time`
say how a challenge for a card travels in a nonce.
"""
