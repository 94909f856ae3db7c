//! The report's page in a real browser: wide, narrow, dark and printed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    browser::{Browser, Scheme},
    harness::{Sandbox, aienergyscore, workspace},
    results::{Leaves, edit},
};

/// Text in an expression whose contrast is too low.
const CONTRAST: &str = include_str!("page.js");

/// Elements that overflow the window.
const OVERFLOW: &str = "[...document.querySelectorAll('body *')].filter(one => { \
    const at = one.getBoundingClientRect(); \
    return at.width > 0 && (at.right > innerWidth + 1 || at.left < -1); \
}).map(one => one.outerHTML.slice(0, 120))";

/// Pixels of a page that a picture has, from its top.
const HIGHEST: u64 = 5000;

/// The page of the runs in `results`.
fn page(sandbox: &Sandbox, results: &Path) -> PathBuf {
    let page = sandbox.cwd().join("page.html");
    let [results, file] = [results, &page].map(|path| path.to_str().unwrap());
    let outcome = aienergyscore(sandbox, ["report", results, "--html", file, "--overwrite"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    page
}

/// Looks at a page in every way, and at the pictures of it in `target/page`.
fn look(browser: &mut Browser, page: &Path, name: &str, pictures: usize) {
    let folder = workspace().join("target/page");
    fs::create_dir_all(&folder).unwrap();
    for width in [390, 1280] {
        for scheme in [Scheme::Light, Scheme::Dark, Scheme::Paper] {
            let case = format!("{name}-{width}-{scheme:?}").to_lowercase();
            browser.open(page, width, scheme);
            let names = browser.pictures();
            assert!(names.len() >= pictures, "{case}: {} pictures", names.len());
            assert!(names.iter().all(|name| name.len() > 10), "{case}: {names:?}");
            let contrast = browser.evaluate(CONTRAST);
            assert!(contrast["texts"].as_u64() > Some(50), "{case}: {contrast}");
            assert_eq!(contrast["found"], serde_json::json!([]), "{case}");
            assert_eq!(browser.evaluate(OVERFLOW), serde_json::json!([]), "{case}");
            let wide = browser.evaluate("document.documentElement.scrollWidth");
            assert!(wide.as_u64() <= Some(width.into()), "{case}: {wide} pixels wide");
            let (wide, high) = browser.picture(&folder.join(format!("{case}.png")), width, HIGHEST);
            assert!(wide == width && high > 1000, "{case}: {wide} x {high}");
            assert!(browser.complaints().is_empty(), "{case}: {:?}", browser.complaints());
            assert_eq!(browser.requests(), [format!("file://{}", page.display())], "{case}");
        }
    }
}

#[test]
#[ignore = "needs Chromium"]
fn a_page_of_one_run_is_whole() {
    let sandbox = Sandbox::new(None);
    let results = sandbox.cwd().join("results");
    Leaves::score().write(&results);
    let page = page(&sandbox, &results);
    let mut browser = Browser::start();
    // The phases, and the power of two devices.
    look(&mut browser, &page, "one", 3);
    let headline =
        browser.evaluate("document.querySelector('.big').innerText.replace(/\\s+/g, ' ')");
    assert_eq!(headline, "21.60 Wh measured");

    // What is dark is dark: the colours are the browser's, not only the style's.
    let paper = "getComputedStyle(document.body).backgroundColor";
    browser.open(&page, 390, Scheme::Light);
    let light = browser.evaluate(paper);
    browser.open(&page, 390, Scheme::Dark);
    assert_ne!(browser.evaluate(paper), light);
}

#[test]
#[ignore = "needs Chromium"]
fn forty_runs_stay_readable_with_a_broken_one_among_them() {
    let sandbox = Sandbox::new(None);
    let results = sandbox.cwd().join("runs");
    let models = [
        "openai/gpt-oss-20b",
        "google/gemma-3-4b-pt",
        "org/a-name-that-goes-on-for-long-GPTQ-4bit",
    ];
    for run in 0..39_u32 {
        let model = models[run as usize % models.len()];
        let gpu_wh = (run < 36).then_some(10.0 + f64::from(run % 7));
        Leaves { model, gpu_wh, prompts: 1000 }.write(&results.join(format!("{run:02}")));
    }
    let broken = results.join("39");
    fs::create_dir(&broken).unwrap();
    fs::write(broken.join("GPU_ENERGY_SUMMARY.json"), "{\"units\": \"Wh\", \"tot").unwrap();
    let page = page(&sandbox, &results);
    let mut browser = Browser::start();
    look(&mut browser, &page, "forty", 6);
    let said = browser.evaluate("document.querySelector('.broken').innerText");
    assert!(said.as_str().unwrap().contains("cut off"), "{said}");

    // On paper nothing is folded.
    let hidden = "[...document.querySelectorAll('.inside')].filter(one => \
                  !one.checkVisibility()).length";
    browser.open(&page, 1280, Scheme::Paper);
    assert_eq!(browser.evaluate(hidden), 0);
    // On a screen a link to a run unfolds it.
    browser.open(&page, 1280, Scheme::Light);
    assert_eq!(browser.evaluate(hidden), 39);
    browser.evaluate("document.querySelector('a[href=\"#run-7\"]').click()");
    let opened = "[...document.querySelectorAll('details[open]')].map(one => \
                  one.querySelector('.inside').id).join()";
    assert_eq!(browser.evaluate(opened), "run-7");
}

#[test]
#[ignore = "needs Chromium"]
fn hostile_names_are_shown_and_do_nothing() {
    let sandbox = Sandbox::new(None);
    let results = sandbox.cwd().join("r<img src=x onerror=document.title='owned'>");
    let model = "</title><script>document.title='owned'</script>\u{202e}\"><svg onload=alert(1)>";
    Leaves { model, ..Leaves::score() }.write(&results.join("1"));
    Leaves { model: &"w".repeat(400), ..Leaves::score() }.write(&results.join("2"));
    edit(&results.join("2/GPU_ENERGY_SUMMARY.json"), |summary| {
        summary["notes"] = serde_json::json!(["</ul></main><iframe src=http://192.0.2.1/>"]);
        summary["measurement"]["devices"][0]["name"] =
            "GPU\u{1b}[2J<style>*{display:none}</style>".into();
    });
    let page = page(&sandbox, &results);
    let mut browser = Browser::start();
    look(&mut browser, &page, "hostile", 3);
    let title = browser.evaluate("document.title");
    assert!(title.as_str().unwrap().starts_with("2 runs of 2 models"), "{title}");
    assert_eq!(browser.evaluate("document.querySelectorAll('script, img, iframe').length"), 0);
}
