"""Trials on the nodes of a Ray cluster.

    tuner      backend      decides, keeps the log, never imports ray
      │  lines of JSON on a socket pair
    driver     driver       the only process that talks with Ray; ends with the tuner
      │  calls of actors
    slot       actor, slot  one for each trial at a time, on some node; has a local backend, with its trial host
"""
