//! Arrays that other programs write: `.npy`, and safetensors without a description of ours.

use std::path::Path;

use npyz::{NpyFile, Order, WriterBuilder};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use super::tensors;
use crate::files::{self, create_atomically};
use crate::nn::Values;
use crate::tensor::Shape;
use crate::{Error, Result};

/// What a `.npy` file begins with.
const NPY: &[u8] = b"\x93NUMPY";

/// The arrays of a safetensors file by name, or the one of a `.npy` file under an empty name.
///
/// # Errors
/// When it cannot be read, is neither, is cut off, or holds other than finite real numbers.
pub fn read_arrays(path: &Path) -> Result<Values> {
    let bytes = files::map(path)?;
    let broken = |reason: String| Error::checkpoint(path, reason);
    if bytes.starts_with(NPY) {
        let (shape, values) = read_npy(&bytes).map_err(broken)?;
        if let Some(k) = values.iter().position(|v| !v.is_finite()) {
            return Err(broken(format!("element {k} is {}, which is not finite", values[k])));
        }
        return Ok([(String::new(), (shape, values))].into());
    }
    let unreadable = |e| broken(format!("neither a .npy nor a complete safetensors file ({e})"));
    tensors(path, &SafeTensors::deserialize(&bytes).map_err(unreadable)?)
}

/// Type and shape of the arrays of a safetensors or `.npy` file, in words.
///
/// # Errors
/// When it is neither, or cut off.
pub fn shapes(path: &Path) -> Result<Vec<(String, String)>> {
    let bytes = files::map(path)?;
    let broken = |reason: String| Error::checkpoint(path, reason);
    if bytes.starts_with(NPY) {
        let (shape, _) = read_npy(&bytes).map_err(broken)?;
        return Ok(vec![("array".into(), format!("{shape:?}"))]);
    }
    let unreadable = |e| broken(format!("neither a .npy nor a complete safetensors file ({e})"));
    let file = SafeTensors::deserialize(&bytes).map_err(unreadable)?;
    let shown = |(name, view): (&str, TensorView)| {
        (name.to_owned(), format!("{:?} {:?}", view.dtype(), view.shape()))
    };
    let mut shapes: Vec<_> = file.iter().map(shown).collect();
    shapes.sort();
    Ok(shapes)
}

/// Writes a `.npy` file of float32.
///
/// # Errors
/// When the system refuses.
pub fn write_npy(path: &Path, shape: &Shape, values: &[f32]) -> Result<()> {
    let sides: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
    create_atomically(path, |file| {
        let options = npyz::WriteOptions::new().default_dtype().shape(&sides);
        let mut writer = options.writer(std::io::BufWriter::new(file)).begin_nd()?;
        writer.extend(values.iter().copied())?;
        writer.finish()
    })
}

/// Shape and numbers; the error says in words what is wrong.
fn read_npy(bytes: &[u8]) -> Result<(Shape, Vec<f32>), String> {
    let mut rest = bytes;
    let file = NpyFile::new(&mut rest).map_err(|e| format!("not a complete .npy file ({e})"))?;
    let header = file.header().clone();
    if header.order() == Order::Fortran && header.shape().len() > 1 {
        return Err("in the order of Fortran; numpy.ascontiguousarray changes that".into());
    }
    let type_name = header.dtype().descr();
    let size = header.dtype().num_bytes().unwrap_or(0);
    let wanted = header.shape().iter().try_fold(size, |n, &side| n.checked_mul(side as usize));
    let wrong_type = || format!("holds {type_name}, not float32 or float64");
    let data = file.into_inner();
    if wanted != Some(data.len()) {
        let shape = header.shape();
        return Err(format!("cut off: {} bytes for {type_name} of shape {shape:?}", data.len()));
    }
    let file = NpyFile::with_header(header.clone(), &**data);
    let values: std::io::Result<Vec<f32>> = match file.try_data::<f32>() {
        Ok(values) => values.collect(),
        Err(file) => match file.try_data::<f64>() {
            Ok(values) => values.map(|v| v.map(|v| v as f32)).collect(),
            Err(_) => return Err(wrong_type()),
        },
    };
    let shape: Vec<usize> = header.shape().iter().map(|&n| n as usize).collect();
    Ok((Shape::from(shape.as_slice()), values.map_err(|e| e.to_string())?))
}
