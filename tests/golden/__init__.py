"""What methods decide and what is made from it, as recorded: it comes out the same after every change of the code.

`decisions.json.xz` holds what every method decided (trial, configuration, resource, decision). Decisions of an existing
method never change; a new method is added, a changed one gets a new name. `texts.json.xz` holds what is made from them
for people: results, best.yaml, the numbers of reports, plans. A change of these on purpose is recorded by

    python -m tests.golden.record texts

and `python -m tests.golden.record decisions NAME …` adds the decisions of new methods. `stored.tar.xz` has directories of
experiments as version 0.1.0 left them, made by `python -m tests.golden.store`; it is never made anew.
"""
