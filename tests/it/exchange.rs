//! `import`, `export` and `info` as a person types them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A file of another program.
fn checkpoint(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints").join(name)
}

/// The program's answer in a folder.
fn semgan(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_semgan"));
    command.args(args).current_dir(folder).output().unwrap()
}

#[track_caller]
fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = semgan(folder, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{args:?}: {said}");
    let told = String::from_utf8(output.stdout).unwrap();
    // How far columns stand apart is for the eye.
    said + &told.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn fails(folder: &Path, args: &[&str], words: &str) {
    let output = semgan(folder, args);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    assert!(said.contains(words), "{args:?}: {said}");
}

#[test]
fn an_imported_run_goes_on_here_and_back_there() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = folder.join("000100.pt");
    std::fs::copy(checkpoint("rosinality_train_zip.pt"), &file).unwrap();
    succeeds(folder, &["data", "faces", "--count", "12", "--res", "8", "--out", "faces"]);
    let said = succeeds(folder, &["import", "000100.pt"]);
    assert!(said.contains("train --resume 000100.safetensors --data"), "{said}");
    fails(folder, &["import", "000100.pt"], "--out: 000100.safetensors exists; add --overwrite");
    let resume = ["train", "--resume", "000100.safetensors", "--device", "cpu", "--kimg", "0.408"];
    fails(folder, &resume, "--data: is missing");
    let said = succeeds(folder, &[&resume[..], &["--data", "faces"]].concat());
    assert!(said.contains("at step 100"), "the file's name says where its trainer was: {said}");
    let run = "runs/00000-stylegan2-faces-rosinality8-batch4";
    assert!(folder.join(run).join("reals.png").exists(), "a run in a folder of its own");
    assert!(!folder.join("training_options.json").exists(), "and nothing beside the file");
    let said = succeeds(folder, &["info", run]);
    for words in ["step 102", "optimisers", "recipe stylegan2", "system stylegan2"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    succeeds(folder, &["export", run, "--to", "rosinality", "--out", "000102.pt"]);
    let said = succeeds(folder, &["info", "000102.pt"]);
    for words in ["layout rosinality", "args.channel_multiplier", "optimiser of d"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let again = succeeds(folder, &["import", "000102.pt", "--out", "again.safetensors"]);
    assert!(again.contains("optimisers"), "{again}");
    // Its own trainer's networks start another run, whatever the presets are.
    let transfer = ["train", "--transfer", "again.safetensors", "--data", "faces", "--dry-run"];
    let said = succeeds(folder, &[&transfer[..], &["--device", "cpu"]].concat());
    assert!(said.contains("\"size\": 8"), "{said}");
}

#[test]
fn pictures_are_compared_with_those_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = checkpoint("rosinality_converted_legacy.pt");
    let expected = checkpoint("rosinality_converted_legacy.expected.safetensors");
    let (file, expected) = (file.to_str().unwrap(), expected.to_str().unwrap());
    let import = ["import", file, "--device", "cpu", "--out", "a.safetensors", "--overwrite"];
    let said = succeeds(folder, &[&import[..], &["--verify", expected]].concat());
    assert!(said.contains("largest error") && said.contains("a.png"), "{said}");
    assert!(folder.join("a.png").exists());
    let said = succeeds(folder, &[&import[..], &["--verify"]].concat());
    assert!(said.contains("against double precision: largest error"), "{said}");
    let other = checkpoint("lineargan_pggan.expected.safetensors");
    fails(
        folder,
        &[&import[..], &["--verify", other.to_str().unwrap()]].concat(),
        "are of another network",
    );
}

#[test]
fn tensors_are_written_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let odd = checkpoint("odd_tensors_zip.pt");
    let said = succeeds(folder, &["import", odd.to_str().unwrap()]);
    assert!(said.contains("no known layout; its 21 tensors are written as they are"), "{said}");
    let bytes = std::fs::read(folder.join("odd_tensors_zip.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("i64").unwrap().dtype(), safetensors::Dtype::I64);
    fails(
        folder,
        &["sample", "--network", "odd_tensors_zip.safetensors", "--outdir", "s"],
        "not a semgan snapshot",
    );
    let pickled = checkpoint("stylegan2_ada.pkl");
    succeeds(folder, &["import", pickled.to_str().unwrap(), "--raw", "--out", "raw.safetensors"]);
    let bytes = std::fs::read(folder.join("raw.safetensors")).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("augment_pipe.Hz_fbank").unwrap().shape(), [4, 43]);
}

#[test]
fn info_knows_every_kind_of_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeeds(folder, &["data", "faces", "--count", "3", "--res", "8", "--out", "faces.zip"]);
    let pickled = checkpoint("stylegan2_ada.pkl");
    succeeds(folder, &["import", pickled.to_str().unwrap()]);
    let sample = ["sample", "--network", "stylegan2_ada.safetensors", "--seeds", "85"];
    succeeds(folder, &[&sample[..], &["--outdir", "s", "--device", "cpu"]].concat());
    let extractor = checkpoint("lineargan_extractor_LSE.pth");
    succeeds(folder, &["import", extractor.to_str().unwrap()]);
    for (file, words) in [
        ("faces.zip", "data set"),
        ("stylegan2_ada.safetensors", "\"layout\":\"stylegan2-ada\""),
        ("s/seed0085.png", "seed 85"),
        ("lineargan_extractor_LSE.safetensors", "extractor of classes"),
        (pickled.to_str().unwrap(), "parameters generator 2"),
        (checkpoint("semstyle_pti.pt").to_str().unwrap(), "system semantic_stylegan"),
        (checkpoint("sarigan_train_legacy.pt").to_str().unwrap(), "PyTorch legacy stream"),
        (checkpoint("odd_tensors_zip.pt").to_str().unwrap(), "layout unknown"),
        (checkpoint("odd_tensors_zip.expected.safetensors").to_str().unwrap(), "F16 ["),
    ] {
        let said = succeeds(folder, &["info", file]);
        assert!(said.contains(words), "{file}: {said}");
    }
    let json = succeeds(folder, &["info", "--json", "faces.zip"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["kind"], "data set");
    std::fs::write(folder.join("text.pt"), "no network").unwrap();
    fails(folder, &["info", "text.pt"], "is no snapshot (.safetensors), no network of another");
    fails(folder, &["info", "missing.pt"], "cannot read missing.pt");
    fails(folder, &["import", "text.pt"], "is no file of torch.save");
    fails(folder, &["import", "faces.zip"], "a zip without data.pkl");
}

#[test]
fn networks_go_only_where_they_have_a_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (file, to, other) in [
        ("genforce_pggan_zoo_legacy.pth", "rosinality", "genforce"),
        ("sarigan_train_legacy.pt", "genforce", "rosinality"),
        ("semstyle_pti.pt", "genforce", "rosinality"),
    ] {
        let from = checkpoint(file);
        let import = ["import", from.to_str().unwrap(), "--out", "a.safetensors", "--overwrite"];
        succeeds(folder, &import);
        let words = format!("give --to {other}");
        fails(folder, &["export", "a.safetensors", "--to", to, "--out", "b.pt"], &words);
        succeeds(folder, &["export", "a.safetensors", "--to", other, "--overwrite"]);
    }
    // What has no optimisers, or no discriminator, says so.
    let resume = ["train", "--resume", "a.safetensors", "--data", ".", "--device", "cpu"];
    fails(folder, &resume, "holds no optimisers to go on with");
}

#[test]
fn a_semantic_network_is_adapted_to_pictures_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeeds(folder, &["data", "faces", "--count", "8", "--res", "16", "--out", "faces"]);
    let from = checkpoint("semstyle_legacy.pt");
    succeeds(folder, &["import", from.to_str().unwrap(), "--out", "a.safetensors"]);
    let train = ["train", "--data", "faces", "--device", "cpu", "--kimg", "0.008", "--batch", "4"];
    let resume = [&train[..], &["--resume", "a.safetensors"]].concat();
    fails(folder, &resume, "needs label maps, which training does not read yet; --transfer");
    succeeds(folder, &[&train[..], &["--transfer", "a.safetensors"]].concat());
    let run = "runs/00000-semantic_stylegan-faces-tiny16-batch4";
    let sample = ["sample", "--network", run, "--seeds", "0", "--outdir", "s", "--labels"];
    succeeds(folder, &[&sample[..], &["--device", "cpu"]].concat());
    assert!(folder.join("s/seed0000-labels.png").exists());
}
