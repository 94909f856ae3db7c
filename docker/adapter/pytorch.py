"""The `pytorch` backend: the runner of ai_energy_benchmarks with a model in this process."""

import time

import torch
from ai_energy_benchmarks.backends.pytorch import PyTorchBackend
from transformers import AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList, set_seed
from transformers.utils import logging

from . import benchmark_runner, devices, model, weights
from .benchmark_runner import Answer, PromptFailed, RecordingBackend
from .errors import UserError, explain_errors, first_lines
from .model_errors import explain_load_errors
from .model_files import missing_weights
from .prompt_tokenizer import PromptError

SHORT_WARMUP_TOKENS = 2


class FirstTokenTimer(StoppingCriteria):
    """Keeps when the first token was generated. Never stops an answer."""

    def __init__(self):
        self.at = None

    def __call__(self, input_ids, scores, **_):
        if self.at is None:
            if input_ids.is_cuda:
                torch.cuda.synchronize()
            self.at = time.perf_counter()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


class TransformersBackend(RecordingBackend, PyTorchBackend):
    """The stack's backend without its special cases for the names of models."""

    def __init__(self, settings, device, record):
        super().__init__(
            model=settings.model,
            device=device,
            device_ids=record.gpus_counted,
            torch_dtype=settings.backend["torch_dtype"],
            device_map=settings.backend.get("device_map") if device == "cuda" else None,
        )
        self.settings, self.record = settings, record
        self.prompt_tokenizer = None

    def load(self):
        """Loads the model."""
        settings = self.settings
        prepared = model.prepare(settings, self.record)
        self.prompt_tokenizer = prepared.prompt_tokenizer
        self.tokenizer = prepared.prompt_tokenizer.tokenizer
        attention = settings.backend.get("attn_implementation")
        with explain_load_errors(settings, missing_weights):
            self.model, info = AutoModelForCausalLM.from_pretrained(
                settings.model,
                output_loading_info=True,
                dtype=self.torch_dtype,
                device_map=self.device_map,
                **({"attn_implementation": attention} if attention else {}),
                **settings.model_kwargs,
            )
        weights.note_loading(info, self.record)
        if self.device_map is None:
            self.model.to(self.device)
        self.model.eval()
        model.check_loaded(self.model, settings, prepared.quantization, self.record)
        # The stack reports it.
        self._initialized = True

    def warm_up(self, prompts):
        """Checks the model with the first prompt that can be tokenized, then warms up with it.

        The warm-up is one whole answer and some short ones, as in optimum-benchmark.
        """
        prompt = next(filter(self._can_tokenize, prompts), None)
        if prompt is None:
            raise UserError(f"none of the {len(prompts)} prompts can be read; why stands above")
        tokens = self.prompt_tokenizer.encode(prompt)
        weights.check_logits(self.model, self.settings, tokens, self.tokenizer.pad_token_id)
        runs = self.settings.scenario["warmup_runs"]
        if runs:
            self._generate(prompt)
        for _ in range(runs):
            self._generate(prompt, max_new_tokens=SHORT_WARMUP_TOKENS, min_new_tokens=SHORT_WARMUP_TOKENS)

    def _can_tokenize(self, prompt):
        try:
            return bool(self.prompt_tokenizer.encode(prompt))
        except PromptError as why:
            print(f"no warm-up with a prompt: {why}")
            return False

    def answer(self, prompt):
        """Answers one prompt."""
        began = time.perf_counter()
        try:
            prompt_tokens, answer, first = self._generate(prompt)
        except PromptError as why:
            raise PromptFailed(str(why)) from why
        except Exception as error:
            raise PromptFailed(f"{type(error).__name__}: {first_lines(error)}") from error
        if not answer:
            raise PromptFailed("the model wrote no token")
        return Answer(
            seconds=time.perf_counter() - began,
            text=self.tokenizer.decode(answer, skip_special_tokens=True),
            content=repr(answer).encode(),
            prompt_tokens=prompt_tokens,
            completion_tokens=len(answer),
            first_token_seconds=first,
        )

    @torch.inference_mode()
    def _generate(self, prompt, **overrides):
        began, timer = time.perf_counter(), FirstTokenTimer()
        ids = torch.tensor([self.prompt_tokenizer.encode(prompt)], device=self.model.device)
        output = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pad_token_id=self.tokenizer.pad_token_id,
            stopping_criteria=StoppingCriteriaList([timer]),
            **{**self.settings.generate_kwargs(), **overrides},
        )
        answer = output[0, ids.shape[1] :].tolist()
        return ids.shape[1], answer, (timer.at or time.perf_counter()) - began


def run(settings, prompts, device, record):
    """Runs the benchmark in the working directory, and writes its report there."""
    logging.set_verbosity_error()
    record.gpus_counted = devices.counted(settings, device)
    backend = TransformersBackend(settings, device, record)
    set_seed(settings.seed)
    backend.load()
    with explain_errors(f"the `{settings.stack}` backend gave up"):
        backend.warm_up(prompts.texts)
    set_seed(settings.seed)
    benchmark_runner.run(settings, prompts, record, backend)
    prompt_tokenizer = backend.prompt_tokenizer
    record.add_truncated(*prompt_tokenizer.count_truncated(prompts.texts), prompt_tokenizer.limit)
