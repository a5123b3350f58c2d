"""A guest's invitation, with its link on each messenger."""

from __future__ import annotations

from core.conversation.types import InvitationLoaded, LoadInvitation
from core.domain.invitations import payload
from core.services import invitations
from core.talk.turn import Turn


def load_invitation(turn: Turn, intention: LoadInvitation) -> InvitationLoaded:
    found = invitations.of_guest(turn.tx, turn.guest_id, turn.now)
    links = [
        (turn.title_of(name, channel.capabilities), link)
        for name, channel in turn.house.channels.items()
        if (link := channel.join_link(payload(found.code)))
    ]
    terms = found.terms
    return InvitationLoaded(
        links=tuple(links),
        inviter_points=terms.inviter_points if terms else 0,
        friend_points=terms.friend_points if terms else 0,
        unit=terms.unit if terms else "points",
        friends=found.friends,
        brought=found.brought,
    )
