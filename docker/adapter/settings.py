"""The settings of a run, as the entrypoint passes them."""

import json
from dataclasses import dataclass
from typing import Any

# Keys of the backend that have a meaning here. All others are for optimum-benchmark.
COMMON_KEYS = {
    "model",
    "device",
    "device_ids",
    "torch_dtype",
    "device_map",
    "timeout",
    "task",
    "seed",
    "attn_implementation",
    "model_kwargs",
    "processor_kwargs",
    "no_weights",
}

# Defaults for generation. vLLM takes a value that a request leaves out from the model's own
# `generation_config.json`, so models would be compared under different rules.
DEFAULTS = {"repetition_penalty": 1.0}
# Defaults for sampling. transformers has the same `top_k` for a model without a configuration.
SAMPLING_DEFAULTS = {"temperature": 1.0, "top_p": 1.0, "top_k": 50, "min_p": 0.0}


@dataclass
class Settings:
    """The settings of one run."""

    stack: str
    backend: dict[str, Any]
    scenario: dict[str, Any]
    # Address of the server of the `vllm` backend.
    endpoint: str = ""

    @classmethod
    def parse(cls, text: str, endpoint: str = "") -> "Settings":
        """Parses the JSON object of the entrypoint."""
        tree = json.loads(text)
        return cls(tree["stack"], tree["backend"], tree["scenario"], endpoint)

    @property
    def model(self) -> str:
        """Hub id or path of the model."""
        return self.backend["model"]

    @property
    def seed(self) -> int:
        """Seed of all random choices."""
        return self.backend["seed"]

    @property
    def device_ids(self) -> list[int] | None:
        """The chosen GPUs, if any."""
        return self.backend.get("device_ids")

    @property
    def model_kwargs(self) -> dict[str, Any]:
        """Keywords of ``from_pretrained``, which asks on the terminal without `trust_remote_code`."""
        return {"trust_remote_code": False, **self.backend.get("model_kwargs", {})}

    @property
    def processor_kwargs(self) -> dict[str, Any]:
        """Keywords of the tokenizer, which has the revision of the model by default."""
        return {**self.model_kwargs, **self.backend.get("processor_kwargs", {})}

    @property
    def failed_share(self) -> float | None:
        """Share of the prompts that may fail, if it was set."""
        return self.scenario.get("failed_share")

    @property
    def reasoning(self) -> bool:
        """Whether prompts go through the model's chat template."""
        return self.scenario["reasoning"]

    @property
    def system_prompt(self) -> str | None:
        """The system message of every prompt, if there is one."""
        return self.scenario.get("system_prompt")

    def messages(self, prompt: str) -> list[dict[str, str]]:
        """A prompt as messages of a chat."""
        system = [] if self.system_prompt is None else [("system", self.system_prompt)]
        return [{"role": role, "content": text} for role, text in [*system, ("user", prompt)]]

    @property
    def max_new_tokens(self) -> int:
        """Maximum length of an answer."""
        return self.scenario["generate_kwargs"]["max_new_tokens"]

    def generate_kwargs(self) -> dict[str, Any]:
        """Keywords of ``generate``: greedy search, unless sampling was asked for."""
        given = self.scenario["generate_kwargs"]
        greedy = {"do_sample": False, "num_beams": 1, "use_cache": True, "no_repeat_ngram_size": 0}
        sampling = {**SAMPLING_DEFAULTS, "min_p": None, "typical_p": 1.0} if given.get("do_sample") else {}
        return {**greedy, **DEFAULTS, **sampling, **given}

    def effective_scenario(self) -> dict[str, Any]:
        """The scenario with the defaults for generation, except for a server, which has its own."""
        defaults = {} if self.stack == "vllm" else {"generate_kwargs": self.generate_kwargs()}
        return {**self.scenario, **defaults}

    def optimum_kwargs(self) -> dict[str, Any]:
        """Keys of the backend that are passed to optimum-benchmark unchanged."""
        return {key: value for key, value in self.backend.items() if key not in COMMON_KEYS}
