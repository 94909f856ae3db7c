//! The `native` backend: answers the built-in prompts with a quantised model, on the CPU.

#[cfg(feature = "native")]
mod engine;
#[cfg(not(feature = "native"))]
#[path = "native/engine_absent.rs"]
mod engine;
mod generation;
mod hub;
mod prompts;

use std::{ffi::OsString, path::Path, time::Instant};

use contract::{
    Backend,
    argument::{CONFIG_NAME, DEFAULT_CONFIG, MAX_NEW_TOKENS, MIN_NEW_TOKENS, MODEL, NUM_SAMPLES},
    host_meter::{self, Phase},
    output,
};
use reports::report::{Answer, Config, Report, Totals};

use self::{
    engine::Engine,
    generation::{About, Generation, Length},
    hub::ModelFile,
};
use crate::{
    arguments::{self, Settings},
    clock,
    failure::Usage,
    publish::publish,
    rapl,
};

/// Runs the benchmark and leaves its report in `results`.
pub(crate) fn run(
    args: &[String],
    results: &Path,
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<()> {
    let settings = arguments::parse(args, Backend::Native, configuration).map_err(Usage)?;
    let options = Options::of(&settings);
    let file = hub::find(&options.model, &hub::cache(variable)?)?;

    let began = Instant::now();
    let engine = Engine::load(&file.path)?;
    let about = engine.about();
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

    let prompts = prompts::first(options.samples);
    if options.samples > prompts::COUNT {
        println!(
            "{} prompts were asked for, {} are built in: running {1}",
            options.samples,
            prompts::COUNT
        );
    }
    // The first answer prepares memory and threads, which the others must not pay for.
    engine.generate(&prompts[0], Length { min: 1, max: 1 })?;

    let mut meter = rapl::Meter::start(Path::new(contract::rapl::ROOT));
    let from = clock::now();
    let mut answers = Vec::with_capacity(prompts.len());
    for (index, prompt) in prompts.iter().enumerate() {
        let generation = engine.generate(prompt, options.length)?;
        meter.sample();
        println!("{}", progress(index + 1, prompts.len(), &generation));
        answers.push(answer(prompt, generation));
    }
    let phase = Phase { name: host_meter::PROMPTS.to_owned(), from, to: clock::now() };
    let energy = meter.finish();

    let totals = Totals::of(&answers);
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
        config: config(&options, file, about, answers.len()),
        summary: totals,
        energy,
        phases: vec![phase],
        prompts: answers,
    };
    publish(results, output::REPORT, &serde_json::to_string_pretty(&report)?)
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Options {
    /// Hub id, Hub id with file, or path.
    model: String,
    /// Prompts to answer.
    samples: u32,
    /// Tokens per answer.
    length: Length,
}

impl Options {
    /// Of arguments that are complete.
    fn of(settings: &Settings) -> Self {
        let number = |key| settings.number(key).and_then(|number| number.try_into().ok());
        Self {
            model: settings.text(MODEL).unwrap_or_default().to_owned(),
            samples: number(NUM_SAMPLES).unwrap_or(u32::MAX),
            length: Length {
                min: number(MIN_NEW_TOKENS).unwrap_or(u32::MAX),
                max: number(MAX_NEW_TOKENS).unwrap_or(u32::MAX),
            },
        }
    }
}

/// The task is the only one there is, so its configuration changes nothing.
fn configuration(name: &str) -> Result<String, String> {
    if name == DEFAULT_CONFIG {
        return Ok(String::new());
    }
    Err(format!("`{CONFIG_NAME} {name}`: the `native` backend only knows `{DEFAULT_CONFIG}`"))
}

fn config(options: &Options, file: ModelFile, about: &About, answered: usize) -> Config {
    let Options { model, samples, length: Length { min, max } } = options;
    let name = file.path.file_name().unwrap_or_default();
    Config {
        model: model.clone(),
        file: name.to_string_lossy().into_owned(),
        revision: file.revision,
        file_sha256: file.sha256,
        architecture: about.architecture.clone(),
        weights_stored: about.weights_stored.clone(),
        weights_computed: about.weights_computed.clone(),
        device: "cpu".to_owned(),
        threads: about.threads,
        vector_kernels: about.vector_kernels,
        num_samples_asked: *samples,
        num_samples: answered as u32,
        min_new_tokens: *min,
        max_new_tokens: *max,
        sampling: "greedy".to_owned(),
        prompt_format: "raw text, no chat template".to_owned(),
    }
}

fn answer(prompt: &str, generation: Generation) -> Answer {
    let Generation { text, prompt_tokens, completion_tokens, time_to_first_token, time } =
        generation;
    Answer {
        prompt: prompt.to_owned(),
        completion: text,
        prompt_tokens,
        completion_tokens,
        time_to_first_token_seconds: time_to_first_token.as_secs_f64(),
        seconds: time.as_secs_f64(),
    }
}

/// One line about one answer, the text shortened.
fn progress(number: usize, of: usize, generation: &Generation) -> String {
    const SHOWN: usize = 60;
    let words: Vec<_> = generation.text.split_whitespace().collect();
    let mut text = words.join(" ");
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    let tokens = generation.completion_tokens;
    let speed = tokens as f64 / generation.time.as_secs_f64();
    let tokens = counted(tokens, "token");
    format!("prompt {number}/{of}: {tokens}, {speed:.1} tokens/s: {text}")
}

fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Generation, counted, progress};

    #[test]
    fn one_is_singular() {
        let said = [0, 1, 2].map(|count| counted(count, "prompt"));
        assert_eq!(said, ["0 prompts", "1 prompt", "2 prompts"]);
    }

    #[test]
    fn progress_is_one_short_line() {
        let generation = Generation {
            text: " Paris.\n\nIt is ".to_owned() + &"é".repeat(100),
            prompt_tokens: 5,
            completion_tokens: 10,
            time_to_first_token: Duration::from_millis(100),
            time: Duration::from_millis(400),
        };
        let line = progress(3, 20, &generation);
        let expected =
            format!("prompt 3/20: 10 tokens, 25.0 tokens/s: Paris. It is {}…", "é".repeat(47));
        assert_eq!(line, expected);
    }
}
