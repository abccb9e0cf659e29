"""Reading the gallery: only its owner may, and for anybody else nothing of it exists."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, UUIDField

from aigc.lib.errors import AppError, ErrorCode
from apps.accounts.actors import Actor
from apps.image.models import Board, Picture
from apps.jobs.selectors import parse_id

# In the filter of a list: pictures that are on no board.
NO_BOARD = "none"


def own_pictures(actor: Actor, *, deleted: bool = False) -> QuerySet[Picture]:
    """All of the actor's, or those that were just `deleted`."""
    return Picture.objects.filter(
        workspace_id=actor.workspace_id, owner_id=actor.user_id, deleted_at__isnull=not deleted
    )


def list_pictures(
    actor: Actor, *, board: str = "", favourite: bool = False, model: str = "", search: str = ""
) -> QuerySet[Picture]:
    """The actor's pictures that match all of it; `search` wants every one of its words in the prompt."""
    wanted = Q()
    if board:
        wanted &= Q(board=None) if board == NO_BOARD else Q(board_id=parse_id(board))
    if favourite:
        wanted &= Q(favourite=True)
    if model:
        wanted &= Q(model=model)
    for word in search.split():
        wanted &= Q(prompt__icontains=word)
    return own_pictures(actor).filter(wanted)


def get_picture(actor: Actor, picture_id: str | uuid.UUID) -> Picture:
    """The picture with its artifact and job. Raises AppError `not_found`."""
    known = own_pictures(actor).select_related("artifact", "job")
    picture = known.filter(pk=parse_id(picture_id)).first()
    if picture is None:
        raise AppError(ErrorCode.NOT_FOUND, f"There is no picture {str(picture_id)[:50]}.")
    return picture


def list_picture_ids(actor: Actor, limit: int, **wanted: Any) -> list[str]:
    """The ids of the newest `limit` of a list."""
    ids = list_pictures(actor, **wanted).order_by("-created_at").values_list("pk", flat=True)
    return [str(found) for found in ids[:limit]]


def count_pictures(actor: Actor, **wanted: Any) -> dict[str, Any]:
    """How many match `wanted`, and how many there are in each place that a list can show."""
    own = own_pictures(actor)
    totals = own.aggregate(
        all=Count("pk"),
        favourites=Count("pk", filter=Q(favourite=True)),
        unfiled=Count("pk", filter=Q(board=None)),
    )
    models = own.values_list("model").annotate(number=Count("pk")).order_by("model")
    return {
        **totals,
        "found": list_pictures(actor, **wanted).count(),
        "models": [{"model": model, "count": number} for model, number in models],
    }


def list_boards(actor: Actor) -> QuerySet[Board]:
    """The actor's own."""
    return Board.objects.filter(workspace_id=actor.workspace_id, owner_id=actor.user_id)


def get_board(actor: Actor, board_id: str | uuid.UUID) -> Board:
    """The board. Raises AppError `not_found`."""
    board = list_boards(actor).filter(pk=parse_id(board_id)).first()
    if board is None:
        raise AppError(ErrorCode.NOT_FOUND, f"There is no board {str(board_id)[:50]}.")
    return board


def view_picture(picture: Picture) -> dict[str, Any]:
    """A picture as the gallery shows it."""
    address = f"/api/v1/pictures/{picture.pk}"
    return {
        "id": str(picture.pk),
        "job": str(picture.job_id),
        "prompt": picture.prompt,
        "model": picture.model,
        "seed": picture.seed,
        "width": picture.width,
        "height": picture.height,
        "favourite": picture.favourite,
        "board": None if picture.board_id is None else str(picture.board_id),
        "created_at": picture.created_at.isoformat(),
        "file": f"{address}/file",
        "thumbnail": f"{address}/thumbnail",
    }


def view_whole_picture(picture: Picture) -> dict[str, Any]:
    """A picture with all that made it: `input` asks for this very one again, `parameters` are as used."""
    asked = picture.job.input
    if picture.seed is not None:
        asked = {**asked, "seed": picture.seed}
    return {
        **view_picture(picture),
        "input": asked,
        "parameters": picture.parameters,
        "media_type": picture.artifact.media_type,
        "size": picture.artifact.size,
    }


def view_boards(actor: Actor) -> list[dict[str, Any]]:
    """The actor's boards by name, each with its number of pictures and its newest one."""
    newest = own_pictures(actor).filter(board=OuterRef("pk")).order_by("-created_at").values("pk")
    boards = list_boards(actor).annotate(
        count=Count("pictures", filter=Q(pictures__deleted_at__isnull=True)),
        cover=Subquery(newest[:1], output_field=UUIDField()),
    )
    return [
        {
            "id": str(board.pk),
            "name": board.name,
            "count": board.count,
            "cover": None if board.cover is None else f"/api/v1/pictures/{board.cover}/thumbnail",
        }
        for board in boards
    ]


def view_board(actor: Actor, board_id: uuid.UUID) -> dict[str, Any]:
    """One of them."""
    return next(board for board in view_boards(actor) if board["id"] == str(board_id))
