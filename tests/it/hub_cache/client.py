"""Calls functions of huggingface_hub: those that the JSON list in the first argument names.

Prints a JSON list of what each returned, or of the name of what it raised.
"""

import importlib
import json
import sys


def called(name):
    module, _, function = name.rpartition(".")
    module = f"huggingface_hub.utils.{module}" if module else "huggingface_hub"
    return getattr(importlib.import_module(module), function)


def done(call):
    try:
        return {"ok": str(called(call.pop("call"))(**call))}
    except Exception as error:
        return {"error": type(error).__name__}


print(json.dumps([done(call) for call in json.loads(sys.argv[1])]))
