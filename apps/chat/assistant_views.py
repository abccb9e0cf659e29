"""REST for assistants: each view parses, calls one service or selector, and shows what it got."""

from __future__ import annotations

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.authentication import actor_of
from apps.chat import selectors, services
from apps.chat.serializers import (
    AssistantInput,
    AssistantListOutput,
    AssistantOutput,
    ImportedAssistant,
    ModelfileInput,
    parsed,
)


class AssistantsView(APIView):
    """`/api/v1/assistants`."""

    @extend_schema(operation_id="assistants_list", responses=AssistantListOutput)
    def get(self, request: Request) -> Response:
        """One's own assistants by name."""
        assistants = selectors.list_assistants(actor_of(request))
        return Response({"results": [selectors.view_assistant(assistant) for assistant in assistants]})

    @extend_schema(operation_id="assistants_create", request=AssistantInput, responses={201: AssistantOutput})
    def post(self, request: Request) -> Response:
        """A new persona: name it in `POST /api/v1/conversations`."""
        fields = parsed(AssistantInput(data=request.data))
        assistant = services.create_assistant(actor=actor_of(request), fields=fields)
        return Response(selectors.view_assistant(assistant), status=201)


class AssistantView(APIView):
    """`/api/v1/assistants/{id}`."""

    @extend_schema(operation_id="assistants_read", responses=AssistantOutput)
    def get(self, request: Request, assistant_id: str) -> Response:
        """The assistant."""
        return Response(selectors.view_assistant(selectors.get_assistant(actor_of(request), assistant_id)))

    @extend_schema(operation_id="assistants_change", request=AssistantInput, responses=AssistantOutput)
    def patch(self, request: Request, assistant_id: str) -> Response:
        """Change it for conversations that begin from now on."""
        fields = parsed(AssistantInput(data=request.data, partial=True))
        assistant = services.change_assistant(
            actor=actor_of(request), assistant_id=assistant_id, fields=fields
        )
        return Response(selectors.view_assistant(assistant))

    @extend_schema(operation_id="assistants_delete", responses={204: None})
    def delete(self, request: Request, assistant_id: str) -> Response:
        """Its conversations stay as they are."""
        services.delete_assistant(actor=actor_of(request), assistant_id=assistant_id)
        return Response(status=204)


class ModelfileView(APIView):
    """`/api/v1/assistants/import`."""

    @extend_schema(
        operation_id="assistants_import", request=ModelfileInput, responses={201: ImportedAssistant}
    )
    def post(self, request: Request) -> Response:
        """Make an assistant of an Ollama Modelfile; lines that could not be used are named by their number."""
        asked = parsed(ModelfileInput(data=request.data))
        assistant, notes = services.import_modelfile(actor=actor_of(request), **asked)
        shown = {"assistant": selectors.view_assistant(assistant), "notes": [asdict(note) for note in notes]}
        return Response(shown, status=201)
