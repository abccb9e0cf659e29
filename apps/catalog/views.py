"""The catalogue over REST."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.authentication import actor_of
from apps.catalog.models import Engine, Medium, Origin
from apps.catalog.selectors import LOAD_STATES, get_model_view, list_models
from apps.catalog.services import disable_model, enable_model, find_voices


class StateOutput(serializers.Serializer[object]):
    """Where the workers are with a model; `done` of `total` counts bytes while downloading."""

    state = serializers.ChoiceField(choices=sorted(LOAD_STATES))
    done = serializers.IntegerField()
    total = serializers.IntegerField()
    message = serializers.CharField()


class ModelOutput(serializers.Serializer[object]):
    """A model. `random` ones are untrained; `size_bytes` is what enabling it downloads."""

    id = serializers.CharField()
    name = serializers.CharField()
    notes = serializers.CharField()
    medium = serializers.ChoiceField(choices=Medium.choices)
    engine = serializers.ChoiceField(choices=Engine.choices)
    origin = serializers.ChoiceField(choices=Origin.choices)
    # A field's own attribute of this name says something else.
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="A public name for all; folders and addresses only for staff, else empty."
    )
    demo = serializers.BooleanField()
    random = serializers.BooleanField()
    enabled = serializers.BooleanField()
    default = serializers.BooleanField()
    size_bytes = serializers.IntegerField()
    languages = serializers.ListField(child=serializers.CharField())
    options = serializers.DictField()
    state = StateOutput()


class ModelListOutput(serializers.Serializer[object]):
    """All models."""

    results = ModelOutput(many=True)


class VoiceOutput(serializers.Serializer[object]):
    """A voice that a job may name as `voice`."""

    id = serializers.CharField()
    name = serializers.CharField()
    language = serializers.CharField()


class VoiceListOutput(serializers.Serializer[object]):
    """All voices of a model, and the languages that they speak."""

    known = serializers.BooleanField(help_text="False until a worker has loaded the model.")
    results = VoiceOutput(many=True)
    languages = serializers.ListField(child=serializers.CharField())


class ModelListApi(APIView):
    """`/api/v1/models`."""

    @extend_schema(
        operation_id="models_list",
        parameters=[OpenApiParameter("medium", enum=list(Medium.values))],
        responses=ModelListOutput,
    )
    def get(self, request: Request) -> Response:
        """List the models, disabled ones too, in the order to offer them."""
        return Response({"results": list_models(actor_of(request), request.query_params.get("medium"))})


class VoiceListApi(APIView):
    """`/api/v1/voices`."""

    @extend_schema(
        operation_id="voices_list",
        parameters=[OpenApiParameter("model", description="A voice model's id; the default one if absent.")],
        responses=VoiceListOutput,
    )
    def get(self, request: Request) -> Response:
        """List the voices of a model. Until a worker has loaded it they are not known, and one is asked to."""
        spoken = find_voices(actor_of(request), request.query_params.get("model"))
        return Response(
            {"known": spoken["known"], "results": spoken["voices"], "languages": spoken["languages"]}
        )


class ModelEnableApi(APIView):
    """`/api/v1/models/{id}/enable`."""

    @extend_schema(operation_id="models_enable", request=None, responses=ModelOutput)
    def post(self, request: Request, model_id: str) -> Response:
        """Let people choose the model and have a worker fetch it. For staff."""
        actor = actor_of(request)
        enable_model(actor, model_id)
        return Response(get_model_view(actor, model_id))


class ModelDisableApi(APIView):
    """`/api/v1/models/{id}/disable`."""

    @extend_schema(operation_id="models_disable", request=None, responses=ModelOutput)
    def post(self, request: Request, model_id: str) -> Response:
        """Take the model off the list of choices. For staff."""
        actor = actor_of(request)
        disable_model(actor, model_id)
        return Response(get_model_view(actor, model_id))
