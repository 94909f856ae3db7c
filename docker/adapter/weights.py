"""What a model computes with: whether it is numbers, and all that its folder holds."""

import math

import torch

from . import model
from .refusal import Refusal


def check_files(settings, configuration, record):
    """Looks at what libraries pass over in silence, before the model is loaded; how its weights are
    quantised, if they are."""
    from transformers import __version__
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING as KNOWN

    quantised = getattr(configuration, "quantization_config", None)
    quantised = quantised if isinstance(quantised, dict) else {}
    method = quantised.get("quant_method")
    in_bits = quantised.get("load_in_8bit") or quantised.get("load_in_4bit")
    if quantised and not in_bits and method not in list(KNOWN):
        raise Refusal(
            f"`backend.model={settings.model}` is quantised by `{str(method)[:40]}`, which transformers"
            f" {__version__} does not know: it would take the weights for others; known are"
            f" {', '.join(sorted(map(str, KNOWN)))}"
        )
    if model.is_there(settings, model.ADAPTER):
        record.note(
            f"beside the model is an adapter (`{model.ADAPTER}`), which was not used: the model ran"
            " without it; merge them to measure both"
        )
    return method


def note_unpacked(method, loaded, record):
    """Says that weights were not computed with as they are stored: that takes other energy."""
    if method and not getattr(loaded, "is_quantized", False):
        dtype = str(loaded.dtype).removeprefix("torch.")
        record.note(
            f"the weights are quantised by `{method}`, and ran as {dtype}: what computes with the former"
            " is not in this image, or not for this device"
        )


def check_numbers(loaded, settings):
    """Refuses weights that are not numbers: they answer as fast as others, and say nothing."""
    for name, weights in loaded.named_parameters():
        # Types of one byte have no such value, or nothing that compares them.
        if weights.is_meta or not weights.is_floating_point() or weights.element_size() < 2:
            continue
        if not weights.numel():
            continue
        least, most = (float(end) for end in torch.aminmax(weights.detach()))
        if math.isnan(least):
            raise Refusal(
                f"the weights of `{settings.model}` are broken: `{name}` holds values that are not"
                " numbers (NaN); download or convert the model again"
            )
        if math.isinf(least) or math.isinf(most):
            raise Refusal(
                f"the weights of `{settings.model}` are broken: `{name}` holds infinite values, or some"
                f" too large for `backend.torch_dtype={settings.backend['torch_dtype']}`; download or"
                " convert the model again, or choose another type"
            )


@torch.inference_mode()
def check_answer(loaded, settings, tokens, padding):
    """Refuses a model that computes no numbers from a prompt, such as by too small a number type."""
    ids = torch.tensor([tokens], device=loaded.device)
    first = loaded.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pad_token_id=padding,
        do_sample=False,
        max_new_tokens=1,
        min_new_tokens=1,
        return_dict_in_generate=True,
        output_logits=True,
    )
    if first.logits[0].isnan().any():
        raise Refusal(
            f"`{settings.model}` computes no numbers from the first prompt (NaN): its weights are broken,"
            f" or too large for `backend.torch_dtype={settings.backend['torch_dtype']}`"
        )
