"""Invite: the guest's own links, what both sides get, and what has come of them."""

from __future__ import annotations

from collections.abc import Iterator

from core.conversation import menu
from core.conversation.types import NOTHING, InvitationLoaded, LoadInvitation, State, Step
from core.conversation.views import View
from core.domain import invitations
from core.i18n import N_, Words, words

NEW_GUESTS_ONLY = N_("You have a card already: an invitation is for new guests.")


def asked(state: State, view: View, rest: str = "") -> Step:
    return Step(NOTHING, (), (LoadInvitation(),))


def shown(state: State, view: View, loaded: InvitationLoaded) -> Step:
    """The links stand in the text, so that it can be sent on as it is."""
    assert view.guest
    w = words(view.guest.language)
    parts = ("\n".join(part) for part in (_promise(loaded, w), _links(loaded, w), _came(loaded, w)))
    return Step(NOTHING, (menu.reply(w.language, "\n\n".join(filter(None, parts))),))


def followed(state: State, view: View, payload: str | None) -> Step | None:
    """A guest opened the link of an invitation; None for another link, or one that is nobody's."""
    assert view.guest
    code = invitations.linked(payload)
    invited = view.invitation(code) if code else None
    if invited is None:
        return None
    w = words(view.guest.language)
    text = (
        w.text("This is your own invitation: send it to your friends.")
        if invited.own
        else w.text(NEW_GUESTS_ONLY)
    )
    return Step(NOTHING, (menu.reply(w.language, text),))


def _promise(loaded: InvitationLoaded, w: Words) -> Iterator[str]:
    if loaded.inviter_points:
        points = w.points(loaded.inviter_points, loaded.unit)
        yield w.text("For a friend's first paid order you get {points}.", points=points)
    if loaded.friend_points:
        points = w.points(loaded.friend_points, loaded.unit)
        yield w.text("With that order your friend gets {points}.", points=points)


def _links(loaded: InvitationLoaded, w: Words) -> Iterator[str]:
    if loaded.links:
        yield w.text("Send your friends one of your links:")
    for title, url in loaded.links:
        yield f"{title}: {url}"


def _came(loaded: InvitationLoaded, w: Words) -> Iterator[str]:
    if loaded.friends:
        yield w.count(
            "{count} friend has come by your links.",
            "{count} friends have come by your links.",
            loaded.friends,
        )
    if loaded.brought:
        points = w.points(loaded.brought, loaded.unit)
        yield w.text("Your invitations have brought you {points}.", points=points)
