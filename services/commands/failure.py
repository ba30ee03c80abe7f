"""How a command fails: one line for people and an exit code for scripts."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

CHECK_FAILED = 1
"""Exit code: the command ran, and what it checked is not as it should be."""
BAD_INPUT = 2
"""Exit code: an argument, a row or a field is wrong."""
UNREACHABLE = 3
"""Exit code: Rapport does not answer, or a read model is too far behind."""
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_TOKEN_HELP = "RAPPORT_TOKEN is missing, wrong or lacks the role"  # noqa: S105 - a message, not a token


class Failure(Exception):
    """The command cannot go on; the message is one line that names the argument, row or field."""

    def __init__(self, message: str, code: int = BAD_INPUT) -> None:
        super().__init__(" ".join(message.split()))
        self.code = code


class ReaderGone(Exception):
    """Whoever read our standard output has closed it, as `| head` does; there is nobody left to tell."""


class Problem(Failure):
    """An HTTP answer that is an RFC 9457 problem; `fields` are the names of what was wrong in the request."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        errors = [error for error in body.get("errors") or () if isinstance(error, dict)]
        self.status = status
        self.fields = tuple(str(error["field"]) for error in errors if error.get("field"))
        if body.get("field"):
            self.fields = (str(body["field"]), *self.fields)
        super().__init__(_sentence(status, body, errors), _code(status))


def _code(status: int) -> int:
    return BAD_INPUT if status < HTTPStatus.INTERNAL_SERVER_ERROR else UNREACHABLE


def _sentence(status: int, body: dict[str, Any], errors: list[dict[str, Any]]) -> str:
    reason = str(body.get("detail") or body.get("title") or HTTPStatus(status).phrase)
    parts = [f"{error['field']}: {error.get('message', 'is wrong')}" for error in errors if error.get("field")]
    if parts:
        reason = "; ".join(parts)
    elif body.get("field") and not reason.startswith(f"{body['field']}"):
        reason = f"{body['field']}: {reason}"
    return f"{reason} ({_TOKEN_HELP})" if status in _REFUSED else reason
