"""The model's own `generation_config.json`, of which only the ids of special tokens count."""

import json

from . import model_files
from .errors import UserError, quoted_list

FILE = "generation_config.json"

# Tokens that begin and end a text, and that pad a batch.
TOKEN_IDS = ["bos_token_id", "eos_token_id", "pad_token_id"]

# Above the size of any vocabulary.
MAX_TOKEN_ID = 2**31

# Settings that a note lists by name.
LISTED = 8


def override(settings, configuration, record):
    """Makes transformers ignore the model's own generation settings, except for `TOKEN_IDS`.

    Must be called before the model is loaded. Penalties, limits and search methods from the model's
    `generation_config.json`, or from `config.json` if that file is missing, would change the tokens
    and the energy, or fail. Models would be compared under different rules.
    """
    from transformers import GenerationConfig

    own, name = _read_file(settings), FILE
    if own is None:
        own, name = _from_configuration(configuration), "config.json"
    ids = {key: _token_id(settings, name, key, own.get(key)) for key in TOKEN_IDS}
    defaults = GenerationConfig().to_dict()
    # Keys with a leading underscore and the version are metadata.
    ignored = [
        key[:40]
        for key, value in own.items()
        if key not in TOKEN_IDS
        and not key.startswith("_")
        and key != "transformers_version"
        and value is not None
        and value != defaults.get(key)
    ]
    if ignored:
        listed = quoted_list(ignored, LISTED)
        record.note(f"not used of the model's `{name}`: {listed}; the arguments alone choose the tokens")
    ids_only = lambda *_, **__: GenerationConfig(**ids)
    GenerationConfig.from_pretrained = GenerationConfig.from_model_config = ids_only


def _read_file(settings):
    """The content of the model's file, or None if it has no such file."""
    path = model_files.find(settings, FILE)
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            own = json.load(file)
    except (ValueError, RecursionError) as error:
        raise UserError(f"`{FILE}` of `{settings.model}` is not valid JSON: {error}") from error
    if not isinstance(own, dict):
        raise UserError(f"`{FILE}` of `{settings.model}` is not a JSON object")
    return own


def _from_configuration(configuration):
    """The generation settings in the model's `config.json`, as older models have them."""
    text_config = configuration.get_text_config(decoder=True)
    own = {**text_config._get_non_default_generation_parameters()}
    own.update(configuration._get_non_default_generation_parameters())
    for key in TOKEN_IDS:
        first = getattr(configuration, key, None)
        own[key] = getattr(text_config, key, None) if first is None else first
    return own


def _token_id(settings, name, key, value):
    """A token id as transformers takes it. There may be several `eos_token_id`."""
    ids = value if isinstance(value, list) and key == "eos_token_id" else [value]
    if not all(token is None or type(token) is int and token < MAX_TOKEN_ID for token in ids):
        raise UserError(
            f"`{name}` of `{settings.model}`: `{key}` is {json.dumps(value)[:80]}, which is not the id"
            " of a token"
        )
    # Some models have -1 for none.
    ids = [token for token in ids if token is not None and token >= 0]
    return ids if len(ids) > 1 else next(iter(ids), None)


def return_tokens_only(loaded):
    """Keeps a model from returning hidden states and attentions, whatever its `config.json` says."""
    for configuration in [loaded.config, loaded.config.get_text_config(decoder=True)]:
        configuration.return_dict = True
        configuration.output_hidden_states = configuration.output_attentions = False


def trim_after_eos(answer, eos_token_id):
    """The tokens of an answer up to its end-of-sequence token, without the padding of its batch."""
    ids = eos_token_id if isinstance(eos_token_id, list) else [eos_token_id]
    last = next((at for at, token in enumerate(answer) if token in ids), len(answer))
    return answer[: last + 1]
