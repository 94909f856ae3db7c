"""The device that the model runs on."""

import os

from .errors import UserError

# Keys that need a GPU, with the values that a CPU run may have. The default configuration sets
# `device_map=auto`.
GPU_KEYS = {"device_ids": [None], "device_map": [None, "auto"], "allow_tf32": [None, False]}


def choose(settings):
    """The requested device. The default is CUDA if PyTorch was built with it, else the CPU.

    Must be called before CUDA is initialized, since it makes only the chosen GPUs visible. They are
    numbered as in `nvidia-smi`.
    """
    if settings.device_ids is not None:
        os.environ["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID"
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, settings.device_ids))
    import torch

    device = settings.backend.get("device") or ("cuda" if torch.version.cuda else "cpu")
    if device == "cuda":
        if not torch.version.cuda:
            raise UserError(
                "`backend.device=cuda`: the PyTorch of this image has no CUDA; use the `cuda` image,"
                " or `backend.device=cpu`"
            )
        if not torch.cuda.is_available():
            raise UserError(
                "`backend.device=cuda`, and no GPU is in sight; start the container with `--gpus all`"
                " (the NVIDIA Container Toolkit must be installed), or use `backend.device=cpu`"
            )
        ids = settings.device_ids
        if ids is not None and torch.cuda.device_count() < len(ids):
            raise UserError(
                f"`backend.device_ids={','.join(map(str, ids))}`: only {torch.cuda.device_count()}"
                " of these GPUs are in sight; choose others, or hand over more with `--gpus`"
            )
    else:
        for key, unset in GPU_KEYS.items():
            if settings.backend.get(key) not in unset:
                raise UserError(f"`backend.{key}` is for GPUs, and the device is the CPU; leave one out")
    return device


def counted(settings, device):
    """The GPUs whose energy counts, numbered as in `nvidia-smi`."""
    import torch

    if device != "cuda":
        return []
    if settings.device_ids is not None:
        return settings.device_ids
    return list(range(torch.cuda.device_count()))


def threads():
    """The number of CPU threads of PyTorch."""
    import torch

    return torch.get_num_threads()


def note_unused(model, record):
    """Notes GPUs whose energy counts though they hold no weights."""
    gpus = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    counted = len(record.gpus_counted)
    if counted > len(gpus):
        record.note(
            f"{counted - len(gpus)} of {counted} GPUs hold no part of the model, and their energy"
            " counts; choose GPUs with `backend.device_ids=`"
        )
