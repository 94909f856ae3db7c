//! Times of the counted phases, from this project's own files. Older files lack them.

use anyhow::ensure;
use contract::host_meter::Phase;

use super::{
    source::json::AGAIN,
    source::node::{MOST_SECONDS, Node, name as shown_name},
};

/// Phases in a file.
pub(super) fn phases(root: &Node<'_>) -> anyhow::Result<Vec<Phase>> {
    let phases: Vec<Phase> = root.optional("phases", Node::typed)?.unwrap_or_default();
    for Phase { name, from, to } in &phases {
        ensure!(
            (0.0..=MOST_SECONDS).contains(from) && (*from..=MOST_SECONDS).contains(to),
            "the phase {} is from {from} to {to} s, which no run takes; {AGAIN}",
            shown_name(name)
        );
    }
    Ok(phases)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Node, phases};

    fn read(value: &Value) -> String {
        match phases(&Node::root("a.json", value)) {
            Ok(phases) => serde_json::to_string(&phases).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn phases_may_be_missing_and_invalid_ones_are_refused() {
        let whole = json!([{"name": "preprocess", "from": 1.5, "to": 1.5}, {"name": "prompts", "from": 2, "to": 7.25, "more": 0}]);
        let messages = [
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
        insta::assert_snapshot!(messages.join("\n"), @r#"
        []
        []
        [{"name":"preprocess","from":1.5,"to":1.5},{"name":"prompts","from":2.0,"to":7.25}]
        `phases`: invalid type: map, expected a sequence; run the benchmark again
        `phases`: missing field `to`; run the benchmark again
        the phase `prompts` is from 2 to 1 s, which no run takes; run the benchmark again
        the phase `prompts` is from -2 to 1 s, which no run takes; run the benchmark again
        `phases`: invalid type: integer `7`, expected a string; run the benchmark again
        "#);
    }
}
