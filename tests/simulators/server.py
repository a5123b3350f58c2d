"""What every simulator shares is the contract kit's: see `core.testkit.simulator`."""

from core.testkit.simulator import HTML_ERROR, Call, Delivery, Fault, Simulator, cut, named

__all__ = ["HTML_ERROR", "Call", "Delivery", "Fault", "Simulator", "cut", "named"]
