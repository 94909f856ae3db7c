"""What ai_energy_benchmarks does by itself with the families of models that reason."""

from ai_energy_benchmarks.formatters.registry import FormatterRegistry
from pytorch_alone import run
from rows import data, model, raised, row
from transformers import AutoModelForCausalLM

THINKS = "{% for m in messages %}{% if enable_thinking %}xxxx{% endif %}{{ m.content }}{% endfor %}"


def formatted(name, **parameters):
    """What becomes of a prompt, and what the generator gets beside it."""
    formatter = FormatterRegistry().get_formatter(name)
    return formatter.format_prompt("Hi", parameters), formatter.get_generation_params(parameters)


def read(folder, **parameters):
    """The tokens of a prompt of three letters."""
    result, _ = run(folder, data("one", ["abc"]), 1, reasoning=True, reasoning_params=parameters)
    return result["summary"]["total_prompt_tokens"]


def is_unknown(name):
    """Whether transformers refuse a keyword of the generator."""
    loaded = AutoModelForCausalLM.from_pretrained(model("plain"))
    said = raised(ValueError, loaded.generate, max_new_tokens=1, **{name: True})
    assert "not used by the model" in said and name in said, said


@row("gpt-oss: a system message in Harmony's format with the effort")
def gpt_oss():
    text, _ = formatted("openai/gpt-oss-20b", reasoning_effort="low")
    assert text.startswith("<|start|>system<|message|>") and "Reasoning: low" in text, text


@row("Qwen3: `enable_thinking` for the chat template")
def qwen():
    folder = model("qwen3", template=THINKS)
    assert (read(folder, enable_thinking=True), read(folder, enable_thinking=False)) == (7, 3)


@row("Hunyuan: `enable_thinking` for the chat template, or `/think` before the prompt")
def hunyuan():
    folder = model("hunyuan", template=THINKS)
    assert (read(folder, enable_thinking=True), read(folder, enable_thinking=False)) == (7, 3)
    assert formatted("tencent/Hunyuan-7B", enable_thinking=True)[0].startswith("/think")


@row("SmolLM3: `/think` before the prompt, which is plain text")
def smollm():
    assert formatted("HuggingFaceTB/SmolLM3-3B", enable_thinking=True)[0].startswith("/think")
    # Nothing of a template, and a token for every sign.
    plain = read(model("smollm3", template=THINKS), enable_thinking=True)
    assert plain == len("/think") + len("abc") + 1, plain


@row("EXAONE 4.0: `enable_thinking` for the generator, which does not know it")
def exaone():
    parameters = {"enable_thinking": True}
    assert formatted("LGAI-EXAONE/EXAONE-4.0-32B", **parameters) == ("Hi", parameters)
    is_unknown("enable_thinking")


@row("Nemotron: `/no_think` before the prompt turns it off")
def nemotron():
    assert formatted("nvidia/Nemotron-H", enable_thinking=False)[0].startswith("/no_think")
    assert formatted("nvidia/Nemotron-H", enable_thinking=True)[0] == "Hi"


@row("DeepSeek-R1: `<think>` before the prompt, which is plain text")
def deepseek():
    assert formatted("deepseek-ai/DeepSeek-R1", enable_thinking=True)[0] == "<think>Hi"


@row("Phi-4-reasoning, Gemma: `reasoning` for the generator, which does not know it")
def phi_and_gemma():
    for name in ["microsoft/Phi-4-reasoning", "google/gemma-3-4b-it"]:
        assert formatted(name, reasoning=True) == ("Hi", {"reasoning": True}), name
    is_unknown("reasoning")
