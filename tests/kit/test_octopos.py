"""Octopos on the contract kit, beside a simulated till system (the vendor's OpenAPI 1.0)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from core.contract import Discount, Request
from tests.simulators.octopos import OctoposSimulator

TOKEN = "the-webhook-token-of-octopos"
OFF = ("amount", "percentage")


def error(code: int, message: str) -> tuple[int, Any]:
    return code, {"error": {"message": message, "code": code}}


def discount(coupon: dict[str, Any]) -> Discount:
    """Octopos shows it by its name, which ends with the redemption's id."""
    name, _, redemption = coupon["name"].removesuffix(")").rpartition(" (")
    amount, percentage = (coupon[what] and Decimal(coupon[what]) for what in OFF)
    return Discount(redemption_id=redemption, name=name, amount=amount, percentage=percentage)


class Octopos:
    name = "octopos"
    simulator = OctoposSimulator
    signature = "authorization"
    calls = "*"
    secrets = (TOKEN, OctoposSimulator.password)
    lacks: ClassVar = {
        "signed_body": "Octopos sends a secret that is the same each time",
        "refunds": "no webhook tells of refunds: they are polled",
    }
    refusals: ClassVar = {
        "too_many": error(429, "Too Many Requests"),
        "down": error(500, "Internal Server Error"),
        "final": error(404, "Order not found"),
        "unauthorized": error(401, "Unauthorized"),
    }

    def __init__(self, octopos: OctoposSimulator) -> None:
        self.octopos = octopos

    def table(self, cafe: str) -> str:
        return f"""
            module = "pos.octopos"
            api_base = "{self.octopos.url}/api/v2"
            email = "{self.octopos.email}"
            password = "{self.octopos.password}"
            webhook_token = "{TOKEN}"
            poll_seconds = 3600
            cafes.{cafe}.location_id = 2
        """

    def order_id(self, number: int) -> str:
        return str(200_000 + number)

    def paid(self, order_id: str, total: str) -> Any:
        lines = [("Cappuccino", 1, total)]
        return self.octopos.pays(2, lines=lines, order_number=order_id, deliver=False)

    def coupons(self) -> dict[str, Discount]:
        return {code: discount(row) for code, row in self.octopos.coupons.items()}

    def unknown(self, number: int) -> Any:
        return {"product_id": number, "product_name": "Cappuccino"}

    def broken(self, number: int) -> Any:
        return {"order_number": {"is": number}}

    def webhook(self, url: str, events: Sequence[Any]) -> Request:
        return self.signed(url, json.dumps(events).encode())

    def signed(self, url: str, body: bytes) -> Request:
        headers = {"content-type": "application/json", self.signature: f"Bearer {TOKEN}"}
        return Request("POST", url, headers, {}, body)


@pytest.mark.malva(vendor=Octopos)
def test_the_contract(pos_contract: Callable[[], None]) -> None:
    pos_contract()
