"""Reports: one offline HTML file about an experiment or about a tag."""

from hpo.reports.writing import write_report

__all__ = ["write_report"]
