//! LMDB sets of every layout, against what other tools read from them.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use semgan::data::{Dataset, LabelMaps};

/// Sets that LMDB's own library wrote.
fn stored(name: &str) -> PathBuf {
    Path::new("tests/data").join(name)
}

/// The pixel of picture `index` at (x, y), 0 to 255.
fn pixel(set: &Dataset, index: usize, (x, y): (usize, usize)) -> [u8; 3] {
    let res = set.res();
    let mut planes = vec![0.0; 3 * res * res];
    set.write(index, false, &mut planes).expect("a picture");
    [0, 1, 2].map(|c| ((planes[(c * res + y) * res + x] + 1.0) * 127.5).round() as u8)
}

/// What the script that made the sets painted there.
fn painted(index: usize, (x, y): (usize, usize)) -> [u8; 3] {
    [x * 9 + index * 5, y * 7, x + y + index * 20].map(|value| value as u8)
}

#[test]
fn golden_sets_decode_to_the_byte() {
    let mut compared = 0;
    for folder in ["tests/golden/datasets", "../shared/golden/datasets"] {
        let Ok(items) = fs::read_dir(folder) else { continue };
        for file in items.map(|item| item.expect("an item").path()) {
            let name = file.to_string_lossy().into_owned();
            let Some(set) = name.strip_suffix(".expected.safetensors") else { continue };
            compared += compare(Path::new(set), &fs::read(&file).expect("readable"));
        }
    }
    assert!(compared >= 2 * 5, "{compared} pictures");
}

/// Every stored picture of a set, all of it; how many there are.
fn compare(set: &Path, expected: &[u8]) -> usize {
    let expected = SafeTensors::deserialize(expected).expect("tensors");
    let mut compared = 0;
    for (name, wanted) in expected.iter() {
        let index: usize = name.strip_prefix("out.image.").expect("a picture").parse().expect("n");
        let [3, height, width] = *wanted.shape() else { panic!("{name} is no picture") };
        let set = Dataset::open(set, width.min(height)).expect("a set");
        let (w, h, rgb) = set.whole(index).expect("a picture");
        assert_eq!((w as usize, h as usize), (width, height), "{name}");
        let planes: Vec<u8> = (0..3).flat_map(|c| rgb[c..].iter().step_by(3).copied()).collect();
        assert!(planes == wanted.data(), "{name}");
        compared += 1;
    }
    compared
}

#[test]
fn pictures_with_label_maps_are_pairs() {
    let path = stored("lmdb_pairs");
    let set = Dataset::open(&path, 8).expect("a set");
    let maps = LabelMaps::open(&path).expect("maps");
    assert_eq!((set.len(), set.name(5)), (6, "images/0000005"));
    for index in 0..6 {
        assert_eq!(pixel(&set, index, (3, 2)), painted(index, (3, 2)));
        assert_eq!(maps.read(set.name(index), 8), Ok(vec![index as u8; 64]));
    }
    // The file itself will do, too.
    let set = Dataset::open(path.join("data.mdb"), 8).expect("a set");
    assert_eq!(set.len(), 6);
}

#[test]
fn a_file_of_pictures_alone_is_read_in_the_order_of_its_keys() {
    let set = Dataset::open(stored("lmdb_lsun"), 6).expect("a set");
    assert_eq!(set.len(), 12);
    for index in 0..12 {
        assert_eq!(pixel(&set, index, (0, 0)), painted(index, (1, 0)), "centre-cropped");
    }
}

#[test]
fn trees_of_three_levels_are_walked() {
    let set = Dataset::open(stored("lmdb_deep"), 4).expect("a set");
    assert_eq!(set.len(), 50);
    assert!((0..50).all(|index| pixel(&set, index, (1, 3)) == painted(index, (1, 3))));
}

#[test]
fn what_a_file_announces_and_lacks_is_told() {
    let set = Dataset::open(stored("lmdb_short"), 16).expect("a set");
    assert_eq!(set.len(), 3);
    assert_eq!(set.notes(), ["length says 5, but there are 3 records"]);
    let error = Dataset::open(stored("lmdb_empty"), 16).err().expect("refused").to_string();
    assert!(error.contains("lmdb_empty: holds no pictures"), "{error}");
}
