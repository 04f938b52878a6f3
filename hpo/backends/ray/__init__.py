"""Trials on the nodes of a Ray cluster.

The tuner has a backend, which decides nothing and never imports Ray. It starts a driver, the only process that talks with Ray
and one that ends with it; they speak in lines of JSON over a socket pair. The driver keeps one slot for each worker: an actor
on some node, in which a local backend, with its trial host, runs a trial at a time.
"""
