"""What is refused of a form before it is read."""

from __future__ import annotations

import re
from typing import Final

from fastapi import Request

from shared.web import Problem

_UTF8: Final = re.compile(r"""charset\s*=\s*(["']?)utf-?8\1\s*(?:;|$)""", re.ASCII)


def check_charset(request: Request) -> None:
    """Raise `Problem` 400 for a form that names another encoding than UTF-8.

    What reads forms takes any codec of Python by its name; some of them fail, others make halves of characters.
    """
    media = request.headers.get("content-type", "").lower()
    if media.count("charset") != len(_UTF8.findall(media)):
        raise Problem(400, "form-charset", "send the form in UTF-8, and name no other charset in Content-Type")
