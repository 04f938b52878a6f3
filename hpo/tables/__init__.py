"""Tables: trainings recorded once, from which experiments are simulated."""
