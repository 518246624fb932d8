//! `semgan data`: drawn faces, and sheets of any set; making and checking sets in files of their own.

mod hostile;
mod inspect;
mod lmdb;
mod make;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rayon::ThreadPoolBuilder;
use semgan::data::faces::{
    Attributes, CLASSES, Earrings, Eyeglasses, Eyes, Face, FaceSet, HairStyle, Hat, Portrait,
};
use semgan::data::{Dataset, LABEL_COLORS};
use semgan::sample::save_png;
use serde_json::Value;

use crate::program::run;
use crate::runs::{Place, picture};

const SET: FaceSet = FaceSet { count: 12, res: 16, seed: 5 };
const EYES: u8 = 2;

/// The files below a folder, by their names.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(place) = open.pop() {
        for entry in fs::read_dir(place).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below").to_str().expect("UTF-8");
                found.insert(name.replace('\\', "/"), fs::read(&path).expect("readable"));
            }
        }
    }
    found
}

fn members(archive: &Path) -> BTreeMap<String, Vec<u8>> {
    let file = fs::File::open(archive).expect("an archive");
    let mut zip = zip::ZipArchive::new(file).expect("a zip");
    let count = zip.len();
    let mut read = |i| {
        let mut member = zip.by_index(i).expect("a member");
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut member, &mut bytes).expect("readable");
        assert_eq!(member.compression(), zip::CompressionMethod::Stored);
        (member.name().expect("UTF-8").into_owned(), bytes)
    };
    (0..count).map(&mut read).collect()
}

#[test]
fn a_face_is_a_function_of_seed_and_index() {
    let face = |seed, index| Face::draw(seed, index).render(32);
    assert_eq!(face(1, 7), face(1, 7));
    assert_ne!(face(1, 7), face(1, 8));
    assert_ne!(face(1, 7), face(2, 7));
}

#[test]
fn every_class_occurs_as_often_as_in_portraits() {
    let faces: Vec<Face> = (0..200).map(|k| Face::draw(0, k)).collect();
    let mut share = [0.0; 13];
    let mut occurs = [0; 13];
    for face in &faces {
        let labels = face.render(64).labels;
        let has = |class: u8| labels.contains(&class);
        let wear = &face.attributes.wear;
        assert_eq!(has(10), wear.eyeglasses != Eyeglasses::None, "{wear:?}");
        assert_eq!(has(11), wear.hat != Hat::None, "{wear:?}");
        assert_eq!(has(EYES), wear.eyeglasses != Eyeglasses::Sun, "{wear:?}");
        assert!(!has(12) || wear.earrings != Earrings::None, "{wear:?}");
        assert!(!has(6) || !face.attributes.hair.ears_covered);
        for &label in &labels {
            share[usize::from(label)] += 1.0 / (200.0 * 64.0 * 64.0);
        }
        (0..13).for_each(|class| occurs[class] += usize::from(has(class as u8)));
    }
    // Least and greatest share of all pixels, and least number of 200 faces.
    for (class, (least, most, faces)) in [
        (0.3, 0.6, 200),
        (0.1, 0.3, 200),
        (0.003, 0.03, 180),
        (0.002, 0.02, 190),
        (0.003, 0.03, 200),
        (0.005, 0.03, 200),
        (0.002, 0.03, 100),
        (0.08, 0.3, 170),
        (0.02, 0.1, 190),
        (0.05, 0.25, 200),
        (0.003, 0.03, 30),
        (0.005, 0.06, 15),
        (0.0001, 0.005, 20),
    ]
    .into_iter()
    .enumerate()
    {
        let (share, occurs, name) = (share[class], occurs[class], CLASSES[class]);
        assert!((least..most).contains(&share), "{name}: {share} of all pixels");
        assert!(occurs >= faces, "{name} occurs in {occurs} of 200 faces");
    }
}

#[test]
fn a_face_is_the_same_at_every_resolution() {
    const RES: usize = 48;
    for index in 0..20 {
        let face = Face::draw(3, index);
        let [small, large] = [RES, 3 * RES].map(|res| face.render(res));
        let (mut equal, mut difference) = (0, 0.0);
        for k in 0..RES * RES {
            let at = |dx: usize, dy: usize| (k / RES * 3 + dy) * 3 * RES + k % RES * 3 + dx;
            // Their centres are one point.
            equal += usize::from(small.labels[k] == large.labels[at(1, 1)]);
            let nine: Vec<usize> = (0..9).map(|i| at(i % 3, i / 3)).collect();
            for channel in 0..3 {
                let sum: f64 = nine.iter().map(|i| f64::from(large.rgb[3 * i + channel])).sum();
                difference += (sum / 9.0 - f64::from(small.rgb[3 * k + channel])).abs();
            }
        }
        assert!(equal * 1000 >= RES * RES * 995, "face {index}: {equal} labels agree");
        let difference = difference / (3 * RES * RES) as f64;
        assert!(difference < 1.5, "face {index}: pictures differ by {difference} on average");
    }
}

/// Whether a pixel of the class is at `k` or beside it.
fn is_near(labels: &[u8], res: usize, k: usize, class: u8) -> bool {
    let around = |at: usize| at.saturating_sub(1)..=(at + 1).min(res - 1);
    around(k / res).any(|y| around(k % res).any(|x| labels[y * res + x] == class))
}

#[test]
fn what_is_labelled_eyes_is_where_the_eyes_are_painted() {
    let open_eyed = |face: &Face| {
        face.attributes.wear.eyeglasses == Eyeglasses::None
            && face.attributes.features.eye_color == Eyes::Brown
    };
    let faces: Vec<Face> = (0..60).map(|k| Face::draw(4, k)).filter(open_eyed).collect();
    assert!(faces.len() > 10);
    for res in [64, 128] {
        for face in &faces {
            let mut other = face.clone();
            other.attributes.features.eye_color = Eyes::Blue;
            let [a, b]: [Portrait; 2] = [face, &other].map(|f| f.render(res));
            assert_eq!(a.labels, b.labels);
            let changed = |k: usize| a.rgb[3 * k..3 * k + 3] != b.rgb[3 * k..3 * k + 3];
            let changed: Vec<usize> = (0..res * res).filter(|&k| changed(k)).collect();
            let eyes = a.labels.iter().filter(|&&label| label == EYES).count();
            assert!(changed.len() * 5 > eyes, "{} of {eyes} pixels changed", changed.len());
            assert!(changed.iter().all(|&k| is_near(&a.labels, res, k, EYES)));
        }
    }
}

/// The mean of `of` over the faces that `which` chooses; at least 30 of them.
fn mean(
    faces: &[Attributes],
    which: impl Fn(&Attributes) -> bool,
    of: impl Fn(&Attributes) -> f64,
) -> f64 {
    let chosen: Vec<f64> = faces.iter().filter(|a| which(a)).map(of).collect();
    assert!(chosen.len() >= 30, "{} faces", chosen.len());
    chosen.iter().sum::<f64>() / chosen.len() as f64
}

#[test]
fn attributes_go_together() {
    let faces: Vec<_> = (0..5000).map(|k| Face::draw(9, k).attributes).collect();
    let share = |yes: bool| f64::from(u8::from(yes));
    let is_bald = |a: &Attributes| a.hair.hair_style == HairStyle::Bald;
    let is_man = |a: &Attributes| a.person.feminine < 0.5;
    let bearded = |a: &Attributes| share(a.hair.beard > 0.0);
    let long = |a: &Attributes| share(a.hair.hair_length > 0.5);
    let grey = |a: &Attributes| f64::from(a.hair.hair_grey);
    let light = |a: &Attributes| share(!matches!(a.features.eye_color, Eyes::Brown));

    assert!(faces.iter().filter(|a| is_bald(a)).all(|a| a.hair.hair_length == 0.0));
    assert!(faces.iter().filter(|a| a.wear.hat != Hat::None).all(|a| a.hair.bangs == 0.0));
    let covered = faces.iter().filter(|a| a.hair.ears_covered);
    assert!(covered.into_iter().all(|a| a.wear.earrings == Earrings::None));
    assert!(faces.iter().any(|a| a.hair.bangs > 0.0));

    let bald_men = mean(&faces, |a| is_man(a) && is_bald(a), bearded);
    let other_men = mean(&faces, |a| is_man(a) && !is_bald(a), bearded);
    assert!(bald_men > other_men + 0.05, "beards: {bald_men} of bald men, {other_men} of others");
    assert!(mean(&faces, |a| !is_man(a), bearded) < 0.05);
    let (women, men) = (mean(&faces, |a| !is_man(a), long), mean(&faces, is_man, long));
    assert!(women > men + 0.3, "long hair: {women} and {men}");
    assert!(mean(&faces, |a| a.person.age > 70.0, grey) > 0.8);
    assert!(mean(&faces, |a| a.person.age < 35.0, grey) < 0.02);
    assert!(mean(&faces, |a| a.person.skin_tone < 0.2, light) > 0.5);
    assert!(mean(&faces, |a| a.person.skin_tone > 0.8, light) < 0.2);
    let open = |a: &Attributes| f64::from(a.features.mouth_open);
    let beaming = mean(&faces, |a| a.features.smile > 0.7, open);
    assert!(beaming > mean(&faces, |a| a.features.smile < 0.2, open) + 0.1, "{beaming}");
}

#[test]
fn a_folder_and_an_archive_hold_the_same_set() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [folder, archive, again] = ["set", "set.zip", "again.ZIP"].map(|n| dir.path().join(n));
    SET.write(&folder, |_| {}).expect("written");
    for (path, threads) in [(&archive, 1), (&again, 3)] {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| SET.write(path, |_| {})).expect("written");
    }
    let files = files(&folder);
    assert_eq!(files.len(), 2 * 12 + 1);
    assert_eq!(files, members(&archive));
    assert_eq!(fs::read(&archive).expect("bytes"), fs::read(&again).expect("bytes"));
    assert_eq!(fs::read_dir(&dir).expect("a folder").count(), 3, "nothing is left beside them");

    // The pictures and the maps, and nothing but the pictures for training.
    for index in [0, 11] {
        let portrait = Face::draw(SET.seed, index).render(SET.res);
        let open = |kind: &str| image::open(folder.join(format!("{kind}/00000/img{index:08}.png")));
        assert_eq!(open("images").expect("a picture").as_bytes(), portrait.rgb);
        assert_eq!(open("labels").expect("a map").as_bytes(), portrait.labels);
    }
    let sets = [&folder, &archive].map(|path| Dataset::open(path, SET.res).expect("a set"));
    assert_eq!(sets[0].fingerprint(), sets[1].fingerprint());
    for set in &sets {
        assert_eq!((set.len(), set.name(11)), (12, "images/00000/img00000011.png"));
    }

    let index: Value = serde_json::from_slice(&files["dataset.json"]).expect("JSON");
    assert!(index["labels"].is_null());
    assert_eq!(index["classes"].as_array().map(Vec::len), Some(13));
    let attributes = index["attributes"].as_object().expect("by file");
    assert_eq!(attributes.len(), 12);
    // Digit for digit, and under names of their own.
    let last = serde_json::to_string(&Face::draw(SET.seed, 11).attributes).expect("JSON");
    let text = str::from_utf8(&files["dataset.json"]).expect("UTF-8");
    assert!(text.contains(&format!("\"images/00000/img00000011.png\":{last}")));
    let names = attributes["images/00000/img00000011.png"].as_object().expect("names");
    assert_eq!(names.len(), last.matches("\":").count());
}

#[test]
fn faces_refuse_what_they_cannot_do() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let text = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    fs::create_dir(dir.path().join("full")).expect("a new folder");
    fs::write(dir.path().join("full/a.txt"), "mine").expect("written");
    fs::write(dir.path().join("old.zip"), "mine").expect("written");
    for (flags, out, words) in [
        (["--count", "0"], "new", &["--count", "0 faces"][..]),
        (["--res", "7"], "new", &["--res", "7 pixels", "8 to 1024"]),
        (["--res", "1025"], "new.zip", &["--res", "1025"]),
        (["--seed", "1"], "full", &["--out", "full", "holds files already"]),
        (["--seed", "1"], "old.zip", &["--out", "old.zip", "exists already"]),
        (["--seed", "1"], "full/a.txt/below", &["cannot create", "below"]),
        (["--seed", "1"], "missing/new.zip", &["cannot write", "new.zip"]),
    ] {
        let out = text(out);
        run(&[&["data", "faces", "--out", &out], &flags[..]].concat()).refused(1, words);
    }
    assert_eq!(fs::read_dir(&dir).expect("a folder").count(), 2, "nothing was made");
    assert_eq!(files(dir.path()).len(), 2);

    fs::create_dir(dir.path().join("empty")).expect("a new folder");
    let out = text("empty");
    let flags = ["data", "faces", "--count", "3", "--res", "8", "--out", &out];
    let said = run(&flags).succeeded().stderr;
    assert_eq!(said, format!("3 faces of 8x8 with label maps in {out}, seed 0\n"));
    assert_eq!(files(Path::new(&out)).len(), 7);
}

#[test]
fn sheets_show_pictures_and_label_maps() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let [set, out] = ["set.zip", "sheet.png"].map(|n| dir.path().join(n));
    SET.write(&set, |_| {}).expect("written");
    let [data, file] = [&set, &out].map(|p| p.to_str().expect("UTF-8"));
    let sheet = |flags: &[&str]| {
        run(&[&["data", "grid", "--data", data, "--out", file], flags].concat()).succeeded();
        image::open(&out).expect("a sheet").into_rgb8()
    };
    let portraits: Vec<Portrait> = (0..12).map(|k| Face::draw(SET.seed, k).render(16)).collect();

    let plain = sheet(&["--grid", "5x2"]);
    assert_eq!(plain.dimensions(), (5 * 16, 2 * 16));
    let labelled = sheet(&["--labels", "--count", "4"]);
    assert_eq!(labelled.dimensions(), (2 * 2 * 16, 2 * 16));
    for (x, y) in (0..16).flat_map(|y| (0..16).map(move |x| (x, y))) {
        let k = (16 * y + x) as usize;
        assert_eq!(plain.get_pixel(16 + x, 16 + y).0, portraits[6].rgb[3 * k..][..3]);
        assert_eq!(labelled.get_pixel(32 + x, 16 + y).0, portraits[3].rgb[3 * k..][..3]);
        let color = LABEL_COLORS[usize::from(portraits[3].labels[k])];
        assert_eq!(labelled.get_pixel(48 + x, 16 + y).0, color);
    }
    assert_eq!(sheet(&["--count", "3", "--res", "8"]).dimensions(), (16, 16));
}

#[test]
fn sheets_name_what_they_cannot_show() {
    let place = Place::new();
    let (data, out) = (place.text("data"), place.text("sheet.png"));
    let grid =
        |flags: &[&str]| run(&[&["data", "grid", "--data", &data, "--out", &out], flags].concat());
    grid(&["--labels"]).refused(1, &[&data, "no label maps", "labels/"]);
    grid(&["--count", "0"]).refused(1, &["--count"]);
    grid(&["--res", "0"]).refused(1, &["--res"]);
    grid(&["--grid", "4by4"]).refused(1, &["--grid", "4by4"]);
    assert!(!place.path("sheet.png").exists());

    fs::write(place.path("data/01.png"), b"no picture").expect("written");
    let said = grid(&["--count", "4"]).succeeded().stderr;
    assert!(said.contains("skipped 01.png: ") && said.contains("3 pictures of 8x8"), "{said}");

    // A map that is none is named, and black.
    for folder in ["images", "labels"] {
        let folder = place.path(&format!("pairs/{folder}"));
        fs::create_dir_all(&folder).expect("a new folder");
        save_png(folder.join("a.png"), &picture(1), &[]).expect("written");
    }
    let pairs = place.text("pairs");
    let answer = run(&["data", "grid", "--data", &pairs, "--out", &out, "--labels"]).succeeded();
    assert!(answer.stderr.contains("labels/a.png: is no label map"), "{}", answer.stderr);
    let sheet = image::open(&out).expect("a sheet").into_rgb8();
    assert_eq!(sheet.get_pixel(8, 0).0, [0; 3]);
}
