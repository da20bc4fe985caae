"""What the Bot API answers when it refuses; the texts are Telegram's own."""

from typing import Any

from starlette.responses import JSONResponse

Json = dict[str, Any]

TOO_MANY = "Too Many Requests: retry after {}"
BLOCKED = "Forbidden: bot was blocked by the user"
NOT_STARTED = "Forbidden: bot can't initiate conversation with a user"
NOT_MEMBER = "Forbidden: bot is not a member of the supergroup chat"
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
QUERY_TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
OTHER_POLL = (
    "Conflict: terminated by other getUpdates request; "
    "make sure that only one bot instance is running"
)
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; "
    "use deleteWebhook to delete the webhook first"
)


class ApiError(Exception):
    """A refusal as the Bot API words it."""

    def __init__(self, code: int, description: str, parameters: Json | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def as_json(self) -> Json:
        """Return the body of the answer."""
        body: Json = {"ok": False, "error_code": self.code, "description": self.description}
        return body | ({"parameters": self.parameters} if self.parameters else {})

    def as_response(self) -> JSONResponse:
        """Return the answer."""
        return JSONResponse(self.as_json(), status_code=self.code)


def bad_request(text: str) -> ApiError:
    """Refuse what was asked for."""
    return ApiError(400, f"Bad Request: {text}")


def too_many(seconds: int) -> ApiError:
    """Ask for a pause."""
    return ApiError(429, TOO_MANY.format(seconds), {"retry_after": seconds})
