"""How a message looks: nothing is lost, nothing is cut within, nothing is taken for markup."""

from __future__ import annotations

from collections.abc import Sequence

from core.contract import Capabilities, Link, Option, Outbound
from core.conversation.speech import presented
from core.testkit.cases.register import channel
from core.testkit.channel import ChannelTrial, options

FAMILY = "👨‍👩‍👧‍👦"
WORDS = ("kafa", "кофе", "naïve", "☕", FAMILY, "🇷🇸", "👍🏽", "e\u0301te\u0301", "1,000")
MARKUP = (
    "<b>Ana</b> & Mila",
    "*bold* _italic_ ~struck~ `code`",
    "[here](https://malva.example)",
    "&lt;b&gt; &amp;",
    "</div><script>alert(1)</script>",
    "{{1}} {name} ${x} $product %s \\n",
)
LONG_LABEL = "A coffee shop whose name is longer than any messenger's button takes"


@channel()
def its_capabilities_agree_with_what_it_lacks(trial: ChannelTrial) -> None:
    told = limits(trial)
    assert told.title
    assert told.options >= 0
    assert min(told.text_length, told.caption_length) >= 100
    assert min(told.pace.per_second, told.pace.burst, told.chat_pace.per_second) > 0
    for name, can in (
        ("edits", told.edits),
        ("asks_phone", told.asks_phone),
        ("provider", not told.stores),
    ):
        assert can != (name in trial.vendor.lacks), name


@channel("splitting")
def a_text_that_is_too_long_comes_whole_in_parts(trial: ChannelTrial) -> None:
    """Cut between words; its options are shown once."""
    limit = limits(trial).text_length
    text = " ".join(WORDS * (5 * limit // (2 * len(" ".join(WORDS))) + 1))
    seen = trial.shows(Outbound(text=text, options=((Option("yes", "Yes"),),)))
    assert len(seen) > 1
    assert all(len(message.text) <= limit for message in seen)
    assert " ".join(message.text for message in seen).split() == text.split()
    assert [o.label for message in seen for o in options(message)] == ["Yes"]


@channel("splitting")
def an_emoji_is_never_cut(trial: ChannelTrial) -> None:
    limit = limits(trial).text_length
    seen = trial.shows(Outbound(text=FAMILY * (limit // len(FAMILY) + 10)))
    assert len(seen) > 1
    for message in seen:
        assert message.text == FAMILY * (len(message.text) // len(FAMILY))


@channel("splitting", "pictures")
def a_picture_with_too_much_to_say_is_followed_by_the_rest(trial: ChannelTrial) -> None:
    limit = limits(trial).caption_length
    text = "word " * (limit // 4) + "end"
    seen = trial.shows(Outbound(text=text, picture=trial.picture("x")))
    pictured = [message for message in seen if message.picture is not None]
    assert len(pictured) == 1
    assert len(pictured[0].text) <= limit
    assert " ".join(message.text for message in seen).split() == text.split()


@channel()
def markup_is_shown_as_it_is_written(trial: ChannelTrial) -> None:
    guest = trial.guest()
    for text in MARKUP:
        (seen,) = trial.shows(Outbound(text=text), guest)
        assert seen.text == text


@channel()
def options_are_shown_up_to_the_limit(trial: ChannelTrial) -> None:
    most = min(limits(trial).options, 30)
    given = tuple(Option(f"pick:{n}", f"Option {n}") for n in range(1, most + 1))
    seen = trial.shows(Outbound(text="Which?", options=tuple((option,) for option in given)))
    shown = [option for message in seen for option in options(message)]
    assert [(o.value, o.label) for o in shown] == [(o.value, o.label) for o in given]


@channel()
def options_beyond_the_limit_become_a_numbered_list(trial: ChannelTrial) -> None:
    rows = tuple((Option(f"pick:{n}", f"Option {n}"),) for n in range(limits(trial).options + 1))
    listed = presented(Outbound(text="Which?", options=rows), limits(trial))
    seen = trial.shows(listed)
    text = "\n".join(message.text for message in seen).splitlines()
    assert [line for line in text if "Option" in line] == [
        f"{number}. {option.label}" for number, (option,) in enumerate(rows, 1)
    ]


@channel()
def a_label_that_is_too_long_for_a_button_can_be_read(trial: ChannelTrial) -> None:
    """On a button as far as it fits, or in a list where typed numbers pick (`numbers`)."""
    rows = ((Option("long", LONG_LABEL),), (Option("short", "Back"),))
    seen = trial.shows(Outbound(text="Which?", options=rows))
    shown = {option.value: option.label for message in seen for option in options(message)}
    if "long" in shown:
        assert LONG_LABEL.startswith(shown["long"].rstrip("… "))
    else:
        assert limits(trial).numbers, "numbered, but a typed number would not pick"
        assert LONG_LABEL in all_text(seen)
    assert "short" in shown or "Back" in all_text(seen)


@channel()
def the_menu_has_all_its_options(trial: ChannelTrial) -> None:
    rows = ((Option("card", "☕ My card"), Option("points", "🏆 Points")), (Option("x", "⚙️"),))
    seen = trial.shows(Outbound(text="How can I help?", options=rows, menu=True))
    shown = [option.label for message in seen for option in options(message)]
    assert shown == ["☕ My card", "🏆 Points", "⚙️"]


@channel()
def links_can_be_opened(trial: ChannelTrial) -> None:
    links = (
        Link("Privacy notice", "https://malva.example/privacy?a=1&b=2"),
        Link("Live card", "https://malva.example/card/x_y-z", app=True),
    )
    seen = trial.shows(Outbound(text="Look:", links=links))
    reached = {link.url for message in seen for link in message.links}
    for link in links:
        assert link.url in reached or link.url in all_text(seen)


@channel("asks_phone")
def a_phone_is_asked_for_with_one_tap(trial: ChannelTrial) -> None:
    message = Outbound(text="Phone?", ask_phone="Share", options=((Option("skip", "Skip"),),))
    seen = trial.shows(message)
    assert [m.ask_phone for m in seen if m.ask_phone] == ["Share"]
    assert "Skip" in [option.label for m in seen for option in options(m)]


@channel("provider", "pictures", "edits")
def an_edit_takes_the_place_of_what_was_sent(trial: ChannelTrial) -> None:
    guest, picture = trial.guest(), trial.picture("x")
    with trial.alone() as alone:
        sent = trial.hand_over(alone, guest, Outbound(text="123 456", picture=picture))
        assert sent.provider_id is not None
        before = trial.vendor.seen(guest)
        later = Outbound(text="654 321", picture=trial.picture("y"))
        trial.hand_over(alone, guest, later, replaces=sent.provider_id)
    after = trial.vendor.seen(guest)
    assert len(after) == len(before)
    assert (before[-1].text, after[-1].text) == ("123 456", "654 321")


def limits(trial: ChannelTrial) -> Capabilities:
    """What the channel says that it can show."""
    with trial.alone() as alone:
        capabilities: Capabilities = alone.adapter.capabilities
    return capabilities


def all_text(seen: Sequence[Outbound]) -> str:
    return "\n".join(message.text for message in seen)
