"""Addresses under /api/v1/."""

from django.urls import path

from apps.image import board_views, views

urlpatterns = [
    path("pictures", views.PicturesView.as_view(), name="pictures"),
    path("pictures/ids", views.IdsView.as_view(), name="picture-ids"),
    path("pictures/counts", views.CountsView.as_view(), name="picture-counts"),
    path("pictures/delete", views.DeleteView.as_view(), name="pictures-delete"),
    path("pictures/restore", views.RestoreView.as_view(), name="pictures-restore"),
    path("pictures/<str:picture_id>", views.PictureView.as_view(), name="picture"),
    path("pictures/<str:picture_id>/file", views.FileView.as_view(), name="picture-file"),
    path("pictures/<str:picture_id>/thumbnail", views.thumbnail, name="picture-thumbnail"),
    path("boards", board_views.BoardsView.as_view(), name="boards"),
    path("boards/<str:board_id>", board_views.BoardView.as_view(), name="board"),
]
