"""Drives the Python benchmark stacks as this project promises it.

The entrypoint starts it as ``python -m adapter run SETTINGS``. It has understood the arguments
already: SETTINGS is one JSON object with the trees ``backend`` and ``scenario``, complete and typed.
Each module has one subject; what the stacks get wrong by themselves is settled in ``optimum`` and
``pytorch``, next to the call that it concerns.
"""
