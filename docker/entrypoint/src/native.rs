//! The `native` backend: answers prompts with a quantised model on the CPU.

#[cfg(feature = "native")]
mod dataset;
mod digest;
#[cfg(feature = "native")]
mod engine;
mod failed_prompts;
mod generation;
mod hub;
mod model_file;
#[cfg(not(feature = "native"))]
mod no_inference;
mod prompts;
mod rapl;

use std::{path::Path, time::Instant};

use anyhow::Context as _;
use backend_reports::{
    Folder,
    report::{Answer, Config, Report, Totals},
};
use contract::{
    Backend,
    argument::{DATASET, FAILED_SHARE, MODEL, WARMUP},
    clock,
    host_meter::{self, Phase},
    output,
    summary::Measurement,
};
use serde_json::Value;
use untrusted::escape;

#[cfg(not(feature = "native"))]
use self::no_inference::{Engine, load_dataset};
#[cfg(feature = "native")]
use self::{dataset::load_dataset, engine::Engine};
use self::{
    generation::{GenerationConfig, Length, ModelInfo, per_prompt},
    model_file::ModelFile,
    prompts::Prompts,
};
use crate::{
    arguments::{self, Settings},
    environment::Environment,
    exit::Usage,
};

/// Tokens of a short answer before the measurement.
const WARM_UP_TOKENS: u32 = 2;

/// Runs the benchmark and writes its report to the results folder.
pub(crate) fn run(args: &[String], environment: &Environment) -> anyhow::Result<()> {
    let settings = arguments::parse(args, Backend::Native).map_err(Usage)?;
    let generation = GenerationConfig::from_settings(&settings)?;
    let cache = hub::cache(environment)?;
    let file = model_file::find(settings.text(MODEL).unwrap_or_default(), &cache)?;
    let sha256 = digest::sha256(&file.file)
        .with_context(|| format!("reading the model `{}`", file.path.display()))?;
    let prompts = match settings.text(DATASET) {
        Some(name) => load_dataset(&settings, name, &cache)?,
        None => Prompts::built_in(&settings),
    };
    let mut engine = load(&file, generation.clone())?;
    let model = engine.model().clone();
    let mut notes: Vec<_> = prompts.note().into_iter().chain(model.note.clone()).collect();
    notes.iter().for_each(|note| println!("note: {note}"));

    warm_up(&mut engine, &prompts.texts, settings.number(WARMUP).unwrap_or_default())?;
    let Measured { answers, failures, energy, phase } = measure(&mut engine, &prompts.texts)?;

    let totals = Totals::of(&answers, failures.len() as u64);
    let count = prompts.texts.len() as u64;
    let share = settings.get(FAILED_SHARE).and_then(Value::as_f64);
    failed_prompts::check(share, totals.prompts_failed, count)?;
    let longest_prompt = model.context_length - model.length.max as usize;
    notes.extend(failed_prompts::notes(&totals, failures, count, longest_prompt));
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
        config: config(&settings, file, sha256, model, &generation, &prompts),
        summary: totals,
        energy,
        phases: vec![phase],
        notes,
        prompts: answers,
    };
    let results = Folder::open(environment.results_folder())?;
    results.write(output::REPORT, &serde_json::to_string_pretty(&report)?)
}

fn load(file: &ModelFile, generation: GenerationConfig) -> anyhow::Result<Engine> {
    let began = Instant::now();
    let engine = Engine::load(file, generation)?;
    let model = engine.model();
    println!(
        "loaded `{}` in {:.1} s: {}, computed as {}, {}",
        file.path.display(),
        began.elapsed().as_secs_f64(),
        model.weights_stored,
        model.weights_computed,
        counted(model.threads as u64, "thread")
    );
    if !model.vector_kernels {
        println!("this processor lacks AVX2 and FMA: the answers will be slow");
    }
    Ok(engine)
}

/// Generates one whole answer and some short ones, like the Python stacks, so that the measurement
/// does not include the start of threads and the first use of memory.
fn warm_up(engine: &mut Engine, prompts: &[String], short_answers: u64) -> anyhow::Result<()> {
    let short = Length { min: WARM_UP_TOKENS, max: WARM_UP_TOKENS };
    for prompt in prompts {
        let mut generate = || {
            if short_answers > 0 {
                engine.generate(prompt, engine.model().length)?;
            }
            (0..short_answers).try_for_each(|_| engine.generate(prompt, short).map(drop))
        };
        // A prompt that cannot be read warms nothing up, so the next one is tried.
        if per_prompt(generate())?.is_ok() {
            break;
        }
    }
    engine.reset_seed();
    Ok(())
}

/// Result of the measured prompts.
struct Measured {
    answers: Vec<Answer>,
    failures: Vec<String>,
    energy: Measurement,
    phase: Phase,
}

fn measure(engine: &mut Engine, prompts: &[String]) -> anyhow::Result<Measured> {
    let length = engine.model().length;
    let mut meter = rapl::Meter::start(Path::new(contract::rapl::ROOT));
    let from = clock::now();
    let mut answers = Vec::with_capacity(prompts.len());
    let mut failures = vec![];
    for (index, prompt) in prompts.iter().enumerate() {
        match per_prompt(engine.generate(prompt, length))? {
            Ok(answer) => {
                meter.sample();
                println!("{}", progress(index + 1, prompts.len(), &answer));
                answers.push(answer);
            }
            Err(why) => {
                let failure = format!("prompt {} failed: {why}", index + 1);
                println!("{}", escape(&failure));
                failures.push(failure);
            }
        }
    }
    let phase = Phase { name: host_meter::PROMPTS.to_owned(), from, to: clock::now() };
    Ok(Measured { answers, failures, energy: meter.finish(), phase })
}

fn config(
    settings: &Settings,
    file: ModelFile,
    sha256: String,
    model: ModelInfo,
    generation: &GenerationConfig,
    prompts: &Prompts,
) -> Config {
    let Length { min, max } = model.length;
    let name = file.path.file_name().unwrap_or_default();
    Config {
        model: settings.text(MODEL).unwrap_or_default().to_owned(),
        file: name.to_string_lossy().into_owned(),
        revision: file.revision,
        file_sha256: Some(sha256),
        architecture: model.architecture,
        weights_stored: model.weights_stored,
        weights_computed: model.weights_computed,
        device: "cpu".to_owned(),
        threads: model.threads,
        vector_kernels: model.vector_kernels,
        dataset: settings.text(DATASET).map(str::to_owned),
        num_samples_asked: prompts.requested,
        num_samples: prompts.texts.len() as u32,
        min_new_tokens: min,
        max_new_tokens: max,
        seed: generation.decoding.seed,
        sampling: generation.decoding.to_string(),
        prompt_format: generation.prompt_format(),
    }
}

/// One line about one answer, with the beginning of its text.
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
    use backend_reports::report::Answer;

    use super::{counted, progress};

    #[test]
    fn count_of_one_is_singular() {
        let texts = [0, 1, 2].map(|count| counted(count, "prompt"));
        assert_eq!(texts, ["0 prompts", "1 prompt", "2 prompts"]);
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
