//! Names with `*`, `**`, `?` and `[…]`, as the cards of datasets have them.

/// Whether `name`, with `/` between folders, is one that `pattern` means.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<_> = pattern.split('/').filter(|part| *part != ".").collect();
    let name: Vec<_> = name.split('/').collect();
    folders(&pattern, &name)
}

fn folders(pattern: &[&str], name: &[&str]) -> bool {
    match (pattern, name) {
        ([], name) => name.is_empty(),
        (["**"], name) => !name.is_empty(),
        (["**", rest @ ..], name) => {
            (0..=name.len()).any(|skipped| folders(rest, &name[skipped..]))
        }
        ([part, rest @ ..], [first, others @ ..]) => {
            let (part, first): (Vec<_>, Vec<_>) = (part.chars().collect(), first.chars().collect());
            characters(&part, &first) && folders(rest, others)
        }
        (_, []) => false,
    }
}

fn characters(pattern: &[char], name: &[char]) -> bool {
    match (pattern, name) {
        ([], name) => name.is_empty(),
        (['*', rest @ ..], name) => {
            (0..=name.len()).any(|skipped| characters(rest, &name[skipped..]))
        }
        (['?', rest @ ..], [_, others @ ..]) => characters(rest, others),
        (['[', rest @ ..], [first, others @ ..]) => match rest.iter().position(|c| *c == ']') {
            Some(end) => one_of(&rest[..end], *first) && characters(&rest[end + 1..], others),
            None => *first == '[' && characters(rest, others),
        },
        ([wanted, rest @ ..], [first, others @ ..]) => wanted == first && characters(rest, others),
        (_, []) => false,
    }
}

/// Whether `character` is one of a list as `-._ 0-9`, or with a `!` before none of it.
fn one_of(list: &[char], character: char) -> bool {
    let (list, wanted) = match list {
        ['!', rest @ ..] => (rest, false),
        list => (list, true),
    };
    let mut at = 0;
    let mut found = false;
    while at < list.len() {
        if let [from, '-', to, ..] = list[at..] {
            found |= (from..=to).contains(&character);
            at += 3;
        } else {
            found |= list[at] == character;
            at += 1;
        }
    }
    found == wanted
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stays_in_its_folder_and_two_do_not() {
        for (pattern, name, expected) in [
            ("data/train-*", "data/train-00000-of-00001.parquet", true),
            ("data/train-*", "data/test-00000-of-00001.parquet", false),
            ("*.csv", "a/b.csv", false),
            ("**/*.csv", "a/b.csv", true),
            ("**/*.csv", "b.csv", true),
            ("**", "a/b/c.json", true),
            ("./a.csv", "a.csv", true),
            ("a?.csv", "ab.csv", true),
            ("[0-9][-._ 0-9]*", "1-x", true),
            ("[!a]*", "a.csv", false),
            ("a[", "a[", true),
            ("train.csv", "train.csv.gz", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
