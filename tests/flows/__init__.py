"""OMA's flows of service provisioning, step by step, on real sockets (docs/spec/flows.md)."""
