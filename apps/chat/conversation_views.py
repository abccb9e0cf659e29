"""REST for conversations and folders: each view parses, calls one service or selector, and shows what it got."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.pagination import HighestRank
from apps.accounts.authentication import actor_of
from apps.chat import exchange, folder_services, selectors, services
from apps.chat.models import Conversation, Message
from apps.chat.serializers import (
    AgainInput,
    AskedOutput,
    ConversationChanges,
    ConversationDetail,
    ConversationFilter,
    ConversationOutput,
    FolderInput,
    FolderListOutput,
    FolderOutput,
    ImportInput,
    MessageOutput,
    QuestionInput,
    RatingInput,
    StartInput,
    parsed,
)
from apps.jobs.views import idempotency_key_of

_KEY = OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)


class ConversationsView(GenericAPIView[Conversation]):
    """`/api/v1/conversations`."""

    pagination_class = HighestRank

    @extend_schema(
        operation_id="conversations_list",
        parameters=[ConversationFilter],
        responses=ConversationOutput(many=True),
    )
    def get(self, request: Request) -> Response:
        """One's own conversations: pinned ones first, then by their last change."""
        asked = parsed(ConversationFilter(data=request.query_params.dict()))
        page = self.paginate_queryset(selectors.list_conversations(actor_of(request), **asked)) or []
        return self.get_paginated_response([selectors.view_conversation(found) for found in page])

    @extend_schema(
        operation_id="conversations_start",
        request=StartInput,
        responses={201: ConversationDetail},
        parameters=[_KEY],
    )
    def post(self, request: Request) -> Response:
        """Begin with a question; its answer is on its way. A repeated Idempotency-Key gives the first one again."""
        asked = parsed(StartInput(data=request.data))
        answers = services.start_conversation(
            actor=actor_of(request), key=idempotency_key_of(request), **asked
        )
        return Response(selectors.view_with_messages(answers[0].conversation), status=201)


class ImportView(APIView):
    """`/api/v1/conversations/import`."""

    @extend_schema(
        operation_id="conversations_import", request=ImportInput, responses={201: ConversationDetail}
    )
    def post(self, request: Request) -> Response:
        """Bring in what an export as JSON has written."""
        asked = parsed(ImportInput(data=request.data))
        conversation = services.import_conversation(actor=actor_of(request), **asked)
        return Response(selectors.view_with_messages(conversation), status=201)


class ConversationView(APIView):
    """`/api/v1/conversations/{id}`."""

    @extend_schema(operation_id="conversations_read", responses=ConversationDetail)
    def get(self, request: Request, conversation_id: str) -> Response:
        """The conversation with all of its messages."""
        conversation = services.read_conversation(actor=actor_of(request), conversation_id=conversation_id)
        return Response(selectors.view_with_messages(conversation))

    @extend_schema(
        operation_id="conversations_change", request=ConversationChanges, responses=ConversationOutput
    )
    def patch(self, request: Request, conversation_id: str) -> Response:
        """Rename, pin, archive, file, show another branch, or ask differently from now on."""
        conversation = services.change_conversation(
            actor=actor_of(request),
            conversation_id=conversation_id,
            changes=parsed(ConversationChanges(data=request.data)),
        )
        return Response(selectors.view_conversation(conversation))

    @extend_schema(operation_id="conversations_delete", responses={204: None})
    def delete(self, request: Request, conversation_id: str) -> Response:
        """Hide it at once; ten minutes later nothing of it is left."""
        services.delete_conversation(actor=actor_of(request), conversation_id=conversation_id)
        return Response(status=204)


class RestoreView(APIView):
    """`/api/v1/conversations/{id}/restore`."""

    @extend_schema(operation_id="conversations_restore", request=None, responses=ConversationOutput)
    def post(self, request: Request, conversation_id: str) -> Response:
        """Undo the deletion."""
        conversation = services.restore_conversation(actor=actor_of(request), conversation_id=conversation_id)
        return Response(selectors.view_conversation(conversation))


class ExportView(APIView):
    """`/api/v1/conversations/{id}/export`."""

    @extend_schema(
        operation_id="conversations_export",
        parameters=[OpenApiParameter("as", enum=["markdown", "json"])],
        responses={
            (200, "application/json"): OpenApiTypes.BINARY,
            (200, "text/markdown"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request, conversation_id: str) -> HttpResponse:
        """A file: the branch that is shown as Markdown, or the whole tree as JSON, which can be imported."""
        form = request.query_params.get("as", "json")
        if form not in ("json", "markdown"):
            raise AppError(
                ErrorCode.BAD_REQUEST, f"as: {form[:50]!r} is not one of json, markdown.", field="as"
            )
        conversation = selectors.get_conversation(actor_of(request), conversation_id)
        if form == "markdown":
            text, media_type, ending = exchange.as_markdown(conversation), "text/markdown", "md"
        else:
            text, media_type, ending = exchange.as_json(conversation), "application/json", "json"
        response = HttpResponse(text, content_type=f"{media_type}; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="conversation-{conversation.pk}.{ending}"'
        return response


class MessagesView(APIView):
    """`/api/v1/conversations/{id}/messages`."""

    @extend_schema(
        operation_id="messages_ask", request=QuestionInput, responses={201: AskedOutput}, parameters=[_KEY]
    )
    def post(self, request: Request, conversation_id: str) -> Response:
        """Ask on, or ask an earlier question differently: then it is a branch beside it."""
        asked = parsed(QuestionInput(data=request.data))
        answers = services.ask(
            actor=actor_of(request),
            conversation_id=conversation_id,
            key=idempotency_key_of(request),
            **asked,
        )
        return Response(_asked([*filter(None, [answers[0].parent]), *answers]), status=201)


class AgainView(APIView):
    """`/api/v1/conversations/{id}/messages/{id}/again`."""

    @extend_schema(
        operation_id="messages_again", request=AgainInput, responses={201: AskedOutput}, parameters=[_KEY]
    )
    def post(self, request: Request, conversation_id: str, message_id: str) -> Response:
        """Have the question of this answer answered once more, beside it."""
        asked = parsed(AgainInput(data=request.data))
        answers = services.answer_again(
            actor=actor_of(request),
            conversation_id=conversation_id,
            message_id=message_id,
            key=idempotency_key_of(request),
            **asked,
        )
        return Response(_asked(answers), status=201)


class MessageView(APIView):
    """`/api/v1/conversations/{id}/messages/{id}`."""

    @extend_schema(operation_id="messages_rate", request=RatingInput, responses=MessageOutput)
    def patch(self, request: Request, conversation_id: str, message_id: str) -> Response:
        """Rate an answer."""
        message = services.rate_message(
            actor=actor_of(request),
            conversation_id=conversation_id,
            message_id=message_id,
            changes=parsed(RatingInput(data=request.data)),
        )
        return Response(selectors.view_message(message))


class FoldersView(APIView):
    """`/api/v1/folders`."""

    @extend_schema(operation_id="folders_list", responses=FolderListOutput)
    def get(self, request: Request) -> Response:
        """One's own folders by name."""
        return Response({"results": selectors.list_folders(actor_of(request))})

    @extend_schema(operation_id="folders_create", request=FolderInput, responses={201: FolderOutput})
    def post(self, request: Request) -> Response:
        """A new folder."""
        folder = folder_services.create_folder(
            actor=actor_of(request), **parsed(FolderInput(data=request.data))
        )
        return Response(selectors.view_folder(folder), status=201)


class FolderView(APIView):
    """`/api/v1/folders/{id}`."""

    @extend_schema(operation_id="folders_rename", request=FolderInput, responses=FolderOutput)
    def patch(self, request: Request, folder_id: str) -> Response:
        """Rename it."""
        asked = parsed(FolderInput(data=request.data))
        folder = folder_services.rename_folder(actor=actor_of(request), folder_id=folder_id, **asked)
        return Response(selectors.view_folder(folder))

    @extend_schema(operation_id="folders_delete", responses={204: None})
    def delete(self, request: Request, folder_id: str) -> Response:
        """Its conversations stay, in no folder."""
        folder_services.delete_folder(actor=actor_of(request), folder_id=folder_id)
        return Response(status=204)


class RestoreFolderView(APIView):
    """`/api/v1/folders/{id}/restore`."""

    @extend_schema(operation_id="folders_restore", request=None, responses=FolderOutput)
    def post(self, request: Request, folder_id: str) -> Response:
        """Undo the deletion: what was in it is in it again."""
        folder = folder_services.restore_folder(actor=actor_of(request), folder_id=folder_id)
        return Response(selectors.view_folder(folder))


def _asked(messages: list[Message]) -> dict[str, Any]:
    return {
        "conversation": selectors.view_conversation(messages[-1].conversation),
        "messages": [selectors.view_message(message) for message in messages],
    }
