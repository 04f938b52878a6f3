"""The place that experiments of earlier versions name for the callback which reports what an app returns."""

from hpo.integrations.hydra_app import ReportReturned

__all__ = ["ReportReturned"]
