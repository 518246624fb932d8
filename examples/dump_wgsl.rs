//! Writes every kernel as the driver would get it, and a sample of generated ones, without a GPU, in
//! WGSL and in the languages of the backends, so that other tools can read them:
//! `cargo run --release --example dump_wgsl -- FOLDER`.

use std::error::Error;
use std::path::PathBuf;

use semgan::device::kernel::Specialised;

#[path = "../tests/it/kernel_texts.rs"]
mod kernel_texts;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: dump_wgsl FOLDER")?);
    for (kernel, overrides) in kernel_texts::all() {
        let chosen = overrides.iter().map(|(name, value)| format!(".{name}-{value}"));
        let size = kernel.subgroup.map(|size| format!(".subgroup-{size}")).unwrap_or_default();
        let name = format!("{}{size}{}", kernel.name, chosen.collect::<String>());
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        std::fs::create_dir_all(path("wgsl").parent().ok_or("a file has a folder")?)?;
        let kernel = Specialised::new(&kernel, &overrides)?;
        let words = kernel.spirv()?.into_iter().flat_map(u32::to_le_bytes);
        std::fs::write(path("spv"), words.collect::<Vec<u8>>())?;
        std::fs::write(path("metal"), kernel.msl()?)?;
        std::fs::write(path("hlsl"), kernel.hlsl()?)?;
        std::fs::write(path("comp"), kernel.glsl()?)?;
        std::fs::write(path("wgsl"), kernel.text)?;
    }
    Ok(())
}
