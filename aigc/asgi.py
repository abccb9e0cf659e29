"""The web process: HTTP by Django, `/ws/v1` by the jobs app's consumer."""

from __future__ import annotations

import os
from typing import Any, cast

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc.settings")
django_application = get_asgi_application()  # loads the apps, which the imports below need

from channels.routing import ProtocolTypeRouter  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.signals import request_finished, request_started  # noqa: E402
from django.db import close_old_connections, reset_queries  # noqa: E402

from aigc.lib.body_limit import BodyLimit  # noqa: E402
from aigc.lib.long_lived import spare_long_lived  # noqa: E402
from aigc.routing import websocket_application  # noqa: E402

http_application = BodyLimit(cast(Any, django_application), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
application = ProtocolTypeRouter({"http": http_application, "websocket": websocket_application})
# What uses the database runs in the pool, which looks after its connections itself. These would start a thread for
# each request, to look after the connections of that thread.
request_started.disconnect(reset_queries)
request_started.disconnect(close_old_connections)
request_finished.disconnect(close_old_connections)
spare_long_lived()
