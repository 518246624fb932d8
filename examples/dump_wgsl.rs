//! Writes every kernel as the driver would get it, and some generated ones, without a GPU, so that
//! other tools can read them: `cargo run --release --example dump_wgsl -- FOLDER`.

use std::error::Error;
use std::path::{Path, PathBuf};

use semgan::device::{Kernel, kernel};
use semgan::ops::pointwise::{self, Expr};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: dump_wgsl FOLDER")?;
    let shaders = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let mut kernels = Vec::new();
    collect(&shaders, &shaders, &mut kernels)?;
    kernels.extend(generated());
    for kernel in kernels {
        let text = kernel::compose(&kernel)?;
        let path = PathBuf::from(&folder).join(format!("{}.wgsl", kernel.name));
        std::fs::create_dir_all(path.parent().ok_or("a file has a folder")?)?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

fn collect(folder: &Path, root: &Path, out: &mut Vec<Kernel>) -> Result<(), Box<dyn Error>> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("common") {
            collect(&path, root, out)?;
        } else if path.is_file() {
            let name = path.strip_prefix(root)?.with_extension("").display().to_string();
            let source = std::fs::read_to_string(&path)?;
            out.push(Kernel { name: name.into(), source: source.into() });
        }
    }
    Ok(())
}

/// Bias + noise + leaky ReLU + gain, and its derivative with respect to the first input.
fn generated() -> Vec<Kernel> {
    let [x, bias, noise, weight] = Expr::inputs();
    let y = (x + bias + noise * weight).leaky_relu(0.2) * 2f64.sqrt();
    let slope = y.diff(0).expect("depends on x");
    [y, slope].iter().flat_map(pointwise::kernels).collect()
}
