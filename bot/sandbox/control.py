"""The control interface: people's acts, faults, the clock and what the bot did, as JSON."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.sandbox import people
from bot.sandbox.errors import ApiError, Json, bad_request
from bot.sandbox.faults import read_fault
from bot.sandbox.flood import Flood
from bot.sandbox.given import Given, read_given
from bot.sandbox.messages import Chat, User
from bot.sandbox.methods import METHODS
from bot.sandbox.parameters import Upload, checked_list
from bot.sandbox.world import World

LONGEST_WAIT = 60
# Telegram counts seconds in 32 bits, which end in 2038.
FARTHEST = 10 * 365 * 86_400
_USER_TEXTS = ("first_name", "last_name", "username", "language_code")
_USER_FLAGS = ("started", "blocked")
Act = Callable[[Request], Awaitable[object]]


class Control:
    """Endpoints under /sim; a refusal looks like one of the Bot API."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            _route("/sim/state", self.state, "GET"),
            _route("/sim/users", self.list_users, "GET"),
            _route("/sim/users", self.add_users, "POST"),
            _route("/sim/users/{user:int}/messages", self.send_message, "POST"),
            _route("/sim/users/{user:int}/files", self.send_files, "POST"),
            _route("/sim/users/{user:int}/edits", self.edit, "POST"),
            _route("/sim/users/{user:int}/taps", self.tap, "POST"),
            _route("/sim/users/{user:int}/block", self.block, "POST"),
            _route("/sim/users/{user:int}/menu", self.menu, "GET"),
            _route("/sim/groups", self.add_group, "POST"),
            _route("/sim/chats/{chat}/messages", self.messages, "GET"),
            _route("/sim/chats/{chat}/events", self.events, "GET"),
            _route("/sim/faults", self.add_fault, "POST"),
            _route("/sim/faults", self.clear_faults, "DELETE"),
            _route("/sim/faults/release", self.release, "POST"),
            _route("/sim/flood", self.set_flood, "POST"),
            _route("/sim/clock", self.advance, "POST"),
            _route("/sim/reset", self.reset, "POST"),
            _route("/sim/outbox", self.outbox, "GET"),
        ]

    async def state(self, request: Request) -> object:
        """Tell who the bot is and what waits."""
        world = self._world
        return {
            "bot": world.bot.as_json() | {"name": world.profile.word("name", "")},
            "personas": [persona.as_json() for persona in world.personas],
            "users": len(world.users),
            "pending_updates": len(world.updates),
            "calls": world.calls_made,
            "webhook": world.webhook.info()["url"],
            "now": world.clock.now(),
        }

    async def list_users(self, request: Request) -> object:
        """Tell who is there."""
        return [_user_json(user) for user in self._world.users.values()]

    async def add_users(self, request: Request) -> object:
        """Make people up, or change them."""
        told = []
        for given in (await read_given(request)).objects("users"):
            given.only("id", *_USER_TEXTS, *_USER_FLAGS)
            words = {name: given.text(name) for name in _USER_TEXTS if name in given.values}
            flags = {name: given.flag(name) for name in _USER_FLAGS if name in given.values}
            told.append((given.integer("id", least=1), words | flags))
        for number, fields in told:
            self._world.user(number, **fields)
        return True

    async def send_message(self, request: Request) -> object:
        """Send text, or another `kind` of message."""
        body = await read_given(request)
        user, chat = self._who(request, body)
        if kind := body.text("kind", ""):
            message = people.send_other(self._world, user, chat, kind)
        else:
            reply_to = body.integer("reply_to", 0)
            message = people.say(self._world, user, chat, body.text("text"), reply_to)
        return message.as_json()

    async def send_files(self, request: Request) -> object:
        """Send the files of a form, `as` photo or document."""
        async with request.form() as form:
            fields = Given({name: value for name, value in form.items() if isinstance(value, str)})
            user, chat = self._who(request, fields)
            uploads = []
            for part in form.getlist("files"):
                if isinstance(part, UploadFile):
                    name = part.filename or "file"
                    mime = people.guess_mime(name, part.content_type or "")
                    uploads.append(Upload(name, await part.read(), mime))
        kind, caption = fields.text("as", "document"), fields.text("caption", "")
        reply_to = fields.integer("reply_to", 0)
        sent = people.send_files(self._world, user, chat, kind, uploads, caption, reply_to)
        return [message.as_json() for message in sent]

    async def edit(self, request: Request) -> object:
        """Change a message of this person."""
        body = await read_given(request)
        user, chat = self._who(request, body)
        people.edit(self._world, user, chat, body.integer("message_id"), body.text("text"))
        return True

    async def tap(self, request: Request) -> object:
        """Press a button."""
        body = await read_given(request)
        user, chat = self._who(request, body)
        number, data = body.integer("message_id"), body.text("data")
        return {"query_id": people.tap(self._world, user, chat, number, data)}

    async def block(self, request: Request) -> object:
        """Block or unblock the bot."""
        body = await read_given(request)
        user, _ = self._who(request, body)
        people.block(self._world, user, body.flag("blocked"))
        return True

    async def menu(self, request: Request) -> object:
        """Tell what the bot says of itself in this person's language."""
        world = self._world
        user, chat = self._who(request, _query(request))
        words = ("name", "description", "short_description")
        texts = {kind: world.profile.word(kind, user.language_code) for kind in words}
        commands = world.profile.menu(chat.id, user.id, user.language_code)
        return texts | _user_json(user) | {"commands": commands}

    async def add_group(self, request: Request) -> object:
        """Make a group with people and the bot in it; the bot is told."""
        body = await read_given(request)
        world, number = self._world, body.integer("id")
        if number >= 0:
            raise bad_request("a group has a negative id")
        numbers = checked_list(body.items("members"), int, "members")
        members = [world.user(member) for member in numbers]
        chat = Chat(id=number, type="supergroup", title=body.text("title", "Group"))
        chat.members = {member.id: member for member in members}
        world.chats[number] = chat
        world.change_membership(chat, members[0], was="left", now="member")
        return True

    async def messages(self, request: Request) -> object:
        """Return what stands in a chat now."""
        chat = self._chat(request)
        return {
            "messages": [message.as_json() for message in chat.messages.values()],
            "keyboard": chat.keyboard,
            "events": len(chat.log.events),
        }

    async def events(self, request: Request) -> object:
        """Return what happened in a chat after the first `after` events; wait for one."""
        query = _query(request)
        after, wait = query.integer("after", 0, least=0), query.number("wait", 0, least=0)
        return await self._chat(request).log.after(after, min(wait, LONGEST_WAIT))

    async def add_fault(self, request: Request) -> object:
        """Let something go wrong; the fields are those of `faults.Fault`."""
        self._world.faults.add(read_fault(await read_given(request), METHODS))
        return True

    async def clear_faults(self, request: Request) -> object:
        """Let everything work again."""
        self._world.faults.clear()
        return True

    async def release(self, request: Request) -> object:
        """Let what is delayed go on."""
        self._world.faults.release()
        return True

    async def set_flood(self, request: Request) -> object:
        """Keep the bot to Telegram's pace; the fields are those of `flood.Flood`."""
        body = await read_given(request)
        overall, per_chat = [body.number(name, least=0.01) for name in ("overall", "per_chat")]
        burst = body.number("burst", least=1)
        self._world.flood = Flood(self._world.clock, overall, per_chat, burst)
        return True

    async def advance(self, request: Request) -> object:
        """Move the clock on; a reset sets it right."""
        seconds = (await read_given(request)).number("advance", least=0)
        if seconds > FARTHEST:
            raise bad_request("the clock moves at most ten years at once")
        self._world.clock.advance(seconds)
        return self._world.clock.now()

    async def reset(self, request: Request) -> object:
        """Forget everything but what the bot set up for itself."""
        self._world.reset()
        return True

    async def outbox(self, request: Request) -> object:
        """Return what the bot called, after the first `after` calls, of one method if given."""
        query = _query(request)
        after, method = query.integer("after", 0, least=0), query.text("method", "").lower()
        calls, first = self._world.calls, self._world.calls_made - len(self._world.calls)
        later = itertools.islice(calls, max(after - first, 0), None)
        return [asdict(call) for call in later if method in ("", call.method.lower())]

    def _who(self, request: Request, body: Given) -> tuple[User, Chat]:
        user = self._world.user(request.path_params["user"])
        return user, people.chat_of(self._world, user, body.integer("chat_id", 0))

    def _chat(self, request: Request) -> Chat:
        return people.chat_at(self._world, request.path_params["chat"])


def _query(request: Request) -> Given:
    return Given(dict(request.query_params))


def _user_json(user: User) -> Json:
    return user.as_json() | {"started": user.started, "blocked": user.blocked}


def _route(path: str, act: Act, verb: str) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await act(request))
        except ApiError as error:
            return error.as_response()

    return Route(path, endpoint, methods=[verb])
