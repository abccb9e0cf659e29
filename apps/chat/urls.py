"""Addresses under /api/v1/."""

from django.urls import path

from apps.chat import views

urlpatterns = [path("chat", views.chat, name="chat")]
