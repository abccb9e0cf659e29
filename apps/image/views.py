"""REST for the gallery: each view parses, calls one service or selector, and shows what it got."""

from __future__ import annotations

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.utils import extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aigc.lib.pagination import NewestFirst
from aigc.lib.ranges import file_response
from apps.accounts.authentication import actor_of, authenticate_request
from apps.image import selectors
from apps.image.models import Picture
from apps.image.serializers import PictureDetail, PictureFilter, PictureOutput, parsed
from apps.jobs import files

# A picture never changes under its address.
FOREVER = "private, max-age=31536000, immutable"


class PicturesView(GenericAPIView[Picture]):
    """`/api/v1/pictures`."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="pictures_list", parameters=[PictureFilter], responses=PictureOutput(many=True)
    )
    def get(self, request: Request) -> Response:
        """One's own pictures, newest first."""
        asked = parsed(PictureFilter(data=request.query_params.dict()))
        page = self.paginate_queryset(selectors.list_pictures(actor_of(request), **asked)) or []
        return self.get_paginated_response([selectors.view_picture(picture) for picture in page])


class PictureView(APIView):
    """`/api/v1/pictures/{id}`."""

    @extend_schema(operation_id="pictures_read", responses=PictureDetail)
    def get(self, request: Request, picture_id: str) -> Response:
        """The picture with all that made it."""
        picture = selectors.get_picture(actor_of(request), picture_id)
        return Response(selectors.view_whole_picture(picture))


@csrf_exempt  # nothing is changed by reading
def picture_file(request: HttpRequest, picture_id: str) -> HttpResponseBase:
    """The picture itself."""
    picture = selectors.get_picture(authenticate_request(request), picture_id)
    artifact = picture.artifact
    response = file_response(request, files.open_stored(artifact.file), artifact.size, artifact.media_type)
    response["Cache-Control"] = FOREVER
    return response
