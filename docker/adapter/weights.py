"""Checks of a model's weights: quantization, values that are not finite, missing and unused ones."""

import math

import torch

from . import model_files
from .errors import UserError, quoted_list

# Weights that a note lists by name.
LISTED = 3


def check_quantization(settings, configuration, record):
    """Checks the quantization before the model is loaded, and returns its method.

    transformers ignores an unknown method, and an adapter beside the model, without an error.
    """
    from transformers import __version__
    from transformers.quantizers.auto import AUTO_QUANTIZATION_CONFIG_MAPPING as KNOWN

    quantized = getattr(configuration, "quantization_config", None)
    quantized = quantized if isinstance(quantized, dict) else {}
    method = quantized.get("quant_method")
    in_bits = quantized.get("load_in_8bit") or quantized.get("load_in_4bit")
    if quantized and not in_bits and method not in list(KNOWN):
        raise UserError(
            f"`backend.model={settings.model}` is quantised by `{str(method)[:40]}`, which transformers"
            f" {__version__} does not know: it would take the weights for others; known are"
            f" {', '.join(sorted(map(str, KNOWN)))}"
        )
    if model_files.exists(settings, model_files.ADAPTER):
        record.note(
            f"beside the model is an adapter (`{model_files.ADAPTER}`), which was not used: the model ran"
            " without it; merge them to measure both"
        )
    return method


def note_loading(info, record):
    """Notes missing weights, which are random then, and weights that the model does not use."""
    missing, unexpected = sorted(info["missing_keys"]), sorted(info["unexpected_keys"])
    if missing:
        listed = quoted_list(missing, LISTED)
        record.note(f"the checkpoint lacks weights, which are random instead: {listed}")
    if unexpected:
        listed = quoted_list(unexpected, LISTED)
        record.note(f"the checkpoint has weights that the model does not use: {listed}")


def note_dequantized(method, loaded, record):
    """Notes that transformers dequantized the weights on loading, which changes the energy."""
    if method and not getattr(loaded, "is_quantized", False):
        dtype = str(loaded.dtype).removeprefix("torch.")
        record.note(
            f"the weights are quantised by `{method}`, and ran as {dtype}: what computes with the former"
            " is not in this image, or not for this device"
        )


def check_finite(loaded, settings):
    """Rejects weights with NaN or infinity: they compute as fast as others, and answer nonsense."""
    for name, weights in loaded.named_parameters():
        # Types of one byte have no NaN, or PyTorch cannot compare them.
        if weights.is_meta or not weights.is_floating_point() or weights.element_size() < 2:
            continue
        if not weights.numel():
            continue
        least, most = (float(end) for end in torch.aminmax(weights.detach()))
        if math.isnan(least):
            raise UserError(
                f"the weights of `{settings.model}` are broken: `{name}` holds values that are not"
                " numbers (NaN); download or convert the model again"
            )
        if math.isinf(least) or math.isinf(most):
            raise UserError(
                f"the weights of `{settings.model}` are broken: `{name}` holds infinite values, or some"
                f" too large for `backend.torch_dtype={settings.backend['torch_dtype']}`; download or"
                " convert the model again, or choose another type"
            )


@torch.inference_mode()
def check_logits(loaded, settings, tokens, pad_token_id):
    """Rejects a model that computes NaN from a prompt, such as by an overflow of its dtype."""
    ids = torch.tensor([tokens], device=loaded.device)
    first = loaded.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pad_token_id=pad_token_id,
        do_sample=False,
        max_new_tokens=1,
        min_new_tokens=1,
        return_dict_in_generate=True,
        output_logits=True,
    )
    if first.logits[0].isnan().any():
        raise UserError(
            f"`{settings.model}` computes no numbers from the first prompt (NaN): its weights are broken,"
            f" or too large for `backend.torch_dtype={settings.backend['torch_dtype']}`"
        )
