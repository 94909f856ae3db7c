"""How a model's texts end: all that counts of its own generation configuration."""

import json

from . import model
from .refusal import Refusal

FILE = "generation_config.json"

# Ids that say where a text begins and ends, and what fills a batch up.
IDS = ["bos_token_id", "eos_token_id", "pad_token_id"]

# More tokens than any model knows.
MOST = 2**31

# Settings that a note lists by name.
LISTED = 8


def settle(settings, configuration, record):
    """Has the libraries generate as the arguments alone say; the model adds its ids of `IDS`.

    Must be called before the model is loaded. Penalties, limits and searches of the model's own
    `generation_config.json`, or of `config.json` where that file is missing, would choose other
    tokens, cost other energy or fail, and models would be compared with rules of their own.
    """
    from transformers import GenerationConfig

    own, name = _own(settings), FILE
    if own is None:
        own, name = _of_configuration(configuration), "config.json"
    ids = {key: _id(settings, name, key, own.get(key)) for key in IDS}
    plain = GenerationConfig().to_dict()
    # Comments and metadata of the file are no settings.
    left_out = [
        key
        for key, value in own.items()
        if key not in IDS
        and not key.startswith("_")
        and key != "transformers_version"
        and value is not None
        and value != plain.get(key)
    ]
    record.note(_note(name, left_out))
    made = lambda *_, **__: GenerationConfig(**ids)
    GenerationConfig.from_pretrained = GenerationConfig.from_model_config = made


def _own(settings):
    """The model's own file, if it has one."""
    path = model.find(settings, FILE)
    if path is None:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            own = json.load(file)
    except (ValueError, RecursionError) as error:
        raise Refusal(f"`{FILE}` of `{settings.model}` is not valid JSON: {error}") from error
    if not isinstance(own, dict):
        raise Refusal(f"`{FILE}` of `{settings.model}` is not a JSON object")
    return own


def _of_configuration(configuration):
    """What a model without that file says in its configuration."""
    about_text = configuration.get_text_config(decoder=True)
    own = {**about_text._get_non_default_generation_parameters()}
    own.update(configuration._get_non_default_generation_parameters())
    for key in IDS:
        first = getattr(configuration, key, None)
        own[key] = getattr(about_text, key, None) if first is None else first
    return own


def _id(settings, name, key, value):
    """An id as the libraries take it; of `eos_token_id` there may be several."""
    ids = value if isinstance(value, list) and key == "eos_token_id" else [value]
    if not all(token is None or type(token) is int and token < MOST for token in ids):
        raise Refusal(
            f"`{name}` of `{settings.model}`: `{key}` is {json.dumps(value)[:80]}, which is not the id"
            " of a token"
        )
    # Some models have -1 for none.
    ids = [token for token in ids if token is not None and token >= 0]
    return ids if len(ids) > 1 else next(iter(ids), None)


def _note(name, left_out):
    if not left_out:
        return None
    listed = ", ".join(f"`{key[:40]}`" for key in left_out[:LISTED])
    more = f" and {len(left_out) - LISTED} more" if len(left_out) > LISTED else ""
    return f"not used of the model's `{name}`: {listed}{more}; the arguments alone choose the tokens"


def plain(loaded):
    """Has a loaded model compute answers alone, whatever its `config.json` asks for beside them."""
    for configuration in [loaded.config, loaded.config.get_text_config(decoder=True)]:
        configuration.return_dict = True
        configuration.output_hidden_states = configuration.output_attentions = False
