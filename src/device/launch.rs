//! A request to run one kernel: its text, parameters, tensors and size.

use std::borrow::Cow;

use crate::tensor::Tensor;

/// A kernel's name and WGSL text (without the helpers that its `// uses:` line names).
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Path below `shaders/` without extension, or the label of a generated kernel.
    pub name: Cow<'static, str>,
    /// The text.
    pub source: Cow<'static, str>,
    /// Invocations of a subgroup, for a text that depends on them.
    pub subgroup: Option<u32>,
}

impl Kernel {
    /// A text under a name of its own.
    pub fn new(name: impl Into<Cow<'static, str>>, source: impl Into<Cow<'static, str>>) -> Self {
        Self { name: name.into(), source: source.into(), subgroup: None }
    }

    /// A text made for subgroups of this size.
    #[must_use]
    pub fn for_subgroups_of(self, size: u32) -> Self {
        Self { subgroup: Some(size), ..self }
    }
}

/// The kernel file of the given path below `shaders/`.
#[macro_export]
macro_rules! kernel {
    ($path:literal) => {
        $crate::device::Kernel::new(
            $path,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $path, ".wgsl")),
        )
    };
}

/// A value for a field of the kernel's `Params`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Param {
    /// For a `u32` field.
    U32(u32),
    /// For an `i32` field.
    I32(i32),
    /// For an `f32` field.
    F32(f32),
}

impl From<usize> for Param {
    /// # Panics
    /// Beyond 2³²: kernels index with 32 bits.
    fn from(value: usize) -> Self {
        Self::U32(u32::try_from(value).expect("a size beyond 32 bits"))
    }
}

impl From<i32> for Param {
    fn from(value: i32) -> Self {
        Self::I32(value)
    }
}

impl From<f64> for Param {
    fn from(value: f64) -> Self {
        Self::F32(value as f32)
    }
}

/// One dispatch. Tensors and parameters are bound by the names that the kernel gives them; the
/// loader refuses a launch whose names, types or count differ from the kernel's.
///
/// An invocation may go round its loops 65,535 times at most, all loops taken together: llvmpipe
/// silently leaves them then. Longer work is cut into parts that a second dispatch puts together.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What to run.
    pub kernel: Kernel,
    /// Values of the kernel's `override` constants that differ from their defaults.
    pub overrides: Vec<(&'static str, f64)>,
    /// Fields of the kernel's `Params`.
    pub params: Vec<(Cow<'static, str>, Param)>,
    /// Storage bindings; the ones declared `read_write` are outputs.
    pub buffers: Vec<(Cow<'static, str>, Tensor)>,
    /// Grid size.
    pub workgroups: [u32; 3],
    /// Floating-point operations, for the profile and the submit governor.
    pub flops: u64,
    /// Bytes read and written, where that is not all of every bound tensor.
    pub traffic: Option<u64>,
}

impl Launch {
    /// Rounds of all loops of one invocation that are safe everywhere.
    pub const MAX_ROUNDS: usize = 32_768;

    /// A launch of one workgroup without parameters.
    pub fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            overrides: Vec::new(),
            params: Vec::new(),
            buffers: Vec::new(),
            workgroups: [1, 1, 1],
            flops: 0,
            traffic: None,
        }
    }

    /// Sets a field of `Params`.
    #[must_use]
    pub fn param(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Param>) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }

    /// Sets a field of `Params` that the kernel divides by, and with it the fields `<name>_magic`
    /// and `<name>_shift` for `index_divide`: many times faster than the hardware's division.
    #[must_use]
    pub fn divisor(self, name: impl AsRef<str>, value: usize) -> Self {
        let (name, (magic, shift)) = (name.as_ref(), magic(value));
        self.param(name.to_owned(), value)
            .param(format!("{name}_magic"), magic as usize)
            .param(format!("{name}_shift"), shift as usize)
    }

    /// Binds a tensor.
    #[must_use]
    pub fn bind(mut self, name: impl Into<Cow<'static, str>>, tensor: &Tensor) -> Self {
        self.buffers.push((name.into(), tensor.detach()));
        self
    }

    /// Replaces an `override` constant.
    #[must_use]
    pub fn constant(mut self, name: &'static str, value: usize) -> Self {
        self.overrides.push((name, value as f64));
        self
    }

    /// Sets the grid.
    #[must_use]
    pub fn grid(mut self, workgroups: [u32; 3]) -> Self {
        self.workgroups = workgroups;
        self
    }

    /// One invocation for each of `n` elements, in workgroups of `width`: a 2-D grid that stays
    /// inside 65,535 workgroups per dimension. The kernel's index is
    /// `id.x + id.y * grid.x * width`.
    #[must_use]
    pub fn elements(self, n: usize, width: usize) -> Self {
        self.groups(n.div_ceil(width))
    }

    /// One workgroup for each of `n` items, as a 2-D grid: item `wg.x + wg.y * grid.x`.
    #[must_use]
    pub fn groups(self, n: usize) -> Self {
        const LIMIT: usize = 65_535;
        let y = n.div_ceil(LIMIT).max(1);
        let x = n.div_ceil(y).max(1);
        self.grid([x as u32, y as u32, 1])
    }

    /// States how often an invocation goes round its loops.
    ///
    /// # Panics
    /// When that is more than [`Launch::MAX_ROUNDS`].
    #[must_use]
    pub fn rounds(self, n: usize) -> Self {
        let name = &self.kernel.name;
        assert!(n <= Self::MAX_ROUNDS, "{name}: {n} rounds, {} at most", Self::MAX_ROUNDS);
        self
    }

    /// States how many bytes are read and written, where that is not all of every bound tensor.
    #[must_use]
    pub fn moving(mut self, bytes: u64) -> Self {
        self.traffic = Some(bytes);
        self
    }

    /// Bytes read and written.
    pub fn bytes(&self) -> u64 {
        let all = || self.buffers.iter().map(|(_, t)| t.numel() as u64 * t.dtype().bytes()).sum();
        self.traffic.unwrap_or_else(all)
    }
}

/// (magic, shift) with n / d = (n + ((n * magic) >> 32)) >> shift for every n below 2³¹.
fn magic(d: usize) -> (u32, u32) {
    assert!((1..1 << 31).contains(&d), "a size of {d} in a kernel");
    let power = d.next_power_of_two();
    let magic = ((power - d) as u64) * (1 << 32) / d as u64 + 1;
    (magic as u32, power.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use super::magic;

    #[test]
    fn magic_numbers_divide_exactly() {
        let divisors = (1..70).chain([255, 256, 257, 1009, 65_537, 12_345_678, (1 << 31) - 1]);
        for d in divisors {
            let (magic, shift) = magic(d);
            let quotient = |n: u64| (n + ((n * u64::from(magic)) >> 32)) >> shift;
            let d = d as u64;
            let multiples = (0..2000).map(|k| k * (((1 << 31) - 1) / d / 2000 + 1) * d);
            let around = multiples.flat_map(|n| [n.saturating_sub(1), n, n + 1]);
            for n in around.chain((1 << 31) - 2000..1 << 31).filter(|n| *n < 1 << 31) {
                assert_eq!(quotient(n), n / d, "{n} / {d}");
                assert!(n + ((n * u64::from(magic)) >> 32) < 1 << 32);
            }
        }
    }
}
