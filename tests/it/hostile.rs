//! Files that mean harm, or were damaged: one clear error, and nothing else happens.

use std::path::{Path, PathBuf};
use std::process::Command;

use semgan::checkpoint::{Checkpoint, published};
use semgan::fuzz;
use semgan::train::snapshot;

/// A pickle of protocol 2 with these instructions.
fn pickle(program: &[u8]) -> Vec<u8> {
    [b"\x80\x02", program, b"."].concat()
}

/// A legacy file whose data are a pickle with these instructions.
fn legacy(program: &[u8], keys: &[u8], storages: &[u8]) -> Vec<u8> {
    let magic = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    let version = b"\x80\x02M\xe9\x03.";
    let system = b"\x80\x02}X\x0d\0\0\0little_endian\x88s.";
    [magic, version.as_slice(), system, &pickle(program), &pickle(keys), storages].concat()
}

/// A tensor of `_rebuild_tensor_v2` with this offset, sizes and strides, of a storage of 4 floats.
fn tensor(offset: &[u8], sizes: &[u8], strides: &[u8]) -> Vec<u8> {
    let storage = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0aX\x03\0\0\0cpuK\x04tQ";
    let parts: [&[u8]; 9] = [
        b"ctorch._utils\n_rebuild_tensor_v2\n(",
        storage,
        offset,
        b"(",
        sizes,
        b"t(",
        strides,
        b"t",
        b"\x89ccollections\nOrderedDict\n)RtR",
    ];
    let value = parts.concat();
    let program = [b"}X\x01\0\0\0t", value.as_slice(), b"s"].concat();
    let numbers = [&4u64.to_le_bytes()[..], &[0; 16]].concat();
    legacy(&program, b"](X\x01\0\0\0ae", &numbers)
}

/// Hostile files and what the error has to say.
fn hostile() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let deep: Vec<u8> = b"]".repeat(5000).into_iter().chain(b"a".repeat(4999)).collect();
    // Ten lists, each of ten times the one before: ten thousand million elements.
    let mut shared = b"]q\0".to_vec();
    for k in 0..10u8 {
        shared.extend([b']', b'(']);
        shared.extend([b'h', k].repeat(10));
        shared.extend([b'e', b'q', k + 1]);
    }
    vec![
        ("call", pickle(b"cos\nsystem\nX\x04\0\0\0true\x85R"), "refers to the code \"os.system\""),
        ("eval", pickle(b"c__builtin__\neval\n(X\x01\0\0\x001tR"), "refers to the code"),
        ("getattr", pickle(b"cbuiltins\ngetattr\n."), "refers to the code"),
        (
            "dotted",
            b"\x80\x04\x8c\x05torch\x8c\x0d_utils.system\x93.".to_vec(),
            "refers to the code",
        ),
        ("instance", pickle(b"(ios\nsystem\n"), "unknown instruction 0x69"),
        ("extension", pickle(b"\x82\x01"), "unknown instruction 0x82"),
        ("no opcode", pickle(b"\xff"), "unknown instruction 0xff"),
        ("protocol", b"\x80\x09.".to_vec(), "is no file of torch.save"),
        ("items of a list", pickle(b"]K\x01K\x02s"), "adds entries to what is no dictionary"),
        ("elements of a text", pickle(b"X\x01\0\0\0aK\x01a"), "adds elements to what is no list"),
        ("state of a number", pickle(b"K\x01}b"), "gives a state to what has none"),
        ("call of a number", pickle(b"K\x01)R"), "calls what is no name"),
        ("empty stack", pickle(b"R"), "takes a value from an empty stack"),
        ("no mark", pickle(b"K\x01t"), "no mark"),
        ("below a mark", pickle(b"K\x01(0a"), "empty stack"),
        ("odd items", pickle(b"}(K\x01u"), "a key without a value"),
        ("unknown memory", pickle(b"h\x07"), "nothing was remembered as 7"),
        ("long text", pickle(b"X\xff\xff\xff\x7fa"), "the file ends within"),
        (
            "longest text",
            b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffa.".to_vec(),
            "the file ends",
        ),
        (
            "wide number",
            pickle(&[b"\x8a\xff".as_slice(), &[1; 255]].concat()),
            "number of 255 bytes",
        ),
        ("bad text", pickle(b"X\x02\0\0\0\xff\xfe"), "no UTF-8"),
        ("cut", b"\x80\x02}X\x01\0".to_vec(), "the file ends within"),
        ("deep", pickle(&deep), "nested too deeply"),
        ("shared", pickle(&shared), "nested too deeply"),
        ("within itself", pickle(b"}q\0X\x01\0\0\0ah\0s"), "nested too deeply"),
        ("more behind", [pickle(b"}"), b"more".to_vec()].concat(), "4 bytes follow"),
        ("outside", tensor(b"K\x02", b"K\x04", b"K\x01"), "leave the 4 elements"),
        (
            "far outside",
            tensor(b"K\0", b"K\x02", b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"),
            "leave",
        ),
        ("negative stride", tensor(b"K\x03", b"K\x04", b"J\xff\xff\xff\xff"), "negative sizes"),
        ("negative size", tensor(b"K\0", b"J\xff\xff\xff\xff", b"K\x01"), "negative sizes"),
        ("negative offset", tensor(b"J\xff\xff\xff\xff", b"K\x01", b"K\x01"), "no known way"),
        ("bomb", tensor(b"K\0", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f", b"K\0K\0"), "far larger"),
        ("rank", tensor(b"K\0", &b"K\x01".repeat(40), &b"K\x01".repeat(40)), "more than 16"),
        ("no storage", legacy(b"}", b"](X\x01\0\0\0ae", &[]), "nothing refers to storage"),
        ("numbers behind", legacy(b"}", b"]", b"more"), "4 bytes follow the last storage"),
    ]
}

#[test]
fn hostile_pickles_give_one_error_and_run_nothing() {
    for (name, bytes, words) in hostile() {
        let error = published::parse(Path::new("file.pt"), &bytes).expect_err(name).to_string();
        assert!(error.starts_with("file.pt: "), "{name}: {error}");
        assert!(error.contains(words), "{name}: {error}");
        assert!(error.len() < 400, "{name}: {error}");
    }
}

/// An archive with one stored member, whose directory may lie.
fn archive(name: &str, data: &[u8], change: impl Fn(&mut Vec<u8>, usize)) -> Vec<u8> {
    let (n, length) = ((name.len() as u16).to_le_bytes(), (data.len() as u32).to_le_bytes());
    let fields = [&[0; 4][..], &length, &length, &n, &[0, 0]].concat();
    let mut bytes =
        [b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0", &fields[..], name.as_bytes(), data].concat();
    let start = bytes.len();
    bytes.extend(b"PK\x01\x02\x14\0\x14\0\0\0\0\0\0\0\0\0");
    bytes.extend(&fields);
    bytes.extend([0; 14]);
    bytes.extend(name.as_bytes());
    let size = (bytes.len() - start) as u32;
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend(size.to_le_bytes());
    bytes.extend((start as u32).to_le_bytes());
    bytes.extend([0, 0]);
    change(&mut bytes, start);
    bytes
}

#[test]
fn hostile_archives_give_one_error() {
    let data = pickle(b"}");
    let put = |at: usize, n: u32| {
        move |bytes: &mut Vec<u8>, start: usize| {
            bytes[start + at..start + at + 4].copy_from_slice(&n.to_le_bytes());
        }
    };
    let cases = [
        (
            "member outside",
            archive("a/data.pkl", &data, put(42, 1 << 30)),
            "broken at its member 0",
        ),
        (
            "long member",
            archive("a/data.pkl", &data, put(20, u32::MAX - 1)),
            "broken at its member 0",
        ),
        ("another size", archive("a/data.pkl", &data, put(24, 1)), "compressed"),
        ("no data", archive("../../data.txt", &data, |_, _| {}), "without data.pkl"),
        ("cut", archive("a/data.pkl", &data, |b, _| b.truncate(b.len() - 1)), "not a complete zip"),
        (
            "zip64",
            archive("a/data.pkl", &data, |b, _| {
                let at = b.len() - 6;
                b[at..at + 4].fill(0xff);
            }),
            "not a complete zip",
        ),
    ];
    for (name, bytes, words) in cases {
        let error = published::parse(Path::new("file.pt"), &bytes).expect_err(name).to_string();
        assert!(error.contains(words), "{name}: {error}");
    }
    let fine = archive("a/data.pkl", &data, |_, _| {});
    let error = published::parse(Path::new("file.pt"), &fine).expect_err("nothing in it");
    assert!(error.to_string().contains("holds no tensors"), "{error}");
}

#[test]
fn a_flipped_bit_in_an_archive_is_noticed() {
    let bytes = std::fs::read(checkpoints().join("rosinality_train_zip.pt")).unwrap();
    let names = bytes.windows(5).enumerate().filter(|(_, name)| name == b"data/");
    let mut noticed = 0;
    for (at, _) in names.step_by(9) {
        let mut bytes = bytes.clone();
        // Behind a member's name and its padding to 64 bytes.
        bytes[at + 128] ^= 1;
        let Err(error) = published::parse(Path::new("file.pt"), &bytes) else { continue };
        noticed += usize::from(error.to_string().contains("checksum"));
    }
    assert!(noticed > 5, "{noticed} flips");
}

#[test]
fn the_program_says_one_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes, words) in hostile().into_iter().take(6) {
        let file = folder.path().join(name.replace(' ', "_")).with_extension("pt");
        std::fs::write(&file, bytes).unwrap();
        let before = std::fs::read_dir(folder.path()).unwrap().count();
        for command in ["import", "info"] {
            let run = Command::new(env!("CARGO_BIN_EXE_semgan"))
                .args([command, file.to_str().unwrap()])
                .current_dir(folder.path())
                .output()
                .unwrap();
            let said = String::from_utf8(run.stderr).unwrap();
            assert_eq!(run.status.code(), Some(1), "{command} {name}: {said}");
            assert_eq!(said.lines().count(), 1, "{command} {name}: {said}");
            assert!(
                said.starts_with("error: ") && said.contains(words),
                "{command} {name}: {said}"
            );
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), before, "{name}");
        }
    }
}

/// Numbers without an order, the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }

    /// A few changes: bytes flipped, numbers made large or small, parts cut, doubled or moved.
    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let length = 1 + self.below(8.min(bytes.len().saturating_sub(at)));
            match self.below(7) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = self.below(256) as u8,
                2 => bytes[at..].iter_mut().take(length).for_each(|b| *b = 0xff),
                3 => bytes[at..].iter_mut().take(length).for_each(|b| *b = 0),
                4 => bytes.truncate(at),
                5 => {
                    let part: Vec<u8> = bytes[at..].iter().copied().take(64).collect();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, part);
                }
                _ => drop(bytes.drain(at..(at + length).min(bytes.len()))),
            }
        }
        bytes
    }
}

/// Calls a reader with mutations of files: none may make it panic.
fn survive(read: fn(&[u8]), corpus: &[Vec<u8>], rounds: usize) {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for file in corpus {
        read(file);
        for _ in 0..rounds {
            read(&dice.mutate(file));
        }
    }
}

/// Files that other programs wrote.
fn checkpoints() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints")
}

/// Files of [`checkpoints`] by their ending, smaller than a limit.
fn corpus(ending: &str, limit: u64) -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(checkpoints()).unwrap().map(|entry| entry.unwrap());
    let fits = |path: &std::fs::DirEntry| {
        path.file_name().to_str().unwrap().ends_with(ending)
            && path.metadata().unwrap().len() < limit
    };
    let mut found: Vec<_> = files.filter(fits).map(|entry| entry.path()).collect();
    found.sort();
    assert!(!found.is_empty(), "no corpus of {ending}");
    found.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn damaged_networks_of_others_never_panic() {
    survive(fuzz::foreign, &corpus(".pt", 60_000), 300);
    survive(fuzz::foreign, &corpus(".pth", 60_000), 100);
    survive(fuzz::foreign, &corpus(".pkl", 200_000), 60);
    let crafted: Vec<_> = hostile().into_iter().map(|(_, bytes, _)| bytes).collect();
    survive(fuzz::foreign, &crafted, 100);
}

#[test]
fn damaged_snapshots_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = checkpoints().join("rosinality_train_zip.pt");
    let published = published::read(&path).unwrap();
    let published::Contents::Networks(networks) = published.contents else { panic!("networks") };
    let file = semgan::train::adopt::snapshot(&path, *networks).unwrap();
    let out = folder.path().join("a.safetensors");
    file.save(&out).unwrap();
    let bytes = std::fs::read(&out).unwrap();
    // Most mutations should hit what is described, not the numbers.
    survive(fuzz::safetensors, &[bytes.clone(), bytes[..8000].to_vec()], 300);
    let header = |n: u64| [&n.to_le_bytes()[..], b"{}"].concat();
    for n in [u64::MAX, 100 << 30, 2, 3] {
        fuzz::safetensors(&header(n));
    }
}

/// A snapshot that describes these networks and holds nothing of them.
fn described(network: &str) -> Vec<u8> {
    let description = format!(r#"{{"version":2,"network":{network}}}"#);
    let metadata = serde_json::json!({ "__metadata__": { "semgan": description } });
    let header = metadata.to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
}

#[test]
fn descriptions_of_huge_networks_are_refused_before_memory_is_taken() {
    let taps = vec!["1"; 100].join(",");
    let taps = format!(r#"{{"stylegan2":{{"size":8,"blur_kernel":[{taps}]}}}}"#);
    for (network, words) in [
        (r#"{"stylegan2":{"size":8,"style_dim":1000000000000}}"#, "a width of 1000000000000"),
        (r#"{"stylegan2":{"size":8,"n_mlp":2000000000}}"#, "layers of 2000000000; 64 at most"),
        (r#"{"stylegan2":{"size":8,"projection":65}}"#, "layers of 65"),
        (r#"{"stylegan":{"resolution":8,"mapping_layers":1000000000}}"#, "layers of 1000000000"),
        (r#"{"pggan":{"resolution":8,"z_space_dim":99999}}"#, "a width of 99999; 65536 at most"),
        (r#"{"semantic_stylegan":{"size":128,"n_mlp":900}}"#, "layers of 900"),
        (taps.as_str(), "taps of 100; 64 at most"),
    ] {
        let file = Checkpoint::parse(Path::new("a.safetensors"), &described(network)).unwrap();
        let error = snapshot::network_config(&file).expect_err(network).to_string();
        assert!(error.contains(words), "{network}: {error}");
    }
}

#[test]
fn texts_of_pictures_that_unpack_without_end_are_refused() {
    let mut bytes = Vec::new();
    let encoder = png::Encoder::new(&mut bytes, 1, 1);
    let mut long = png::text_metadata::ITXtChunk::new("seed", "1".repeat(4 << 20));
    long.compressed = true;
    let mut writer = encoder.write_header().unwrap();
    writer.write_text_chunk(&long).unwrap();
    writer.write_image_data(&[7]).unwrap();
    writer.finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    std::fs::write(&path, &bytes).unwrap();
    assert!(bytes.len() < 100_000, "{} bytes", bytes.len());
    assert!(semgan::sample::read_text(&path).is_err());
}

#[test]
fn damaged_pictures_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let picture = semgan::sample::Rgb { width: 8, height: 8, pixels: vec![7; 192] };
    semgan::sample::save_png(&path, &picture, &[("seed", "1"), ("network", "n\u{e4}me")]).unwrap();
    survive(fuzz::png_text, &[std::fs::read(&path).unwrap()], 2000);
}
