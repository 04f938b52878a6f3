"""The tuner's loop: receive reports and exits, decide, commit, act on the decisions; limits and the end of an experiment."""
