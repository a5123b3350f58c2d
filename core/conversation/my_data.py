"""My data: everything that is kept of a guest as a file, or erased."""

from __future__ import annotations

from dataclasses import replace

from core.contract import Link, Outbound
from core.conversation import menu
from core.conversation.questions import asked, words_of
from core.conversation.types import NOTHING, Erase, Erased, Export, Exported, State, Step
from core.conversation.views import View
from core.i18n import words


def chosen(state: State, view: View, which: str) -> Step:
    match which:
        case "export":
            return Step(NOTHING, (), (Export(),))
        case "erase":
            return asked(State(asked="erase"), view)
    return asked(State(asked="data"), view)


def confirmed(state: State, view: View, answer: str) -> Step:
    """Erasing happens on the answer to the open question only: never on a button of long ago."""
    if state.asked == "erase" and answer == "yes":
        return Step(NOTHING, (), (Erase(),))
    return asked(State(asked="erase"), view)


def exported(state: State, view: View, outcome: Exported) -> Step:
    w = words_of(state, view)
    message = menu.reply(w.language, w.text("Here it is. The link works for 15 minutes."))
    return Step(NOTHING, (replace(message, links=(Link(w.text("My data"), outcome.url),)),))


def erased(state: State, view: View, outcome: Erased) -> Step:
    """They are a stranger again."""
    w = words(outcome.language)
    text = w.text("Everything is erased. Write to me any time to start afresh.")
    return Step(NOTHING, (Outbound(text=text, language=w.language),))
