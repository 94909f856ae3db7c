"""Whether the Hub is reachable, checked once before the libraries try it for every file."""

import os
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

from .environment import HUB_OFFLINE

# Seconds until a Hub that does not answer counts as unreachable.
TIMEOUT = 5


def go_offline_if_unreachable(environment):
    """Switches the libraries to offline mode if the Hub is unreachable, and returns a note about it.

    Otherwise they retry five times for every file, which takes minutes, and use the cache anyway.
    Must be called before they are imported, since they read the variable on import.
    """
    if environment.hub_offline or getproxies():
        return None
    address = urlsplit(environment.hub_endpoint)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname, port), timeout=TIMEOUT).close()
    except OSError as error:
        os.environ[HUB_OFFLINE] = "1"
        return f"{address.hostname} cannot be reached ({error}): only the cache is used"
    return None


def is_offline():
    """Whether the libraries are in offline mode."""
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE
