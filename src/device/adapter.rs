//! Which adapters there are, and which one a `--device` string means.

use serde::Serialize;

use super::Device;
use super::family::Family;
use super::gpu::Gpu;
use crate::{Error, Result};

/// What `semgan devices` prints about an adapter.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AdapterReport {
    /// Number for `--device gpu:N`.
    pub index: usize,
    /// The driver's name for it.
    pub name: String,
    /// vulkan, metal or dx12.
    pub backend: String,
    /// discrete, integrated, virtual, software or other.
    pub device_type: &'static str,
    /// Driver and its version.
    pub driver: String,
    /// Largest tensor that a kernel can bind.
    pub max_binding_bytes: u64,
    /// Largest buffer.
    pub max_buffer_bytes: u64,
    /// Memory of its own; `None` where the driver does not tell.
    pub memory_bytes: Option<u64>,
    /// Invocations of one workgroup.
    pub max_workgroup_invocations: u32,
    /// Memory of one workgroup.
    pub max_workgroup_bytes: u32,
    /// 16-bit floating point in kernels.
    pub has_f16: bool,
    /// Subgroup operations, with the smallest and largest size.
    pub subgroup_sizes: Option<(u32, u32)>,
    /// Cooperative-matrix configurations that the driver lists.
    pub cooperative_matrices: usize,
    /// Time stamps on the device.
    pub has_timestamps: bool,
    /// Family of the heavy kernels that it gets.
    pub kernels: Family,
    /// Whether `--device auto` takes it.
    pub is_auto: bool,
}

impl AdapterReport {
    fn new(index: usize, adapter: &wgpu::Adapter) -> Self {
        let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
        let has = |feature| features.contains(feature);
        let sizes = (info.subgroup_min_size, info.subgroup_max_size);
        let subgroup_sizes = has(wgpu::Features::SUBGROUP).then_some(sizes);
        Self {
            index,
            backend: info.backend.to_str().to_owned(),
            device_type: device_type(info.device_type),
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            name: info.name,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            memory_bytes: memory_bytes(adapter),
            max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            has_f16: has(wgpu::Features::SHADER_F16),
            subgroup_sizes,
            cooperative_matrices: adapter.cooperative_matrix_properties().len(),
            has_timestamps: has(wgpu::Features::TIMESTAMP_QUERY),
            kernels: Family::choose(info.device_type, subgroup_sizes),
            is_auto: false,
        }
    }

    /// Whether the "GPU" is a program on the CPU.
    pub fn is_software(&self) -> bool {
        self.device_type == "software"
    }

    /// Smaller is better; `auto` takes the first two only.
    fn rank(&self) -> usize {
        let order = ["discrete", "integrated", "virtual", "other", "software"];
        order.iter().position(|t| *t == self.device_type).unwrap_or(order.len())
    }

    fn matches(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.name.to_lowercase().contains(&text) || self.backend.contains(&text)
    }

    fn title(&self) -> String {
        format!("{} ({}, {})", self.name, self.backend, self.device_type)
    }
}

/// Size of the heaps that Vulkan calls local to the device.
#[cfg(any(windows, target_os = "linux", target_os = "android"))]
fn memory_bytes(adapter: &wgpu::Adapter) -> Option<u64> {
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the adapter is not used for anything that wgpu does not know of, and outlives this.
    let properties = unsafe {
        let adapter = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = adapter.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(adapter.raw_physical_device())
    };
    let heaps = &properties.memory_heaps[..properties.memory_heap_count as usize];
    let local = heaps.iter().filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0);
    Some(local.map(|heap| heap.size).sum())
}

/// wgpu does not tell.
#[cfg(not(any(windows, target_os = "linux", target_os = "android")))]
fn memory_bytes(_adapter: &wgpu::Adapter) -> Option<u64> {
    None
}

fn device_type(kind: wgpu::DeviceType) -> &'static str {
    match kind {
        wgpu::DeviceType::DiscreteGpu => "discrete",
        wgpu::DeviceType::IntegratedGpu => "integrated",
        wgpu::DeviceType::VirtualGpu => "virtual",
        wgpu::DeviceType::Cpu => "software",
        wgpu::DeviceType::Other => "other",
    }
}

/// Every adapter, in the order that `--device gpu:N` counts.
pub fn adapters() -> Vec<AdapterReport> {
    find().into_iter().map(|(report, _)| report).collect()
}

fn find() -> Vec<(AdapterReport, wgpu::Adapter)> {
    let instance =
        wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let found = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let mut found: Vec<_> = found
        .into_iter()
        .enumerate()
        .map(|(index, adapter)| (AdapterReport::new(index, &adapter), adapter))
        .collect();
    let best = found.iter_mut().map(|(report, _)| report).min_by_key(|report| report.rank());
    if let Some(best) = best {
        best.is_auto = best.rank() < 2;
    }
    found
}

const FORMS: &str = "auto, cpu, reference, gpu, gpu:N with a number that `semgan devices` lists, or \
                     gpu:NAME with part of an adapter's or a backend's name";

const ADVICE: &str = "install a Vulkan driver (on Debian or Ubuntu `apt-get install \
                      mesa-vulkan-drivers`, which also brings a software one), or use --device cpu";

impl Device {
    /// The device that a `--device` string means, and one sentence that says why it is this one.
    ///
    /// # Errors
    /// [`Error::Config`] where the string has no meaning, [`Error::NoAdapter`] where no adapter
    /// fits it, [`Error::Device`] where the driver refuses to open the adapter.
    pub fn select(wanted: &str) -> Result<(Self, String)> {
        match wanted.split_once(':').unwrap_or((wanted, "")) {
            ("cpu", "") => Ok((Self::cpu(), "device cpu: as asked".into())),
            ("reference", "") => Ok((Self::reference(), "device reference: as asked".into())),
            ("auto", "") => auto(find()),
            ("gpu", "") if wanted == "gpu" => {
                let best = find().into_iter().min_by_key(|(report, _)| report.rank());
                open(best, wanted, "the best of the adapters")
            }
            ("gpu", which) if !which.is_empty() => named(which, wanted),
            _ => {
                let reason = format!("`{wanted}` is no device; accepted: {FORMS}");
                Err(Error::config("--device", reason))
            }
        }
    }
}

fn auto(found: Vec<(AdapterReport, wgpu::Adapter)>) -> Result<(Device, String)> {
    let names: Vec<String> = found.iter().map(|(report, _)| report.title()).collect();
    match found.into_iter().find(|(report, _)| report.is_auto) {
        Some(best) => {
            let title = best.0.title();
            let on_cpu = |e| (Device::cpu(), format!("device cpu: {title} does not open: {e}"));
            Ok(open(Some(best), "auto", "the best of the adapters").unwrap_or_else(on_cpu))
        }
        None if names.is_empty() => {
            Ok((Device::cpu(), "device cpu: no Vulkan, Metal or DX12 adapter was found".into()))
        }
        None => {
            let names = names.join(", ");
            Ok((Device::cpu(), format!("device cpu: the only adapters are no real GPUs: {names}")))
        }
    }
}

fn named(which: &str, wanted: &str) -> Result<(Device, String)> {
    let mut found = find();
    let names: Vec<String> =
        found.iter().map(|(r, _)| format!("{} {}", r.index, r.title())).collect();
    found.retain(|(report, _)| match which.parse::<usize>() {
        Ok(index) => report.index == index,
        Err(_) => report.matches(which),
    });
    let best = found.into_iter().min_by_key(|(report, _)| report.rank());
    if best.is_none() && !names.is_empty() {
        let reason = format!("no adapter fits; there are: {}", names.join(", "));
        return Err(Error::NoAdapter { wanted: wanted.into(), reason });
    }
    open(best, wanted, "as asked")
}

fn open(
    found: Option<(AdapterReport, wgpu::Adapter)>,
    wanted: &str,
    why: &str,
) -> Result<(Device, String)> {
    let Some((report, adapter)) = found else {
        let reason = format!("no Vulkan, Metal or DX12 adapter was found: {ADVICE}");
        return Err(Error::NoAdapter { wanted: wanted.into(), reason });
    };
    let sentence = format!("device gpu:{} {}: {why}", report.index, report.title());
    Ok((Device::Gpu(Gpu::open(&adapter, report)?), sentence))
}
