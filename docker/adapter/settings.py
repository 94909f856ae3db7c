"""What to run, as the entrypoint has understood it."""

import json
import os
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

ENDPOINT = "VLLM_ENDPOINT"

BACKEND_OWN = {
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

# How tokens are chosen, unless told otherwise. What is left out, vLLM takes from the model's own
# `generation_config.json`, so that models would be compared with rules of their own.
CHOSEN = {"repetition_penalty": 1.0}
# The same of sampling: `top_k` is what transformers has for a model that says nothing.
SAMPLED = {"temperature": 1.0, "top_p": 1.0, "top_k": 50, "min_p": 0.0}


@dataclass
class Settings:
    """One run."""

    stack: str
    backend: Dict[str, Any]
    scenario: Dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> "Settings":
        """Reads the JSON object of the entrypoint."""
        tree = json.loads(text)
        return cls(stack=tree["stack"], backend=tree["backend"], scenario=tree["scenario"])

    @property
    def model(self) -> str:
        """Hub id or path."""
        return self.backend["model"]

    @property
    def seed(self) -> int:
        """Seed of every random choice."""
        return self.backend["seed"]

    @property
    def device_ids(self) -> Optional[List[int]]:
        """GPUs that were chosen, if any were."""
        return self.backend.get("device_ids")

    @property
    def model_kwargs(self) -> Dict[str, Any]:
        """Keywords of ``from_pretrained``. Left out, code of the model's own would be asked about."""
        return {"trust_remote_code": False, **self.backend.get("model_kwargs", {})}

    @property
    def processor_kwargs(self) -> Dict[str, Any]:
        """Keywords of the tokenizer's: it is of the same revision as the model."""
        return {**self.model_kwargs, **self.backend.get("processor_kwargs", {})}

    @property
    def endpoint(self) -> str:
        """Address of the server of the `vllm` backend."""
        return os.environ.get(ENDPOINT, "")

    @property
    def failed_share(self) -> Optional[float]:
        """Share of the prompts that may fail, if anybody chose one."""
        return self.scenario.get("failed_share")

    @property
    def reasoning(self) -> bool:
        """Whether prompts go through the model's chat template."""
        return self.scenario["reasoning"]

    @property
    def system_prompt(self) -> Optional[str]:
        """The system message of every prompt."""
        return self.scenario.get("system_prompt")

    def messages(self, prompt: str) -> List[Dict[str, str]]:
        """A prompt as a chat template gets it."""
        system = [] if self.system_prompt is None else [("system", self.system_prompt)]
        return [{"role": role, "content": text} for role, text in [*system, ("user", prompt)]]

    @property
    def max_new_tokens(self) -> int:
        """Longest answer."""
        return self.scenario["generate_kwargs"]["max_new_tokens"]

    def generate_kwargs(self) -> Dict[str, Any]:
        """Keywords of ``generate``: the likeliest token, unless sampling was asked for."""
        asked = self.scenario["generate_kwargs"]
        fixed = {"do_sample": False, "num_beams": 1, "use_cache": True, "no_repeat_ngram_size": 0}
        sampled = {**SAMPLED, "min_p": None, "typical_p": 1.0} if asked.get("do_sample") else {}
        return {**fixed, **CHOSEN, **sampled, **asked}

    def in_force(self) -> Dict[str, Any]:
        """The scenario, with what is left out of it. A server has rules of its own for that."""
        left_out = {} if self.stack == "vllm" else {"generate_kwargs": self.generate_kwargs()}
        return {**self.scenario, **left_out}

    def stack_only(self) -> Dict[str, Any]:
        """Keys of the backend that optimum-benchmark alone knows."""
        return {key: value for key, value in self.backend.items() if key not in BACKEND_OWN}
