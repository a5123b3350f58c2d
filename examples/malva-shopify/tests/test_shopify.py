"""What is Shopify's own, beside the contract: recorded webhooks, tips, other locations."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import malva
import pytest

from malva_shopify.orders import order, refund

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("webhooks.json").read_text())
"""Of Shopify's own page, which `webhooks.json` names, at a location in Belgrade."""
PAID, REFUNDED = RECORDED["orders/paid"], RECORDED["refunds/create"]
HERE = 655441491


def test_an_order_is_worth_what_was_paid_without_the_tip() -> None:
    assert order(PAID, HERE) == malva.OrderPaid(
        order_id="820982911946154508",
        total=Decimal("398.00"),
        currency="RSD",
        paid_at=datetime(2022, 1, 1, tzinfo=UTC),
        lines=(
            malva.Line("Aviator sunglasses", Decimal(1), Decimal("89.99"), "SKU2006-001"),
            malva.Line("Mid-century lounger", Decimal(2), Decimal("159.99")),
        ),
        phone="+381601234567",
        station="1",
    )


def test_a_refund_is_what_really_went_back() -> None:
    assert refund(REFUNDED, HERE) == malva.OrderRefunded(
        order_id="820982911946154508", refund_id="890088186047892319", amount=Decimal("199.00")
    )
    assert refund({**REFUNDED, "transactions": []}, HERE) is None


def test_another_location_and_the_web_shop_are_not_ours() -> None:
    assert order(PAID, 7) is None
    assert order({**PAID, "location_id": None}, HERE) is None
    assert refund(REFUNDED, 7) is None


@pytest.mark.parametrize("amount", [199.0, 199, "NaN", "Infinity", "a lot", None, ""])
def test_money_is_decimal_text_or_none(amount: Any) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        order({**PAID, "total_price": amount}, HERE)
