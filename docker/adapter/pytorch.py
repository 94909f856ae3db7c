"""The `pytorch` backend: the runner of ai_energy_benchmarks with a model in this process."""

import time

import torch
from ai_energy_benchmarks.backends.pytorch import PyTorchBackend
from transformers import AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList, set_seed
from transformers.utils import logging

from . import devices, ending, loop, model, weights
from .reader import Reader, Unreadable
from .record import digest
from .refusal import Refusal, first_lines, named

WARMUP_TOKENS = 2


class FirstToken(StoppingCriteria):
    """Never stops an answer; tells when its first token was there."""

    def __init__(self):
        self.at = None

    def __call__(self, input_ids, scores, **_):
        if self.at is None:
            if input_ids.is_cuda:
                torch.cuda.synchronize()
            self.at = time.perf_counter()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


class SettledBackend(PyTorchBackend):
    """The stack's backend with one rule for prompts and answers, whatever the model is called."""

    def __init__(self, settings, device, record):
        super().__init__(
            model=settings.model,
            device=device,
            device_ids=record.gpus_counted,
            torch_dtype=settings.backend["torch_dtype"],
            device_map=settings.backend.get("device_map") if device == "cuda" else None,
        )
        self.settings, self.record = settings, record
        self.answers, self.reader = digest(), None

    def _initialize_model(self):
        if self._initialized:
            return
        settings = self.settings
        configuration = model.config(settings)
        self.record.revision = model.commit(configuration)
        method = weights.check_files(settings, configuration, self.record)
        ending.settle(settings, configuration, self.record)
        self.tokenizer = model.tokenizer(settings)
        self.reader = Reader(self.tokenizer, configuration, settings)
        self.record.prompt_format = self.reader.format
        for note in self.reader.notes():
            self.record.note(note)
        attention = settings.backend.get("attn_implementation")
        with model.explained(settings, model.no_weights):
            self.model, found = AutoModelForCausalLM.from_pretrained(
                settings.model,
                output_loading_info=True,
                dtype=self.torch_dtype,
                device_map=self.device_map,
                **({"attn_implementation": attention} if attention else {}),
                **settings.model_kwargs,
            )
        model.note_random(self.record, found["missing_keys"])
        model.note_unused(self.record, found["unexpected_keys"])
        if self.device_map is None:
            self.model.to(self.device)
        self.model.eval()
        weights.note_unpacked(method, self.model, self.record)
        ending.plain(self.model)
        weights.check_numbers(self.model, settings)
        self.record.dtype = str(self.model.dtype).removeprefix("torch.")
        self._initialized = True

    def health_check(self):
        """Loads the model. Unlike the stack's own, it does not hide why that failed."""
        self._initialize_model()
        return True

    def prepare(self, prompts):
        """Checks and warms up with the first prompt that can be read: one whole answer and some
        short ones, as optimum-benchmark does."""
        prompt = next(filter(self._reads, prompts), None)
        if prompt is None:
            raise Refusal(f"none of the {len(prompts)} prompts can be read; why stands above")
        tokens = self.reader.read(prompt)
        weights.check_answer(self.model, self.settings, tokens, self.tokenizer.pad_token_id)
        runs = self.settings.scenario["warmup_runs"]
        if runs:
            self._answer(prompt, {})
        for _ in range(runs):
            self._answer(prompt, {"max_new_tokens": WARMUP_TOKENS, "min_new_tokens": WARMUP_TOKENS})

    def _reads(self, prompt):
        try:
            return bool(self.reader.read(prompt))
        except Unreadable as why:
            print(f"no warm-up with a prompt: {why}")
            return False

    def run_inference(self, prompt, **_):
        """Answers one prompt; a failure is a result, as the stack's runner counts it."""
        began = time.perf_counter()
        try:
            tokens, answer, first = self._answer(prompt, {})
        except Unreadable as why:
            return self._failed(began, str(why))
        except Exception as error:
            return self._failed(began, f"{type(error).__name__}: {first_lines(error)}")
        if not answer:
            return self._failed(began, "the model wrote no token")
        seconds = time.perf_counter() - began
        record = self.record
        record.prompts_answered += 1
        record.prompt_tokens += tokens
        record.completion_tokens += len(answer)
        mean = record.first_token_seconds or 0.0
        record.first_token_seconds = mean + (first - mean) / record.prompts_answered
        self.answers.update(repr(answer).encode())
        return {
            "text": self.tokenizer.decode(answer, skip_special_tokens=True),
            "prompt_tokens": tokens,
            "completion_tokens": len(answer),
            "total_tokens": tokens + len(answer),
            "latency_seconds": seconds,
            "time_to_first_token": first,
            "success": True,
            "error": None,
        }

    def _failed(self, began, why):
        record = self.record
        record.fail(record.prompts_answered + record.prompts_failed + 1, why)
        seconds = time.perf_counter() - began
        return {"text": "", "success": False, "error": why, "latency_seconds": seconds}

    @torch.inference_mode()
    def _answer(self, prompt, overrides):
        began, first = time.perf_counter(), FirstToken()
        ids = torch.tensor([self.reader.read(prompt)], device=self.model.device)
        output = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            pad_token_id=self.tokenizer.pad_token_id,
            stopping_criteria=StoppingCriteriaList([first]),
            **{**self.settings.generate_kwargs(), **overrides},
        )
        answer = output[0, ids.shape[1] :].tolist()
        return ids.shape[1], answer, (first.at or time.perf_counter()) - began


def run(settings, prompts, device, record):
    """Runs the benchmark in the working directory, where its report is left."""
    logging.set_verbosity_error()
    record.gpus_counted = devices.counted(settings) if device == "cuda" else []
    backend = SettledBackend(settings, device, record)
    set_seed(settings.seed)
    backend.health_check()
    idle = devices.without_weights(backend.model, len(record.gpus_counted))
    if idle:
        record.note(
            f"{idle} of {len(record.gpus_counted)} GPUs hold no part of the model, and their energy"
            " counts; choose GPUs with `backend.device_ids=`"
        )
    try:
        backend.prepare(prompts.texts)
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(f"the `{settings.stack}` backend gave up: {named(error)}") from error
    set_seed(settings.seed)
    loop.run(settings, prompts, record, backend)
    record.cut(*backend.reader.cut(prompts.texts), backend.reader.limit)
