//! The benchmark arguments that the `native` backend understands: a few of optimum-benchmark's,
//! in Hydra's spelling.

use contract::{DEFAULT_NUM_SAMPLES, MODEL_KEY, NUM_SAMPLES_KEY};

const CONFIG_NAME: &str = "--config-name";
const CONFIG: &str = "text_generation";
const DEVICE_KEY: &str = "backend.device";
const MAX_KEY: &str = "scenario.generate_kwargs.max_new_tokens";
const MIN_KEY: &str = "scenario.generate_kwargs.min_new_tokens";
const REASONING_KEY: &str = "scenario.reasoning";

/// Tokens per answer when nothing says otherwise: the score's rule.
const DEFAULT_NEW_TOKENS: u32 = 10;

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Hub id, Hub id with file, or path.
    pub(crate) model: String,
    /// Prompts to answer.
    pub(crate) samples: u32,
    /// Tokens per answer.
    pub(crate) length: Length,
}

/// Bounds of an answer, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length {
    /// The model may not end its answer before.
    pub(crate) min: u32,
    /// The answer is cut after.
    pub(crate) max: u32,
}

/// Reads the arguments; all that is not understood is in one error.
pub(crate) fn parse(args: &[String]) -> Result<Options, String> {
    let mut model = None;
    let mut samples = DEFAULT_NUM_SAMPLES;
    let (mut min, mut max) = (None, None);
    let mut faults = Vec::new();

    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let plain = arg.trim_start_matches('+');
        let (key, value) = match plain.split_once('=') {
            Some((key, value)) => (key, unquoted(value)),
            None if arg == CONFIG_NAME => match rest.next() {
                Some(value) => (CONFIG_NAME, value.as_str()),
                None => {
                    faults.push(format!("`{CONFIG_NAME}` needs a value"));
                    continue;
                }
            },
            None => {
                faults.push(format!("`{arg}` is not known"));
                continue;
            }
        };
        let fault = match key {
            CONFIG_NAME => expect(arg, key, value, &[CONFIG]),
            DEVICE_KEY => expect(arg, key, value, &["cpu"]),
            REASONING_KEY => expect(arg, key, value, &["False", "false"]),
            MODEL_KEY if value.is_empty() => Some(format!("`{arg}` names no model")),
            MODEL_KEY => {
                model = Some(value.to_owned());
                None
            }
            NUM_SAMPLES_KEY => count(arg, value, |number| samples = number),
            MIN_KEY => count(arg, value, |number| min = Some(number)),
            MAX_KEY => count(arg, value, |number| max = Some(number)),
            _ => Some(format!("`{arg}` is not known")),
        };
        faults.extend(fault);
    }

    // A single bound fixes the other, as optimum-benchmark does.
    let max = max.unwrap_or(DEFAULT_NEW_TOKENS.max(min.unwrap_or(0)));
    let min = min.unwrap_or(max);
    if min > max {
        faults.push(format!("`{MIN_KEY}={min}` is more than `{MAX_KEY}={max}`"));
    }
    if model.is_none() && faults.is_empty() {
        faults.push(format!(
            "no model is given; add `{MODEL_KEY}=ORG/REPO` for a repo of the Hub cache, or the \
             path of a .gguf file that is visible here"
        ));
    }
    match model {
        Some(model) if faults.is_empty() => {
            Ok(Options { model, samples, length: Length { min, max } })
        }
        _ => Err(format!(
            "{}; the `native` backend knows {CONFIG_NAME} {CONFIG}, {MODEL_KEY}=, {DEVICE_KEY}=cpu, \
             {NUM_SAMPLES_KEY}=, {MAX_KEY}=, {MIN_KEY}= and {REASONING_KEY}=False",
            faults.join("; ")
        )),
    }
}

fn expect(arg: &str, key: &str, value: &str, known: &[&str]) -> Option<String> {
    let refused = || format!("`{arg}`: `{key}` can only be `{}`", known[0]);
    (!known.contains(&value)).then(refused)
}

fn count(arg: &str, value: &str, take: impl FnOnce(u32)) -> Option<String> {
    match value.parse() {
        Ok(0) | Err(_) => Some(format!("`{arg}` needs a whole number above 0")),
        Ok(number) => {
            take(number);
            None
        }
    }
}

/// Hydra takes a value in quotes for the value inside.
fn unquoted(value: &str) -> &str {
    let inside = |quote| value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    inside('\'').or_else(|| inside('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::{Length, Options, parse};

    fn parsed(args: &[&str]) -> Result<Options, String> {
        parse(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    fn options(min: u32, max: u32) -> Options {
        Options { model: "org/m".into(), samples: 20, length: Length { min, max } }
    }

    #[test]
    fn the_defaults_are_twenty_prompts_of_ten_tokens() {
        assert_eq!(parsed(&["backend.model=org/m"]), Ok(options(10, 10)));
    }

    #[test]
    fn every_known_argument_counts_and_the_last_one_wins() {
        let args = [
            "--config-name",
            "text_generation",
            "backend.device=cpu",
            "backend.model=other",
            "+backend.model='org/m'",
            "scenario.num_samples=3",
            "++scenario.generate_kwargs.max_new_tokens=7",
            "scenario.generate_kwargs.min_new_tokens=2",
            "scenario.reasoning=False",
        ];
        assert_eq!(parsed(&args), Ok(Options { samples: 3, ..options(2, 7) }));
        assert_eq!(
            parsed(&["--config-name=text_generation", "backend.model=org/m"]),
            Ok(options(10, 10))
        );
    }

    #[test]
    fn one_bound_fixes_the_other() {
        let model = "backend.model=org/m";
        let max = "scenario.generate_kwargs.max_new_tokens=4";
        assert_eq!(parsed(&[model, max]), Ok(options(4, 4)));
        let min = "scenario.generate_kwargs.min_new_tokens=12";
        assert_eq!(parsed(&[model, min]), Ok(options(12, 12)));
        let error = parsed(&[model, max, min]).unwrap_err();
        assert!(error.contains("min_new_tokens=12` is more than"), "{error}");
    }

    #[test]
    fn all_that_is_unknown_is_named_at_once() {
        let error =
            parsed(&["backend.model=m", "--multirun", "backend.dtype=x", "--config-name", "q"])
                .unwrap_err();
        for name in ["`--multirun` is not known", "`backend.dtype=x`", "only be `text_generation`"]
        {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for (arg, said) in [
            ("scenario.num_samples=0", "`scenario.num_samples=0` needs a whole number"),
            ("scenario.num_samples=-1", "needs a whole number"),
            ("backend.device=cuda", "`backend.device` can only be `cpu`"),
            ("scenario.reasoning=True", "can only be `False`"),
            ("backend.model=", "names no model"),
            ("--config-name", "needs a value"),
        ] {
            let error = parsed(&["backend.model=m", arg]).unwrap_err();
            assert!(error.contains(said), "{arg}: {error}");
        }
        assert!(parsed(&[]).unwrap_err().contains("no model is given"));
    }
}
