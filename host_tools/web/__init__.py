"""Pages for people: a web shop in both kinds, and the console of an operator.

Each page is written on the server (Jinja2, everything escaped, nothing undefined) and works without a script; one small
script moves the timeline of the console and shows its events. A server here takes a request and returns an answer, with
no socket in it, as all servers of the exchange do; `rooms` puts them together for `headend serve`. Pages ask the
head-end's `Operator`, its shop and its service provisioning, and decide nothing themselves.

Who may come: `wire.visitors` looks at Host and Origin and, for the console, at the cookie; whatever changes something
is a POST with a form token (`forms`), which is also the name of the request, so that a double click acts once.
"""
