"""`/till`: the cashier's page, in a browser that is bound to a till. `door.py` is who is let in."""
