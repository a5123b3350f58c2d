"""A gateway for one adapter alone is the contract kit's: see `core.testkit.gateway`."""

from core.testkit.gateway import ImpatientWire, OneGateway, webhook

__all__ = ["ImpatientWire", "OneGateway", "webhook"]
