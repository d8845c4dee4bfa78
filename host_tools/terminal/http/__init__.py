"""The terminal's side of Ub and Ua, and of key messages that arrive as datagrams, without a socket.

`ub` is a BSF that is reached over HTTP, `session` keeps who the terminal is at a BSM, `dialogue` reads what its answers
mean, `ua` asks it in one go. `terminal.client` asks it by a table.
"""
