"""What the rooms of products, rewards and bonuses share: a list by programme, a form with a preview
of what it would give, switching off and on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from starlette.responses import Response
from starlette.routing import BaseRoute

from core.domain.roles import Member
from core.services import schemes
from core.services.errors import Missing, Rejected
from core.services.schemes import Scheme
from portal import said
from portal.forms import row_id
from portal.office import Call, Office, to


class Entry(Protocol):
    """What is listed."""

    @property
    def id(self) -> int: ...
    @property
    def programme_id(self) -> int: ...
    @property
    def active(self) -> bool: ...


E = TypeVar("E", bound=Entry)
D = TypeVar("D")
D_contra = TypeVar("D_contra", contravariant=True)


class Service(Protocol[D_contra]):
    """The module in core/services that keeps them."""

    def add(
        self, tx: Any, by: Member, programme_id: int, draft: D_contra, now: datetime, /
    ) -> int: ...
    def change(
        self, tx: Any, by: Member, entry_id: int, draft: D_contra, now: datetime, /
    ) -> None: ...
    def switch(
        self, tx: Any, by: Member, entry_id: int, active: bool, now: datetime, /
    ) -> None: ...


class Line(NamedTuple):
    """An entry in the list: what it is called, what else to know, and what it is worth. `over`: it
    counts no longer, though it is on. `picture` is an address."""

    name: str
    about: str
    worth: str
    over: bool = False
    picture: str = ""


class EntriesRoom(ABC, Generic[E, D]):
    """`many` is the room's name, its path, its action and its page; `one` that of an entry's form,
    and of what is said when it was added, switched off or on."""

    many: ClassVar[str]
    one: ClassVar[str]
    preview_page: ClassVar[str]
    with_file: ClassVar[bool] = False
    service: Service[D]

    def __init__(self, office: Office) -> None:
        self._office = office
        self._path = f"/portal/{self.many}"

    def routes(self) -> list[BaseRoute]:
        office, path, action = self._office, self._path, self.many
        files = {"with_file": self.with_file}
        return [
            office.get(path, self.show, action),
            office.get(f"{path}/new", self.blank, action),
            office.post(f"{path}/new", self.add, action, **files),
            office.post(f"{path}/preview", self.preview, action, **files),
            office.get(f"{path}/{{id}}", self.edit, action),
            office.post(f"{path}/{{id}}", self.change, action, **files),
            office.post(f"{path}/{{id}}/off", self.switch_off, action),
            office.post(f"{path}/{{id}}/on", self.switch_on, action),
        ]

    # -- what differs ----------------------------------------------------------------------------

    @abstractmethod
    async def everyone(self, call: Call) -> Sequence[E]: ...

    @abstractmethod
    async def found(self, call: Call) -> E:
        """The one that the address names."""

    @abstractmethod
    def line(self, entry: E, scheme: Scheme, call: Call) -> Line: ...

    @abstractmethod
    def fields(
        self, call: Call, scheme: Scheme, entry: E | None, *, sent: bool
    ) -> Mapping[str, Any]:
        """What the form shows: as it was sent, as the entry is, or empty."""

    @abstractmethod
    async def draft(self, call: Call, scheme: Scheme) -> D:
        """As the form says. Rejected."""

    @abstractmethod
    async def would(self, call: Call, scheme: Scheme, fields: Mapping[str, Any]) -> Any:
        """What it would give, for the preview's page; None where there is no sense in it yet."""

    async def more(self, call: Call, scheme: Scheme, entry: E | None) -> dict[str, Any]:
        """What else the form's page shows."""
        return {}

    # -- pages -----------------------------------------------------------------------------------

    async def show(self, call: Call) -> Response:
        known = await self._office.read(call, schemes.everyone)
        found = await self.everyone(call)
        shelves = [
            (scheme, [(one, self.line(one, scheme, call)) for one in found if _of(one, scheme)])
            for scheme in known
        ]
        return self._office.page(call, f"{self.many}.html", shelves=shelves, here=self._path)

    async def blank(self, call: Call) -> Response:
        scheme = await self._scheme(call, call.request.query_params.get("programme", ""))
        return await self._form(call, scheme)

    async def edit(self, call: Call) -> Response:
        entry = await self.found(call)
        scheme = await self._office.read(call, schemes.one, entry.programme_id)
        return await self._form(call, scheme, entry)

    async def preview(self, call: Call) -> Response:
        """A piece of the page: what is in the form now would give so much."""
        scheme = await self._scheme(call, call.form.field("programme"))
        would = await self.would(call, scheme, self.fields(call, scheme, None, sent=True))
        return self._office.piece(call, self.preview_page, would=would)

    # -- what is done ----------------------------------------------------------------------------

    async def add(self, call: Call) -> Response:
        scheme = await self._scheme(call, call.form.field("programme"))
        try:
            draft = await self.draft(call, scheme)
            if call.form.field("preview"):  # without script the preview is a page of its own
                return await self._form(call, scheme, sent=True)
            now = self._office.gateway.now()
            await self._office.write(call, self.service.add, scheme.id, draft, now)
        except Rejected as error:
            return await self._form(call, scheme, error=error)
        return to(self._path, f"{self.one}_added")

    async def change(self, call: Call) -> Response:
        entry = await self.found(call)
        scheme = await self._office.read(call, schemes.one, entry.programme_id)
        try:
            draft = await self.draft(call, scheme)
            if call.form.field("preview"):
                return await self._form(call, scheme, entry, sent=True)
            now = self._office.gateway.now()
            await self._office.write(call, self.service.change, entry.id, draft, now)
        except Rejected as error:
            return await self._form(call, scheme, entry, error=error)
        return to(self._path, "saved")

    async def switch_off(self, call: Call) -> Response:
        now = self._office.gateway.now()
        await self._office.write(call, self.service.switch, call.id(), False, now)
        return to(self._path, f"{self.one}_off")

    async def switch_on(self, call: Call) -> Response:
        now = self._office.gateway.now()
        await self._office.write(call, self.service.switch, call.id(), True, now)
        return to(self._path, f"{self.one}_on")

    async def _scheme(self, call: Call, named: str) -> Scheme:
        programme_id = row_id(named)
        if programme_id is None:
            raise Missing("there is no such programme")
        return await self._office.read(call, schemes.one, programme_id)

    async def _form(
        self,
        call: Call,
        scheme: Scheme,
        entry: E | None = None,
        error: Rejected | None = None,
        sent: bool = False,
    ) -> Response:
        fields = self.fields(call, scheme, entry, sent=sent or error is not None)
        return self._office.page(
            call,
            f"{self.one}.html",
            status=422 if error else 200,
            mistake=said.rejected(error.code, call.w) if error else "",
            here=self._path,
            scheme=scheme,
            entry=entry,
            fields=fields,
            would=await self.would(call, scheme, fields),
            **await self.more(call, scheme, entry),
        )


def _of(entry: Entry, scheme: Scheme) -> bool:
    return entry.programme_id == scheme.id
