//! The demo, cut short.

use std::fs;

use crate::program::run;

#[test]
fn the_demo_leaves_a_page_with_everything_it_shows() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let out = dir.path().join("demo");
    let outdir = out.to_str().expect("UTF-8");
    let demo = ["demo", "--device", "cpu", "--minutes", "0.02", "--outdir", outdir];
    let said = run(&demo).succeeded().stderr;
    assert!(said.contains("drew 2000 faces") && said.contains("index.html"), "{said}");

    let page = fs::read_to_string(out.join("index.html")).expect("a page");
    assert!(!page.contains("{{") && !page.contains("NaN"), "{page}");
    let shown = page.split("src=\"").skip(1).map(|rest| rest.split('"').next().expect("a name"));
    let shown: Vec<&str> = shown.collect();
    assert_eq!(shown, ["reals.png", "before.png", "samples.png", "groups.png", "edit.png"]);
    for name in shown {
        image::open(out.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    // What the page tells to do next works.
    let at = page.find("--resume ").expect("a command") + "--resume ".len();
    let run_folder = page[at..].split(' ').next().expect("a folder");
    let onward = ["train", "--resume", run_folder, "--device", "cpu", "--dry-run"];
    run(&onward).succeeded();

    run(&demo).refused(1, &["--outdir", outdir, "not empty"]);
    run(&["demo", "--minutes", "0"]).refused(1, &["--minutes: 0"]);
}
