"""Search spaces: what may be tuned, how it is written, and the unit cube that searchers see."""
