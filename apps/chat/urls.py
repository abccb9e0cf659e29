"""Addresses under /api/v1/."""

from django.urls import path

from apps.chat import assistant_views, conversation_views, views

urlpatterns = [
    path("chat", views.chat, name="chat"),
    path("conversations", conversation_views.ConversationsView.as_view(), name="conversations"),
    path("conversations/import", conversation_views.ImportView.as_view(), name="conversation-import"),
    path(
        "conversations/<str:conversation_id>",
        conversation_views.ConversationView.as_view(),
        name="conversation",
    ),
    path(
        "conversations/<str:conversation_id>/restore",
        conversation_views.RestoreView.as_view(),
        name="conversation-restore",
    ),
    path(
        "conversations/<str:conversation_id>/export",
        conversation_views.ExportView.as_view(),
        name="conversation-export",
    ),
    path(
        "conversations/<str:conversation_id>/messages",
        conversation_views.MessagesView.as_view(),
        name="messages",
    ),
    path(
        "conversations/<str:conversation_id>/messages/<str:message_id>",
        conversation_views.MessageView.as_view(),
        name="message",
    ),
    path(
        "conversations/<str:conversation_id>/messages/<str:message_id>/again",
        conversation_views.AgainView.as_view(),
        name="message-again",
    ),
    path("assistants", assistant_views.AssistantsView.as_view(), name="assistants"),
    path("assistants/import", assistant_views.ModelfileView.as_view(), name="assistant-import"),
    path("assistants/import/check", assistant_views.CheckView.as_view(), name="assistant-import-check"),
    path("assistants/<str:assistant_id>", assistant_views.AssistantView.as_view(), name="assistant"),
    path(
        "assistants/<str:assistant_id>/restore",
        assistant_views.RestoreAssistantView.as_view(),
        name="assistant-restore",
    ),
    path("folders", conversation_views.FoldersView.as_view(), name="folders"),
    path("folders/<str:folder_id>", conversation_views.FolderView.as_view(), name="folder"),
    path(
        "folders/<str:folder_id>/restore",
        conversation_views.RestoreFolderView.as_view(),
        name="folder-restore",
    ),
]
