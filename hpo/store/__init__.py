"""Experiments on disk: directory layout, event store, locks and leases, tags, full disks, and finding experiments."""
