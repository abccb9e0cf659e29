from django.urls import path

from apps.accounts.views import SessionApi, WelcomeApi

urlpatterns = [
    path("session", SessionApi.as_view(), name="session"),
    path("welcome", WelcomeApi.as_view(), name="welcome"),
]
