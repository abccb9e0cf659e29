"""The web process: HTTP by Django, `/ws/v1` by the jobs app's consumer."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc.settings")
http_application = get_asgi_application()  # loads the apps, so the routes come after it

from aigc.routing import websocket_application  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402

application = ProtocolTypeRouter({"http": http_application, "websocket": websocket_application})
