"""Loads what a model needs, and checks the model for both stacks that run it in this process."""

from dataclasses import dataclass

from . import devices, generation_config, weights
from .errors import UserError
from .model_errors import explain_load_errors
from .model_files import missing_config, missing_tokenizer
from .prompt_tokenizer import PromptTokenizer


@dataclass
class Prepared:
    """What is known of a model before its weights are loaded."""

    configuration: object
    # How the weights are quantized, if they are.
    quantization: str | None
    prompt_tokenizer: PromptTokenizer


def prepare(settings, record):
    """Checks the files of the model and loads all but its weights."""
    configuration = load_config(settings)
    # The Hub's commit. A folder has none.
    record.revision = getattr(configuration, "_commit_hash", None)
    quantization = weights.check_quantization(settings, configuration, record)
    generation_config.override(settings, configuration, record)
    prompt_tokenizer = PromptTokenizer(load_tokenizer(settings), configuration, settings)
    record.prompt_format = prompt_tokenizer.format
    for note in prompt_tokenizer.notes():
        record.note(note)
    return Prepared(configuration, quantization, prompt_tokenizer)


def load_config(settings):
    """The model's configuration, by Hub id or path, from the cache or the Hub."""
    from transformers import AutoConfig

    with explain_load_errors(settings, missing_config):
        loaded = AutoConfig.from_pretrained(settings.model, **settings.model_kwargs)
    # Without `config.json`, transformers guesses the model type from the model's name.
    why = missing_config(settings)
    if why:
        raise UserError(f"`backend.model={settings.model}` could not be loaded: {why}")
    if loaded.is_encoder_decoder:
        raise UserError(
            f"`backend.model={settings.model}` is an encoder-decoder model (`{loaded.model_type}`),"
            " and the task `text-generation` takes models that continue a text; choose another model"
        )
    return loaded


def load_tokenizer(settings):
    """The model's tokenizer, set up to pad on the left and truncate on the right."""
    from transformers import AutoTokenizer

    with explain_load_errors(settings, missing_tokenizer):
        loaded = AutoTokenizer.from_pretrained(settings.model, **settings.processor_kwargs)
    if loaded.pad_token is None:
        # Padding is masked, so any token will do.
        loaded.pad_token = loaded.eos_token or loaded.convert_ids_to_tokens(0)
    # Generation continues after the last position, so all prompts of a batch must end there.
    loaded.padding_side = "left"
    # Tokenizers differ in their default.
    loaded.truncation_side = "right"
    return loaded


def check_loaded(loaded, settings, quantization, record):
    """Checks a loaded model, and records what it computes with."""
    weights.note_dequantized(quantization, loaded, record)
    generation_config.return_tokens_only(loaded)
    weights.check_finite(loaded, settings)
    record.dtype = str(loaded.dtype).removeprefix("torch.")
    devices.note_unused(loaded, record)
