"""REST for assistants: each view parses, calls one service or selector, and shows what it got."""

from __future__ import annotations

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.authentication import actor_of
from apps.chat import assistant_services, selectors
from apps.chat.serializers import (
    AssistantInput,
    AssistantListOutput,
    AssistantOutput,
    CheckedModelfile,
    ImportedAssistant,
    ModelfileInput,
    ModelfileText,
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
        assistant = assistant_services.create_assistant(actor=actor_of(request), fields=fields)
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
        assistant = assistant_services.change_assistant(
            actor=actor_of(request), assistant_id=assistant_id, fields=fields
        )
        return Response(selectors.view_assistant(assistant))

    @extend_schema(operation_id="assistants_delete", responses={204: None})
    def delete(self, request: Request, assistant_id: str) -> Response:
        """Its conversations stay as they are."""
        assistant_services.delete_assistant(actor=actor_of(request), assistant_id=assistant_id)
        return Response(status=204)


class RestoreAssistantView(APIView):
    """`/api/v1/assistants/{id}/restore`."""

    @extend_schema(operation_id="assistants_restore", request=None, responses=AssistantOutput)
    def post(self, request: Request, assistant_id: str) -> Response:
        """Undo the deletion."""
        assistant = assistant_services.restore_assistant(actor=actor_of(request), assistant_id=assistant_id)
        return Response(selectors.view_assistant(assistant))


class CheckView(APIView):
    """`/api/v1/assistants/import/check`."""

    @extend_schema(operation_id="assistants_import_check", request=ModelfileText, responses=CheckedModelfile)
    def post(self, request: Request) -> Response:
        """Say what an import would take over of a Modelfile and what not; nothing is made."""
        actor_of(request)
        asked = parsed(ModelfileText(data=request.data))
        fields, notes = assistant_services.check_modelfile(asked["modelfile"])
        return Response({**fields, "notes": [asdict(note) for note in notes]})


class ModelfileView(APIView):
    """`/api/v1/assistants/import`."""

    @extend_schema(
        operation_id="assistants_import", request=ModelfileInput, responses={201: ImportedAssistant}
    )
    def post(self, request: Request) -> Response:
        """Make an assistant of an Ollama Modelfile; lines that could not be used are named by their number."""
        asked = parsed(ModelfileInput(data=request.data))
        assistant, notes = assistant_services.import_modelfile(actor=actor_of(request), **asked)
        shown = {"assistant": selectors.view_assistant(assistant), "notes": [asdict(note) for note in notes]}
        return Response(shown, status=201)
