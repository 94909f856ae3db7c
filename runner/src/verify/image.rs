//! Check of the image: it is on this machine, and up to date.

use engine::Engine;
use plan::run_plan::{Pull, RunPlan};

use super::Finding;

/// Checks the image of the plan, if its engine has containers. With `inputs`, the image must have been
/// built from the files with that digest.
pub(super) fn check(engine: &Engine, plan: &RunPlan, inputs: Option<&str>) -> Option<Finding> {
    let image = &plan.image.as_ref()?.value;
    let reference = &image.reference;
    let Some(local) = &engine.image else {
        return Some(match image.pull {
            Pull::Never => {
                let remedy = engine.build_hint(reference);
                let text = format!(
                    "not on this machine; {remedy}, or name another with --flavour or --image"
                );
                Finding::error("image", reference, text)
            }
            Pull::Missing => {
                let text = format!(
                    "not on this machine, so a run pulls it first; `{} pull {reference}` does that \
                     now",
                    engine.program
                );
                Finding::warning("image", reference, text)
            }
        });
    };
    if let Some(why) = engine.architecture_mismatch(reference) {
        return Some(Finding::error("image", reference, why));
    }
    let kind =
        local.flavour.map_or("none of ours".to_owned(), |flavour| format!("flavour {flavour}"));
    Some(match inputs {
        None => match engine.version_mismatch(reference) {
            Some(warning) => Finding::warning("image", reference, warning),
            None => Finding::ok("image", reference, format!("on this machine, {kind}")),
        },
        Some(inputs) if local.inputs.as_deref() == Some(inputs) => {
            Finding::ok("image", reference, format!("built from this tree, {kind}"))
        }
        Some(_) => {
            let text =
                format!("built from another state of this tree; {}", engine.build_hint(reference));
            Finding::error("image", reference, text)
        }
    })
}

#[cfg(test)]
mod tests {
    use contract::Flavour;
    use engine::{LocalImage, Mode, testing::engine};
    use host::testing::host;
    use plan::{
        options::{Request, Settings},
        run_plan::RunPlan,
        testing::request,
    };

    use super::check;
    use crate::verify::{Finding, Severity};

    fn find(request: Request, local: Option<LocalImage>, inputs: Option<&str>) -> Finding {
        let mut engine = engine(Mode::DockerRootful);
        engine.image = local;
        let settings = Settings::new(request, &host()).unwrap();
        let plan = RunPlan::new(&settings.assume(&host()).unwrap(), &host(), &engine).unwrap();
        check(&engine, &plan, inputs).unwrap()
    }

    #[test]
    fn image_must_exist_and_be_up_to_date() {
        let old = LocalImage { version: Some("0.0".to_owned()), ..LocalImage::default() };
        let built = LocalImage { inputs: Some("ab".to_owned()), ..LocalImage::default() };
        let cases = [
            (Some(built.clone()), Some("ab"), Severity::Ok),
            (Some(built.clone()), None, Severity::Ok),
            (Some(built), Some("cd"), Severity::Error),
            (Some(LocalImage::default()), Some("ab"), Severity::Error),
            (Some(old), None, Severity::Warning),
            (None, None, Severity::Error),
        ];
        for (local, inputs, severity) in cases {
            let found = find(request(""), local, inputs);
            assert_eq!(found.severity, severity, "{inputs:?}");
        }
    }

    #[test]
    fn missing_image_is_built_by_its_flavour_or_pulled() {
        for flavour in Flavour::ALL {
            let request = request(&format!("--flavour {flavour}"));
            let text = find(request, None, None).text;
            let command = format!("`cargo xtask build-image --flavour {flavour}`");
            assert!(text.contains(&command), "{text}");
        }
        let foreign = request("--image bench:7");
        let found = find(foreign, None, None);
        assert_eq!(found.severity, Severity::Warning);
        insta::assert_snapshot!(found.text, @"not on this machine, so a run pulls it first; `docker pull bench:7` does that now");
    }
}
