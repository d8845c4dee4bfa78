"""The same steps to two readers, and what differs: classified, measured, and shown as table, JSON and HTML."""
