"""What the head-end answers over HTTP and sends as datagrams, without a socket.

`ub` is the BSF towards terminals, `zn` the BSF towards servers, `ua` the BSM towards terminals: it authenticates and
then hands on to `key_management`, which puts LTKMs into `push`. A server object gets a request and returns the answer;
whoever owns the sockets writes the answer first and sends what `push` has due afterwards.
"""
