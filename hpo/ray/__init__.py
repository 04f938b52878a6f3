"""The Ray backend: trials on the nodes of a Ray cluster.

The tuner's backend only passes messages and never imports Ray. It starts a driver, the only process that talks with Ray and
the only one that Ray can bring down; they exchange lines of JSON over a socket pair. The driver keeps one slot for each
worker: an actor on some node, in which a local backend, with its trial host, runs one trial at a time.
"""
