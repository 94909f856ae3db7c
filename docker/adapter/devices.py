"""The device that the model runs on."""

import os

from .refusal import Refusal

# Keys that change nothing on a CPU, with the values that do not ask for anything. The
# configuration's own `device_map=auto` is one of them.
GPUS_ALONE = {"device_ids": [None], "device_map": [None, "auto"], "allow_tf32": [None, False]}


def choose(settings):
    """The device: what was asked for, or CUDA where PyTorch was built with it.

    Must be called before anything touches CUDA: the chosen GPUs are made the only ones in sight,
    numbered as NVIDIA's own tools do.
    """
    if settings.device_ids is not None:
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, settings.device_ids))
    import torch

    device = settings.backend.get("device") or ("cuda" if torch.version.cuda else "cpu")
    if device == "cuda":
        if not torch.version.cuda:
            raise Refusal(
                "`backend.device=cuda`: the PyTorch of this image has no CUDA; use the `cuda` image,"
                " or `backend.device=cpu`"
            )
        if not torch.cuda.is_available():
            raise Refusal(
                "`backend.device=cuda`, and no GPU is in sight; start the container with `--gpus all`"
                " (the NVIDIA Container Toolkit must be installed), or use `backend.device=cpu`"
            )
        asked = settings.device_ids
        if asked is not None and torch.cuda.device_count() < len(asked):
            raise Refusal(
                f"`backend.device_ids={','.join(map(str, asked))}`: only {torch.cuda.device_count()}"
                " of these GPUs are in sight; choose others, or hand over more with `--gpus`"
            )
    else:
        for key, unset in GPUS_ALONE.items():
            if settings.backend.get(key) not in unset:
                raise Refusal(f"`backend.{key}` is for GPUs, and the device is the CPU; leave one out")
    return device


def counted(settings):
    """The GPUs whose energy counts, as NVIDIA's own tools number them."""
    import torch

    if settings.device_ids is not None:
        return settings.device_ids
    return list(range(torch.cuda.device_count()))


def threads():
    """Threads that compute on the CPU."""
    import torch

    return torch.get_num_threads()


def without_weights(model, count):
    """How many of the `count` counted GPUs hold no part of the model."""
    used = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    return max(0, count - len(used))
