//! Tests of `build-image` as a whole: tags, output, and the Dockerfile.

mod dockerfile;

use contract::Flavour;

use super::{Image, Outcome, Size, tags};

#[test]
fn tags_are_the_flavour_and_its_version_and_cuda_is_the_latest() {
    let version = env!("CARGO_PKG_VERSION");
    let of =
        |tags: &[&str]| tags.iter().map(|tag| format!("ai_energy_score:{tag}")).collect::<Vec<_>>();
    assert_eq!(tags(Flavour::Smoke), of(&["smoke", &format!("{version}-smoke")]));
    assert_eq!(tags(Flavour::Cpu), of(&["cpu", &format!("{version}-cpu")]));
    assert_eq!(tags(Flavour::Cuda), of(&["latest", "cuda", &format!("{version}-cuda")]));
}

#[test]
fn output_names_every_tag() {
    let size = Size { bytes: 1_280_000_000, compressed: false };
    let image = Image { image: "x:1".into(), digest: "ab".into(), built: true, size };
    let mut outcome = Outcome { image, tags: vec!["x:1".into(), "x:2".into()], seconds: 2.25 };
    assert_eq!(outcome.line(), "built x:1, x:2: 1280.0 MB, 2.2 s");
    let json = serde_json::to_string(&outcome).unwrap();
    insta::assert_snapshot!(json, @r#"{"image":"x:1","digest":"ab","built":true,"bytes":1280000000,"compressed":false,"tags":["x:1","x:2"],"seconds":2.25}"#);
    outcome.image.built = false;
    assert_eq!(outcome.line(), "x:1, x:2: up to date, 1280.0 MB");
    outcome.image.size.compressed = true;
    assert_eq!(outcome.line(), "x:1, x:2: up to date, 1280.0 MB compressed");
}
