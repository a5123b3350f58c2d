"""What is LINE's own, beside the contract: documented webhooks, groups, long labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import malva
import pytest

from malva_line.render import messages
from malva_line.updates import understand

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("webhook.json").read_text())
EVENTS: list[dict[str, Any]] = RECORDED["events"]
"""The events of LINE's own page, which `webhook.json` names."""


def test_a_text_is_said_by_whoever_wrote_it() -> None:
    inbound = understand(EVENTS[0])
    assert inbound is not None
    assert inbound.event_id == "01FZ74A0TDDPYRVKNK77XKC3ZR"
    assert inbound.sender.address == "U4af4980629abcdef0123456789abcdef"
    assert inbound.content == malva.Said("Hello, world! (love)")
    assert inbound.sent_at is not None
    assert inbound.sent_at.isoformat() == "2016-05-07T13:57:59+00:00"


def test_whoever_adds_the_account_starts_and_whoever_blocks_it_leaves() -> None:
    assert [understand(event).content for event in EVENTS[1:4]] == [  # type: ignore[union-attr]
        malva.Started(),
        malva.Left(),
        malva.Chose("card"),
    ]


def test_groups_and_other_modules_chats_are_left_alone() -> None:
    group = {"type": "group", "groupId": "Ca56f94637c", "userId": "U4af4980629"}
    assert understand({**EVENTS[0], "source": group}) is None
    assert understand({**EVENTS[0], "mode": "standby"}) is None


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("start cafe_bife", malva.Started("cafe_bife")),
        (" Start invite_Ab-1 ", malva.Started("invite_Ab-1")),
        ("start", malva.Said("start")),
        ("start the day with coffee", malva.Said("start the day with coffee")),
    ],
)
def test_a_join_link_s_text_starts(text: str, content: malva.Content) -> None:
    event = {**EVENTS[0], "message": {**EVENTS[0]["message"], "text": text}}
    inbound = understand(event)
    assert inbound is not None
    assert inbound.content == content


def test_options_with_a_label_too_long_are_numbered() -> None:
    rows = ((malva.Option("a", "A coffee shop with a long name"),), (malva.Option("b", "BIFE"),))
    (shown,) = messages(malva.Outbound(text="Which?", options=rows))
    assert shown["text"] == "Which?\n\n1. A coffee shop with a long name\n2. BIFE"
    assert "quickReply" not in shown
