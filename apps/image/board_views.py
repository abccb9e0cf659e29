"""REST for boards: each view parses, calls one service or selector, and shows what it got."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.authentication import actor_of
from apps.image import selectors, services
from apps.image.serializers import BoardInput, BoardListOutput, BoardOutput, parsed


class BoardsView(APIView):
    """`/api/v1/boards`."""

    @extend_schema(operation_id="boards_list", responses=BoardListOutput)
    def get(self, request: Request) -> Response:
        """One's own boards by name."""
        return Response({"results": selectors.view_boards(actor_of(request))})

    @extend_schema(operation_id="boards_create", request=BoardInput, responses={201: BoardOutput})
    def post(self, request: Request) -> Response:
        """A new board."""
        actor = actor_of(request)
        board = services.create_board(actor=actor, **parsed(BoardInput(data=request.data)))
        return Response(selectors.view_board(actor, board.pk), status=201)


class BoardView(APIView):
    """`/api/v1/boards/{id}`."""

    @extend_schema(operation_id="boards_rename", request=BoardInput, responses=BoardOutput)
    def patch(self, request: Request, board_id: str) -> Response:
        """Rename it."""
        actor = actor_of(request)
        board = services.rename_board(actor=actor, board_id=board_id, **parsed(BoardInput(data=request.data)))
        return Response(selectors.view_board(actor, board.pk))

    @extend_schema(operation_id="boards_delete", responses={204: None})
    def delete(self, request: Request, board_id: str) -> Response:
        """Its pictures stay, on no board."""
        services.delete_board(actor=actor_of(request), board_id=board_id)
        return Response(status=204)
