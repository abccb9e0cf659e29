"""Addresses under /api/v1/."""

from django.urls import path

from apps.image import views

urlpatterns = [
    path("pictures", views.PicturesView.as_view(), name="pictures"),
    path("pictures/<str:picture_id>", views.PictureView.as_view(), name="picture"),
    path("pictures/<str:picture_id>/file", views.picture_file, name="picture-file"),
]
