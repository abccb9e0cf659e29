from django.urls import path

from apps.catalog.views import ModelDisableApi, ModelEnableApi, ModelListApi, VoiceListApi

urlpatterns = [
    path("models", ModelListApi.as_view(), name="models"),
    path("voices", VoiceListApi.as_view(), name="voices"),
    path("models/<str:model_id>/enable", ModelEnableApi.as_view(), name="model-enable"),
    path("models/<str:model_id>/disable", ModelDisableApi.as_view(), name="model-disable"),
]
