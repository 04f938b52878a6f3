"""Events of an experiment (trials, reports, decisions, commands) and the state that is computed from them."""
