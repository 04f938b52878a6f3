"""Reports: one offline HTML file about an experiment or about a tag. `write_report("TAG")` writes it."""

from hpo.reports.writing import write_report

__all__ = ["write_report"]
