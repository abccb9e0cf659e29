"""Addresses under /api/v1/."""

from django.urls import path

from apps.jobs import views

urlpatterns = [
    path("jobs", views.JobsView.as_view(), name="jobs"),
    path("jobs/<str:job_id>", views.JobView.as_view(), name="job"),
    path("jobs/<str:job_id>/events", views.job_events, name="job-events"),
    path("jobs/<str:job_id>/cancel", views.CancelView.as_view(), name="job-cancel"),
    path("jobs/<str:job_id>/artifacts/<str:artifact_id>", views.artifact, name="job-artifact"),
    path("kinds", views.KindsView.as_view(), name="kinds"),
    path("uploads", views.UploadsView.as_view(), name="uploads"),
    path("uploads/<str:upload_id>/file", views.upload_file, name="upload-file"),
]
