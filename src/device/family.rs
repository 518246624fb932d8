//! Which form of the heavy kernels (matrix products and convolutions) a device gets.

use std::fmt;

use serde::Serialize;

use super::Device;

/// A form of the heavy kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Tiles in workgroup memory: for GPUs, whose invocations share it at no cost.
    Tiles,
    /// Tiles in registers, weights spread by subgroup broadcasts: for processors that pretend to be
    /// GPUs, where barriers and loads are dear.
    Subgroup {
        /// Invocations of a subgroup.
        size: u32,
    },
}

impl Family {
    /// The form that a GPU runs.
    pub(crate) fn of(device: &Device) -> Self {
        let Device::Gpu(gpu) = device else { unreachable!("only GPUs launch kernels") };
        gpu.family()
    }

    /// The table: software drivers whose subgroups have one size, a part of a tile's 32 channels,
    /// get the second form. Not those of 4: SwiftShader does not come back from kernels so long.
    pub(super) fn choose(kind: wgpu::DeviceType, subgroup_sizes: Option<(u32, u32)>) -> Self {
        match (kind, subgroup_sizes) {
            (wgpu::DeviceType::Cpu, Some((size @ (8 | 16 | 32), most))) if size == most => {
                Self::Subgroup { size }
            }
            _ => Self::Tiles,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tiles => f.write_str("workgroup tiles"),
            Self::Subgroup { size } => write!(f, "register tiles, subgroups of {size}"),
        }
    }
}
