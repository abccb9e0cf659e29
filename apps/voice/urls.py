"""Addresses under /api/v1/."""

from django.urls import path

from apps.voice import views

urlpatterns = [
    path("speech-offer", views.OfferView.as_view(), name="speech-offer"),
    path("speeches", views.SpeechesView.as_view(), name="speeches"),
    path("speeches/<str:speech_id>", views.SpeechView.as_view(), name="speech"),
    path("speeches/<str:speech_id>/restore", views.RestoreView.as_view(), name="speech-restore"),
    path("speeches/<str:speech_id>/audio", views.sound, name="speech-audio"),
]
