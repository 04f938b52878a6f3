"""The tuner: the loop that takes in reports and exits, commits decisions and acts on them, and that ends an experiment."""
