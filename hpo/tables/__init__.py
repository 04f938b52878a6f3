"""Tables: training results recorded once, from which experiments are simulated."""
