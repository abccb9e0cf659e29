"""How the admin looks: the studio's paper, ink and one green (frontend/src/styles/tokens.css) as unfold's scales."""

from __future__ import annotations

from typing import Any

_STEPS = (50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 950)


def _scale(*colours: str) -> dict[str, str]:
    return {str(step): colour for step, colour in zip(_STEPS, colours, strict=True)}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "AIGC Studio",
    "SITE_HEADER": "AIGC Studio",
    "SITE_URL": "/",
    "STYLES": ["/static/admin_look/wide_values.css"],
    "COLORS": {
        "base": _scale(
            "#faf9f7",
            "#f2f0ec",
            "#e4e1da",
            "#cfcbc2",
            "#a5a299",
            "#66635b",
            "#4b4b44",
            "#3e3e38",
            "#33332e",
            "#1f1f1c",
            "#171715",
        ),
        "primary": _scale(
            "#f0f8f6",
            "#e1f1ed",
            "#b9e2d9",
            "#8dd6c6",
            "#58c9b3",
            "#36ab96",
            "#0b7365",
            "#095e53",
            "#0a4a42",
            "#18342e",
            "#06231d",
        ),
    },
}
