"""The web process: HTTP by Django, `/ws/v1` by the jobs app's consumer."""

from __future__ import annotations

import os
import sys
from typing import Any, cast

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aigc.settings")
django.setup(set_prefix=False)  # loads the apps, which the imports below need

from channels.routing import ProtocolTypeRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from aigc.lib.asgi_handler import Handler  # noqa: E402
from aigc.lib.body_limit import BodyLimit  # noqa: E402
from aigc.lib.long_lived import spare_long_lived  # noqa: E402
from aigc.routing import websocket_application  # noqa: E402

http_application = BodyLimit(cast(Any, Handler()), settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
application = ProtocolTypeRouter({"http": http_application, "websocket": websocket_application})
spare_long_lived()
# The loop that hands tokens out shares the interpreter with the threads of views and waits for its turn this long.
sys.setswitchinterval(0.0005)
