"""REST for pictures: each view parses, calls one service or selector, and shows what it got."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from aigc.lib.errors import AppError, ErrorCode
from aigc.lib.in_pool import in_pool
from aigc.lib.pagination import NewestFirst
from aigc.lib.ranges import file_response
from apps.accounts.authentication import actor_of, authenticate_request
from apps.image import selectors, services, thumbnails
from apps.image.formats import Format, convert
from apps.image.models import Picture
from apps.image.serializers import (
    MANY_MAX,
    CountsOutput,
    IdsOutput,
    ManyChanges,
    ManyInput,
    ManyOutput,
    PictureChanges,
    PictureDetail,
    PictureFilter,
    PictureOutput,
    parsed,
)
from apps.jobs.files import open_stored

# What is at such an address never changes.
FOREVER = "private, max-age=31536000, immutable"
# A grid of new pictures asks for dozens of thumbnails at once: those that have to be made take turns, and wait for it
# on the event loop, so that other requests find free threads and a free core.
_making = asyncio.Semaphore(2)
_NAME_MAX = 40


class PicturesView(GenericAPIView[Picture]):
    """`/api/v1/pictures`."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="pictures_list", parameters=[PictureFilter], responses=PictureOutput(many=True)
    )
    def get(self, request: Request) -> Response:
        """One's own pictures, newest first."""
        page = self.paginate_queryset(selectors.list_pictures(actor_of(request), **_filter(request))) or []
        return self.get_paginated_response([selectors.view_picture(picture) for picture in page])

    @extend_schema(operation_id="pictures_change_many", request=ManyChanges, responses=ManyOutput)
    def patch(self, request: Request) -> Response:
        """Mark or file many at once."""
        asked = parsed(ManyChanges(data=request.data))
        changed = services.change_pictures(
            actor=actor_of(request), picture_ids=asked.pop("pictures"), changes=asked
        )
        return Response({"changed": changed})


class IdsView(APIView):
    """`/api/v1/pictures/ids`."""

    @extend_schema(operation_id="pictures_ids", parameters=[PictureFilter], responses=IdsOutput)
    def get(self, request: Request) -> Response:
        """The ids of a whole list, as many as one request may change."""
        return Response({"ids": selectors.list_picture_ids(actor_of(request), MANY_MAX, **_filter(request))})


class CountsView(APIView):
    """`/api/v1/pictures/counts`."""

    @extend_schema(operation_id="pictures_counts", parameters=[PictureFilter], responses=CountsOutput)
    def get(self, request: Request) -> Response:
        """How many match, and how many there are in all, by mark and by model."""
        return Response(selectors.count_pictures(actor_of(request), **_filter(request)))


class DeleteView(APIView):
    """`/api/v1/pictures/delete`."""

    @extend_schema(operation_id="pictures_delete_many", request=ManyInput, responses=ManyOutput)
    def post(self, request: Request) -> Response:
        """Hide many at once; ten minutes later nothing of them is left."""
        asked = parsed(ManyInput(data=request.data))
        return Response(
            {"changed": services.delete_pictures(actor=actor_of(request), picture_ids=asked["pictures"])}
        )


class RestoreView(APIView):
    """`/api/v1/pictures/restore`."""

    @extend_schema(operation_id="pictures_restore_many", request=ManyInput, responses=ManyOutput)
    def post(self, request: Request) -> Response:
        """Undo the deletion of those that are not erased yet."""
        asked = parsed(ManyInput(data=request.data))
        return Response(
            {"changed": services.restore_pictures(actor=actor_of(request), picture_ids=asked["pictures"])}
        )


class PictureView(APIView):
    """`/api/v1/pictures/{id}`."""

    @extend_schema(operation_id="pictures_read", responses=PictureDetail)
    def get(self, request: Request, picture_id: str) -> Response:
        """The picture with all that made it."""
        picture = selectors.get_picture(actor_of(request), picture_id)
        return Response(selectors.view_whole_picture(picture))

    @extend_schema(operation_id="pictures_change", request=PictureChanges, responses=PictureOutput)
    def patch(self, request: Request, picture_id: str) -> Response:
        """Mark it as a favourite, or put it on a board."""
        actor, changes = actor_of(request), parsed(PictureChanges(data=request.data))
        picture = selectors.get_picture(actor, picture_id)
        services.change_pictures(actor=actor, picture_ids=[picture.pk], changes=changes)
        return Response(selectors.view_picture(selectors.get_picture(actor, picture_id)))

    @extend_schema(operation_id="pictures_delete", responses={204: None})
    def delete(self, request: Request, picture_id: str) -> Response:
        """Hide it at once; ten minutes later nothing of it is left."""
        actor = actor_of(request)
        picture = selectors.get_picture(actor, picture_id)
        services.delete_pictures(actor=actor, picture_ids=[picture.pk])
        return Response(status=204)


class FileView(APIView):
    """`/api/v1/pictures/{id}/file`."""

    @extend_schema(
        operation_id="pictures_file",
        parameters=[OpenApiParameter("as", enum=list(Format))],
        responses={(200, form.media_type): OpenApiTypes.BINARY for form in Format},
    )
    def get(self, request: Request, picture_id: str) -> HttpResponseBase:
        """The picture itself; with `as` to keep, in that format, with all that made it inside."""
        wanted = _format(request.query_params.get("as"))
        picture = selectors.get_picture(actor_of(request), picture_id)
        artifact, file = picture.artifact, open_stored(picture.artifact.file)
        if wanted is None or wanted.media_type == artifact.media_type:
            # REST framework's request is Django's with more around it.
            answer = file_response(request._request, file, artifact.size, artifact.media_type)  # noqa: SLF001
        else:
            with file:
                answer = HttpResponse(convert(file, wanted), content_type=wanted.media_type)
        if wanted is not None:
            name = f"{_short_name(picture)}.{wanted.value.replace('jpeg', 'jpg')}"
            answer["Content-Disposition"] = str(content_disposition_header(as_attachment=True, filename=name))
        answer["Cache-Control"] = FOREVER
        return answer


@csrf_exempt  # it changes nothing
async def thumbnail(request: HttpRequest, picture_id: str) -> HttpResponseBase:
    """A small WebP of the picture; made when it is first asked for."""
    if request.method != "GET":
        raise AppError(ErrorCode.METHOD_NOT_ALLOWED, "A thumbnail is read with GET.")
    picture, data = await in_pool(_known_thumbnail)(request, picture_id)
    if data is None:
        async with _making:
            data = await in_pool(thumbnails.make_thumbnail)(picture)
    return HttpResponse(data, content_type=thumbnails.MEDIA_TYPE, headers={"Cache-Control": FOREVER})


def _known_thumbnail(request: HttpRequest, picture_id: str) -> tuple[Picture, bytes | None]:
    picture = selectors.get_picture(authenticate_request(request), picture_id)
    return picture, thumbnails.read_thumbnail(picture)


def _filter(request: Request) -> Mapping[str, Any]:
    return parsed(PictureFilter(data=request.query_params.dict()))


def _format(name: str | None) -> Format | None:
    if name is None:
        return None
    if name not in list(Format):
        message = f"as: {name[:50]!r} is not one of {', '.join(Format)}."
        raise AppError(ErrorCode.BAD_REQUEST, message, field="as")
    return Format(name)


def _short_name(picture: Picture) -> str:
    """For the file that is kept: the first words of the prompt and the seed."""
    words = re.sub(r"[^\w]+", "-", picture.prompt)[:_NAME_MAX].strip("-")
    return f"{words or 'picture'}-{picture.pk if picture.seed is None else picture.seed}"
