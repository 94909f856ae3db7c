"""How many prompts may fail before the run fails, for the `pytorch` and `vllm` backends."""

from .errors import UserError

# Share that may fail by default. One prompt may always fail.
DEFAULT_SHARE = 0.1
KEY = "scenario.failed_share"


def max_failures(share, prompts):
    """How many of `prompts` prompts may fail."""
    if share is None:
        return max(1, int(DEFAULT_SHARE * prompts))
    # In binary, 0.3 * 10 may be slightly less than 3.
    return int(share * prompts + 1e-9)


def check(share, record):
    """Fails the run if too many of its prompts failed."""
    failed = record.prompts_failed
    prompts = failed + record.prompts_answered
    most = max_failures(share, prompts)
    # The entrypoint reports a run without any answer, for every backend.
    if record.prompts_answered and failed > most:
        raise UserError(
            f"{failed} of {prompts} prompts failed, and {most} may: why each did stands above; `{KEY}=`"
            " sets the share that may"
        )
