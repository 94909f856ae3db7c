"""How many prompts may fail before a run does: one rule for `pytorch` and `vllm`."""

from .refusal import Refusal

# Unless anybody says otherwise: one prompt, or this share of them.
SHARE = 0.1
KEY = "scenario.failed_share"


def allowed(share, prompts):
    """How many of so many prompts may fail."""
    if share is None:
        return max(1, int(SHARE * prompts))
    # Of 10 prompts 0.3 are 3, whatever 0.3 is in binary.
    return int(share * prompts + 1e-9)


def check(share, record):
    """Refuses the result of a run of which too many prompts failed."""
    failed = record.prompts_failed
    prompts = failed + record.prompts_answered
    most = allowed(share, prompts)
    # That none was answered is said where the report is read, for every stack.
    if record.prompts_answered and failed > most:
        raise Refusal(
            f"{failed} of {prompts} prompts failed, and {most} may: why each did stands above; `{KEY}=`"
            " sets the share that may"
        )
