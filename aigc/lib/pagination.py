"""How long lists are read: by cursor, so that new rows do not shift the page."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """`?limit=` rows at a time, newest first; `next` and `previous` are addresses."""

    ordering = "-created_at"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200


class HighestRank(NewestFirst):
    """The same for rows that are annotated with a time to order by."""

    ordering = "-rank"
