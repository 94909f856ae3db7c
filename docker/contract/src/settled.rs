//! What the Python stacks get wrong, and how each fault is settled, so that runs are comparable.
//! Seen with optimum-benchmark 0.6.0 and ai_energy_benchmarks 0.0.7.

/// One fault: what a stack does by itself, and what a run of ours does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// What the stack does by itself.
    pub fault: &'static str,
    /// How a run of ours differs.
    pub settled: &'static str,
}

const fn settled(fault: &'static str, settled: &'static str) -> Settled {
    Settled { fault, settled }
}

/// Every fault that is settled, in the order of the guides.
pub const SETTLED: [Settled; 31] = [
    settled(
        "exit code 0 when no prompt ran (`optimum` with `num_samples=-1`)",
        "the number of prompts is above 0, and a run without an answer fails",
    ),
    settled(
        "exit code 0 when every prompt failed (`pytorch`, up to two prompts)",
        "a run without an answer fails, one with three failures in a row, and one of which more \
         prompts fail than a tenth or `scenario.failed_share`; other failures are counted and shown",
    ),
    settled(
        "exit code 0 when an old report was left in place (`optimum`)",
        "outputs of earlier runs are moved to `previous/` first, so a report is this run's",
    ),
    settled(
        "exit code 0 when the report went elsewhere (`optimum` without `hydra.job.chdir`)",
        "reports go to the results folder; `hydra.*` is refused, a missing report is a failure",
    ),
    settled(
        "no seed, sampling always on (`pytorch`, `vllm`)",
        "both stacks: seed 42 or `backend.seed`, the likeliest token unless \
         `scenario.generate_kwargs.do_sample=True`",
    ),
    settled(
        "limits, penalties, searches and sampling of the model's own `generation_config.json` (all)",
        "the arguments alone choose the tokens; of the model's file only the ids of its end, padding \
         and beginning count (`optimum`, `pytorch`), and what else it sets is noted",
    ),
    settled(
        "`min_new_tokens` ignored (`pytorch`), 100 tokens unless told otherwise (`optimum`)",
        "both stacks: 10 tokens, neither fewer nor more, unless told otherwise; with reasoning 1 to \
         8192",
    ),
    settled(
        "chat template switched on and off by the model's name or path (`pytorch`)",
        "both stacks: plain text; with `scenario.reasoning=True` the model's chat template",
    ),
    settled(
        "a launcher that keeps one processor busy with waiting (`optimum`)",
        "the model runs in the measured process; `launcher` is refused",
    ),
    settled(
        "one thread per processor, which halts whenever another program runs",
        "of several processors one is left free, unless `OMP_NUM_THREADS` in the container says \
         otherwise",
    ),
    settled(
        "`scenario.reasoning=False` read as true (`pytorch`)",
        "Hydra's words for true and false are understood, anything else is refused",
    ),
    settled(
        "a dataset that is a file is not found (both)",
        "CSV, JSON, JSONL and parquet files are taken, and folders of them",
    ),
    settled(
        "more samples than the dataset has: a crash (`optimum`), a wrong count (`pytorch`)",
        "all prompts of the dataset run, and the summary says how many were asked for",
    ),
    settled(
        "prompts cut in silence, and to 512 tokens where a configuration calls its length otherwise (`optimum`)",
        "cut to what the model holds beside its answer, by any of the names for it, and counted",
    ),
    settled(
        "a prompt without a token ends the run in an `IndexError` (`optimum`)",
        "it is one failed prompt, as one with a token that the model does not know",
    ),
    settled(
        "weights that are not numbers (NaN, infinite) are measured; an unknown quantisation is passed over (both)",
        "both fail before anything is measured; an adapter beside a model is noted, and so are weights that the model leaves out or does not compute with as they are stored",
    ),
    settled(
        "`NA`, `null` and empty cells of CSV files left out, numbers rewritten (both)",
        "every cell is the text that it is, in compressed files and archives, too",
    ),
    settled(
        "half a second of the tracker's own waiting counts at each end of a phase (both)",
        "a note says so, where it is more than a tenth of the phase; where it is of all that counts, no headline shows that energy",
    ),
    settled(
        "unknown or unsupported overrides dropped in silence (both)",
        "each is an error that names it, before anything is loaded",
    ),
    settled(
        "`backend.torch_dtype` and `device_map` ignored (`pytorch`)",
        "both stacks use them; the number type in use is in the record",
    ),
    settled(
        "a Hub id that only works with a network (`optimum`)",
        "both stacks load it from the cache, also with `--offline`",
    ),
    settled(
        "code from a model's repository runs unasked (`pytorch`)",
        "only with `backend.model_kwargs.trust_remote_code=True`",
    ),
    settled(
        "CPU and memory figures that are estimates, and do not say so (both)",
        "the summary names the source of every figure, as the tracker really used it",
    ),
    settled(
        "services on the internet are asked where the machine is, for CO2 figures alone (both)",
        "nobody is asked",
    ),
    settled(
        "a server's address loses characters at its end, such as the 1 of port 8001 (`vllm`)",
        "the address is used as it is, with `/v1` or without",
    ),
    settled(
        "tokens not counted; a piece of an answer without text fails the prompt (`vllm`)",
        "the server is asked for its counts, and such pieces are passed over",
    ),
    settled(
        "an error in the middle of an answer, or its end, counts as an answer (`vllm`)",
        "the prompt failed, and the server's reason is shown",
    ),
    settled(
        "what a model thinks is no first token (`vllm`)",
        "`reasoning` and `reasoning_content` are written tokens like others",
    ),
    settled(
        "reasoning parameters in `extra_body`, where no server looks for them (`vllm`)",
        "`reasoning_effort` and `chat_template_kwargs` stand in the request itself",
    ),
    settled(
        "no API key, no path but `/v1`, no server without `/health` or without streams (`vllm`)",
        "each works; what a server does not take is left out, and noted if it matters",
    ),
    settled(
        "what is wrong with a server is hidden (`vllm`)",
        "before anything else each fault has a message of its own; `--wait-for-endpoint` waits",
    ),
];
