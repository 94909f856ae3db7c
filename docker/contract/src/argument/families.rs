//! How families of models are told to reason: by AIEnergyScore, which knows them by their names, and
//! here, where the model's own chat template decides. Its ways are those of ai_energy_benchmarks
//! 0.0.7 (`reasoning_formats.yaml`) and of AIEnergyScore's list of models of October 2025.

/// One family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Its models.
    pub models: &'static str,
    /// What AIEnergyScore does with a prompt that is to be reasoned about.
    pub there: &'static str,
    /// The arguments that do it here, beside `scenario.reasoning=True`.
    pub on: &'static [&'static str],
    /// Those that turn it off, where the model reasons unless told otherwise.
    pub off: &'static [&'static str],
}

const THINKING: &[&str] = &["scenario.reasoning_params.enable_thinking=True"];
const NO_THINKING: &[&str] = &["scenario.reasoning_params.enable_thinking=False"];

/// Every family that AIEnergyScore has a way for.
pub const FAMILIES: [Family; 8] = [
    Family {
        models: "gpt-oss",
        there: "a system message in Harmony's format with the effort",
        on: &["scenario.reasoning_params.reasoning_effort=high"],
        off: &[],
    },
    Family {
        models: "Qwen3",
        there: "`enable_thinking` for the chat template",
        on: THINKING,
        off: NO_THINKING,
    },
    Family {
        models: "Hunyuan",
        there: "`enable_thinking` for the chat template, or `/think` before the prompt",
        on: THINKING,
        off: NO_THINKING,
    },
    Family {
        models: "SmolLM3",
        there: "`/think` before the prompt, which is plain text",
        on: THINKING,
        off: NO_THINKING,
    },
    Family {
        models: "EXAONE 4.0",
        there: "`enable_thinking` for the generator, which does not know it",
        on: THINKING,
        off: NO_THINKING,
    },
    Family {
        models: "Nemotron",
        there: "`/no_think` before the prompt turns it off",
        on: &[],
        off: &["scenario.system_prompt=/no_think"],
    },
    Family {
        models: "DeepSeek-R1",
        there: "`<think>` before the prompt, which is plain text",
        on: &[],
        off: &[],
    },
    Family {
        models: "Phi-4-reasoning, Gemma",
        there: "`reasoning` for the generator, which does not know it",
        on: &[],
        off: &[],
    },
];
