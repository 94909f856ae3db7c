"""Whether the Hub can be reached: asked once, before the libraries ask for every file."""

import os
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies

OFFLINE = "HF_HUB_OFFLINE"
ENDPOINT = "HF_ENDPOINT"
TRUE = {"1", "ON", "YES", "TRUE"}

# Seconds until a Hub that does not answer counts as out of reach.
PATIENCE = 5


def offline():
    """Whether the Hub must not be asked."""
    return os.environ.get(OFFLINE, "").upper() in TRUE


def go_offline_if_out_of_reach():
    """Leaves the Hub alone where it cannot be reached; what is to be said of it.

    The libraries try five times for every file, which adds up to minutes, and then use the cache
    all the same. Must be called before they are imported: they read the variable then.
    """
    if offline() or getproxies():
        return None
    address = urlsplit(os.environ.get(ENDPOINT) or "https://huggingface.co")
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname, port), timeout=PATIENCE).close()
    except OSError as error:
        os.environ[OFFLINE] = "1"
        return f"{address.hostname} cannot be reached ({error}): only the cache is used"
    return None
