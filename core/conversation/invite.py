"""Invite: the guest's own links, what both sides get, and what has come of them."""

from __future__ import annotations

from collections.abc import Iterator

from core.conversation import menu
from core.conversation.types import NOTHING, InvitationLoaded, LoadInvitation, State, Step
from core.conversation.views import View
from core.domain import invitations
from core.i18n import N_, Words, words
from core.phrases import friends_came, invitation_promise

NEW_GUESTS_ONLY = N_("You have a card already: an invitation is for new guests.")


def asked(state: State, view: View, rest: str = "") -> Step:
    return Step(NOTHING, (), (LoadInvitation(),))


def shown(state: State, view: View, loaded: InvitationLoaded) -> Step:
    """The links stand in the text, so that it can be sent on as it is."""
    assert view.guest
    w = words(view.guest.language)
    parts = (
        invitation_promise(loaded.inviter_points, loaded.friend_points, loaded.unit, w),
        _links(loaded, w),
        friends_came(loaded.friends, loaded.brought, loaded.unit, w),
    )
    text = "\n\n".join(filter(None, map("\n".join, parts)))
    return Step(NOTHING, (menu.reply(w.language, text),))


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


def _links(loaded: InvitationLoaded, w: Words) -> Iterator[str]:
    if loaded.links:
        yield w.text("Send your friends one of your links:")
    else:  # the messengers haven't told our name there yet
        yield w.text("Your links aren't ready yet. Please try again in a moment.")
    for title, url in loaded.links:
        yield f"{title}: {url}"
