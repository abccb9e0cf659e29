"""The web process: HTTP by Django, `/ws/v1` by the jobs app's consumer."""

from __future__ import annotations

import os
from typing import Any, cast

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc.settings")
django_application = get_asgi_application()  # loads the apps, which the imports below need

from channels.routing import ProtocolTypeRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from aigc.lib.body_limit import BodyLimit  # noqa: E402
from aigc.routing import websocket_application  # noqa: E402

http_application = BodyLimit(cast(Any, django_application), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
application = ProtocolTypeRouter({"http": http_application, "websocket": websocket_application})
