"""Runs the Python benchmark stacks with one set of rules.

The entrypoint starts it as ``python -m adapter run SETTINGS``. SETTINGS is one JSON object with the
trees ``backend`` and ``scenario``. The entrypoint has validated and typed it, with all defaults.
Workarounds for the stacks are in ``optimum``, ``pytorch`` and ``vllm``, beside the call they concern.
"""
