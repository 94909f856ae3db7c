//! When the counted phases of a run were, as our own files tell it. Older ones do not.

use anyhow::ensure;
use contract::host_meter::Phase;

use super::{json::AGAIN, part::Part};

/// The phases that `whole` lists.
pub(super) fn phases(whole: &Part<'_>) -> anyhow::Result<Vec<Phase>> {
    let Some(list) = whole.find("phases") else { return Ok(vec![]) };
    list.list()?.iter().map(phase).collect()
}

fn phase(phase: &Part<'_>) -> anyhow::Result<Phase> {
    let (from, to) = (phase.need("from")?, phase.need("to")?);
    let (began, ended) = (from.seconds()?, to.seconds()?);
    ensure!(
        began <= ended,
        "`{}` is {began} and `{}` {ended}: no phase ends before it begins; {AGAIN}",
        from.place(),
        to.place()
    );
    Ok(Phase { name: phase.need("name")?.text()?.to_owned(), from: began, to: ended })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Part, phases};

    fn read(value: &Value) -> String {
        match phases(&Part::whole(value)) {
            Ok(phases) => serde_json::to_string(&phases).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn phases_are_intervals_or_absent() {
        let whole = json!([{"name": "preprocess", "from": 1.5, "to": 1.5}, {"name": "prompts", "from": 2, "to": 7.25, "more": 0}]);
        let said = [
            json!({}),
            json!({ "phases": null }),
            json!({ "phases": whole }),
            json!({ "phases": {} }),
            json!({ "phases": [{"name": "prompts", "from": 2.0}] }),
            json!({ "phases": [{"name": "prompts", "from": 2.0, "to": 1.0}] }),
            json!({ "phases": [{"name": "prompts", "from": -2.0, "to": 1.0}] }),
            json!({ "phases": [{"name": 7, "from": 2.0, "to": 3.0}] }),
        ]
        .map(|value| read(&value));
        insta::assert_snapshot!(said.join("\n"), @r#"
        []
        []
        [{"name":"preprocess","from":1.5,"to":1.5},{"name":"prompts","from":2.0,"to":7.25}]
        `phases` is an object, and should be a list; run the benchmark again
        `phases.0.to` is missing; run the benchmark again
        `phases.0.from` is 2 and `phases.0.to` 1: no phase ends before it begins; run the benchmark again
        `phases.0.from` is -2.0, and should be no less than 0; run the benchmark again
        `phases.0.name` is 7, and should be a text; run the benchmark again
        "#);
    }
}
