"""The environment variables that the adapter reads."""

from dataclasses import dataclass

from .errors import UserError

ENDPOINT = "VLLM_ENDPOINT"
API_KEY = "VLLM_API_KEY"
API_KEY_PATH = "VLLM_API_KEY_PATH"
CERTIFICATES = "SSL_CERT_FILE"
WAIT = "AIENERGYSCORE_WAIT_FOR_ENDPOINT"
HUB_OFFLINE = "HF_HUB_OFFLINE"
HUB_ENDPOINT = "HF_ENDPOINT"

# Values that huggingface_hub takes for true.
TRUE = {"1", "ON", "YES", "TRUE"}


@dataclass(frozen=True)
class Environment:
    """Values of the variables. Those of the server are validated only for a run that uses it."""

    endpoint: str
    certificates: str | None
    hub_offline: bool
    hub_endpoint: str
    _api_key: str
    _api_key_path: str | None
    _wait: str

    @classmethod
    def read(cls, variables):
        """Reads the variables from a mapping such as ``os.environ``."""
        return cls(
            endpoint=variables.get(ENDPOINT, ""),
            certificates=variables.get(CERTIFICATES),
            hub_offline=variables.get(HUB_OFFLINE, "").upper() in TRUE,
            hub_endpoint=variables.get(HUB_ENDPOINT) or "https://huggingface.co",
            _api_key=variables.get(API_KEY, "").strip(),
            _api_key_path=variables.get(API_KEY_PATH),
            _wait=variables.get(WAIT) or "0",
        )

    def wait_seconds(self):
        """Seconds to wait for the server to become ready."""
        if not self._wait.isdecimal():
            raise UserError(f"{WAIT}={self._wait}: this is no whole number of seconds")
        return float(self._wait)

    def api_key(self):
        """The server's API key, from the variable or the file. None if there is no key."""
        key, path = self._api_key, self._api_key_path
        if not key and path:
            try:
                with open(path, encoding="utf-8") as file:
                    key = file.read().strip()
            except (OSError, UnicodeDecodeError) as error:
                raise UserError(
                    f"the API key in `{path}`, named by {API_KEY_PATH}, cannot be read: {error}"
                ) from error
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise UserError(
                "the API key holds what no key has, such as a blank or a line feed; check its file"
            )
        return key or None
