//! The `native` backend: answers prompts with a quantised model, on the CPU.

mod allowance;
#[cfg(feature = "native")]
mod dataset;
#[cfg(not(feature = "native"))]
#[path = "native/dataset_absent.rs"]
mod dataset;
mod digest;
#[cfg(feature = "native")]
mod engine;
#[cfg(not(feature = "native"))]
#[path = "native/engine_absent.rs"]
mod engine;
mod generation;
mod hub;
mod prompts;
mod rapl;
mod snapshot;

use std::{path::Path, time::Instant};

use anyhow::Context as _;
use contract::{
    Backend,
    argument::{
        DATASET, DO_SAMPLE, FAILED_SHARE, MAX_NEW_TOKENS, MIN_NEW_TOKENS, MODEL, REASONING,
        REASONING_PARAMS, REPETITION_PENALTY, SEED, SYSTEM, TEMPERATURE, TOP_K, TOP_P, TRUNCATION,
        WARMUP,
    },
    host_meter::{self, Phase},
    output,
};
use reports::{
    Folder,
    report::{Answer, Config, Report, Totals},
};

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use untrusted::escape;

use self::{
    engine::Engine,
    generation::{About, Asked, Chat, Choice, Length, Sampling, Unreadable},
    hub::ModelFile,
    prompts::Prompts,
};
use crate::{
    arguments::{self, Settings},
    environment::Environment,
    exit::Usage,
};

/// Failed prompts of which the notes say why.
const EXPLAINED: usize = 3;

/// Tokens of a short answer before the measured ones.
const WARM_UP: u32 = 2;

/// Likeliest tokens that are sampled from, unless told otherwise: as transformers has it.
const TOP_K_UNASKED: usize = 50;

/// Runs the benchmark and writes its report to the results folder.
pub(crate) fn run(args: &[String], environment: &Environment) -> anyhow::Result<()> {
    let settings = arguments::parse(args, Backend::Native).map_err(Usage)?;
    let asked = asked(&settings)?;
    let cache = hub::cache(environment)?;
    let model = settings.text(MODEL).unwrap_or_default();
    let file = hub::find(model, &cache)?;
    let dataset = settings.text(DATASET);
    // Before the clock starts. The cache may have other bytes by now than those of its blob's name.
    let sha256 = digest::sha256(&file.file)
        .with_context(|| format!("reading the model `{}`", file.path.display()))?;
    let prompts = match dataset {
        Some(name) => dataset::load(&settings, name, &cache)?,
        None => Prompts::built_in(&settings),
    };

    let began = Instant::now();
    let mut engine = Engine::load(&file, asked.clone())?;
    let about = engine.about().clone();
    println!(
        "loaded `{}` in {:.1} s: {}, computed as {}, {}",
        file.path.display(),
        began.elapsed().as_secs_f64(),
        about.weights_stored,
        about.weights_computed,
        counted(about.threads as u64, "thread")
    );
    if !about.vector_kernels {
        println!("this processor lacks AVX2 and FMA: the answers will be slow");
    }

    let mut notes: Vec<_> = prompts.note().into_iter().chain(about.note.clone()).collect();
    notes.iter().for_each(|note| println!("note: {note}"));
    let length = about.length;
    let short = settings.number(WARMUP).unwrap_or_default();
    for prompt in &prompts.texts {
        // One that cannot be read warms nothing up.
        if readable(warm_up(&mut engine, prompt, short))?.is_ok() {
            break;
        }
    }
    engine.begin_again();

    let mut meter = rapl::Meter::start(Path::new(contract::rapl::ROOT));
    let from = monotonic_seconds();
    let mut answers = Vec::with_capacity(prompts.texts.len());
    let mut failures = vec![];
    for (index, prompt) in prompts.texts.iter().enumerate() {
        let answer = match readable(engine.generate(prompt, length))? {
            Ok(answer) => answer,
            Err(why) => {
                failures.push(format!("prompt {} failed: {why}", index + 1));
                println!("{}", escape(&failures[failures.len() - 1]));
                continue;
            }
        };
        meter.sample();
        println!("{}", progress(index + 1, prompts.texts.len(), &answer));
        answers.push(answer);
    }
    let phase = Phase { name: host_meter::PROMPTS.to_owned(), from, to: monotonic_seconds() };
    let energy = meter.finish();

    let totals = Totals::of(&answers, failures.len() as u64);
    let of = prompts.texts.len() as u64;
    let share = settings.get(FAILED_SHARE).and_then(Value::as_f64);
    allowance::check(share, totals.prompts_failed, of)?;
    notes.extend(outcome(&totals, failures, of, about.holds - length.max as usize));
    println!(
        "{} in {:.2} s: {}, {:.1} tokens/s",
        counted(totals.prompts, "prompt"),
        totals.seconds,
        counted(totals.completion_tokens, "token"),
        totals.tokens_per_second
    );
    let report = Report {
        format: Backend::Native,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        config: config(&settings, file, sha256, about, &asked, &prompts),
        summary: totals,
        energy,
        phases: vec![phase],
        notes,
        prompts: answers,
    };
    Folder::open(environment.results_folder())?
        .write(output::REPORT, &serde_json::to_string_pretty(&report)?)
}

/// Seconds of `CLOCK_MONOTONIC`, which a container shares with its host.
fn monotonic_seconds() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// What came of a prompt: an answer, or why it cannot be read. Other errors are the run's.
fn readable<T>(came: anyhow::Result<T>) -> anyhow::Result<Result<T, Unreadable>> {
    match came {
        Ok(answer) => Ok(Ok(answer)),
        Err(error) => error.downcast::<Unreadable>().map(Err),
    }
}

/// What a reader of the numbers must know of prompts that failed, and of those cut to `limit` tokens:
/// the same as with the Python stacks.
fn outcome(totals: &Totals, failures: Vec<String>, of: u64, limit: usize) -> Vec<String> {
    let Totals { prompts_failed, prompts_cut, prompt_tokens_cut, .. } = totals;
    let failed = (*prompts_failed > 0).then(|| format!("{prompts_failed} of {of} prompts failed"));
    let cut = (*prompts_cut > 0).then(|| {
        format!(
            "{prompts_cut} of {of} prompts were cut to {limit} tokens, which is what the model holds \
             beside its answer: {prompt_tokens_cut} tokens of them were not read"
        )
    });
    let explained = failures.into_iter().take(EXPLAINED);
    failed.into_iter().chain(explained).chain(cut).collect()
}

/// How prompts are read and answered, of arguments that are complete.
fn asked(settings: &Settings) -> Result<Asked, Usage> {
    let whole = |key| settings.number(key).and_then(|number| number.try_into().ok());
    let is_on = |key| settings.get(key).and_then(Value::as_bool) == Some(true);
    let number = |key, default| settings.get(key).and_then(Value::as_f64).unwrap_or(default) as f32;
    let choice = Choice {
        repetition_penalty: number(REPETITION_PENALTY, 1.0),
        sampling: is_on(DO_SAMPLE).then(|| Sampling {
            temperature: number(TEMPERATURE, 1.0),
            top_k: whole(TOP_K).map_or(TOP_K_UNASKED, |tokens: u32| tokens as usize),
            top_p: number(TOP_P, 1.0),
        }),
        seed: settings.number(SEED).unwrap_or_default(),
    };
    for (key, value) in [
        (REPETITION_PENALTY, Some(choice.repetition_penalty)),
        (TEMPERATURE, choice.sampling.map(|sampling| sampling.temperature)),
    ] {
        if let Some(value) = value.filter(|value| *value <= 0.0) {
            return Err(Usage(format!("`{key}={value}` needs a number above 0")));
        }
    }
    Ok(Asked {
        length: Length {
            min: whole(MIN_NEW_TOKENS).unwrap_or(u32::MAX),
            max: whole(MAX_NEW_TOKENS).unwrap_or(u32::MAX),
        },
        truncation: is_on(TRUNCATION),
        chat: is_on(REASONING).then(|| Chat {
            system: settings.text(SYSTEM).map(str::to_owned),
            parameters: settings
                .get(REASONING_PARAMS)
                .and_then(Value::as_object)
                .cloned()
                .unwrap_or_default(),
        }),
        choice,
    })
}

/// One whole answer and some short ones, as the Python stacks do; the measured ones must not pay for
/// memory and threads that the first prepares.
fn warm_up(engine: &mut Engine, prompt: &str, short: u64) -> anyhow::Result<()> {
    if short > 0 {
        engine.generate(prompt, engine.about().length)?;
    }
    for _ in 0..short {
        engine.generate(prompt, Length { min: WARM_UP, max: WARM_UP })?;
    }
    Ok(())
}

fn config(
    settings: &Settings,
    file: ModelFile,
    sha256: String,
    about: About,
    asked: &Asked,
    prompts: &Prompts,
) -> Config {
    let Length { min, max } = about.length;
    let name = file.path.file_name().unwrap_or_default();
    Config {
        model: settings.text(MODEL).unwrap_or_default().to_owned(),
        file: name.to_string_lossy().into_owned(),
        revision: file.revision,
        file_sha256: Some(sha256),
        architecture: about.architecture,
        weights_stored: about.weights_stored,
        weights_computed: about.weights_computed,
        device: "cpu".to_owned(),
        threads: about.threads,
        vector_kernels: about.vector_kernels,
        dataset: settings.text(DATASET).map(str::to_owned),
        num_samples_asked: prompts.asked,
        num_samples: prompts.texts.len() as u32,
        min_new_tokens: min,
        max_new_tokens: max,
        seed: asked.choice.seed,
        sampling: asked.choice.text(),
        prompt_format: asked.format(),
    }
}

/// One line about one answer, the text shortened.
fn progress(number: usize, of: usize, answer: &Answer) -> String {
    const SHOWN: usize = 60;
    let words: Vec<_> = answer.completion.split_whitespace().collect();
    let mut text = words.join(" ");
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    let tokens = answer.completion_tokens;
    let speed = tokens as f64 / answer.seconds;
    let tokens = counted(tokens, "token");
    format!("prompt {number}/{of}: {tokens}, {speed:.1} tokens/s: {text}")
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use reports::report::{Answer, Totals};

    use super::{Unreadable, counted, outcome, progress, readable};

    #[test]
    fn one_prompt_that_cannot_be_read_fails_alone() {
        let unreadable = Unreadable("the tokenizer leaves no token of it".to_owned());
        let came = readable::<()>(Err(unreadable.clone().into())).unwrap();
        assert_eq!(came, Err(unreadable));
        assert!(readable::<()>(Err(anyhow::anyhow!("broken"))).is_err());
        let totals = Totals { prompts_cut: 2, prompt_tokens_cut: 47, ..Totals::of(&[], 4) };
        let failures = (1..5).map(|number| format!("prompt {number} failed: why")).collect();
        insta::assert_snapshot!(outcome(&totals, failures, 9, 60).join("\n"), @r"
        4 of 9 prompts failed
        prompt 1 failed: why
        prompt 2 failed: why
        prompt 3 failed: why
        2 of 9 prompts were cut to 60 tokens, which is what the model holds beside its answer: 47 tokens of them were not read
        ");
        assert_eq!(outcome(&Totals::of(&[], 0), vec![], 9, 60), [""; 0]);
    }

    #[test]
    fn one_is_singular() {
        let said = [0, 1, 2].map(|count| counted(count, "prompt"));
        assert_eq!(said, ["0 prompts", "1 prompt", "2 prompts"]);
    }

    #[test]
    fn progress_is_one_short_line() {
        let answer = Answer {
            prompt: String::new(),
            completion: " Paris.\n\nIt is ".to_owned() + &"é".repeat(100),
            prompt_tokens: 5,
            prompt_tokens_cut: 0,
            completion_tokens: 10,
            time_to_first_token_seconds: 0.1,
            seconds: 0.4,
        };
        let line = progress(3, 20, &answer);
        let expected =
            format!("prompt 3/20: 10 tokens, 25.0 tokens/s: Paris. It is {}…", "é".repeat(47));
        assert_eq!(line, expected);
    }
}
