//! Pipelines and bind groups, made once and found again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::env;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lru::LruCache;

use super::kernel::{Interface, compose, reflect, validate};
use super::pool::GpuBuffer;
use super::tally::Tally;
use super::{Dtype, Kernel, Param};
use crate::{Error, Result};

/// Bind groups kept, the newest ones. A training step needs a thousand, the lazy phases another, and
/// the places where latents may cross over make several kinds of steps.
const MAX_GROUPS: NonZero<usize> = NonZero::new(6144).expect("not zero");

/// A kernel made for one set of `override` values.
#[derive(Debug)]
pub(super) struct Pipeline {
    id: usize,
    pub(super) name: Cow<'static, str>,
    pub(super) raw: wgpu::ComputePipeline,
    pub(super) interface: Interface,
    layout: wgpu::BindGroupLayout,
}

/// A range of a buffer under the name that the kernel gives it.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) name: &'a str,
    pub(super) buffer: &'a GpuBuffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) dtype: Dtype,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    kernel: Cow<'static, str>,
    subgroup: Option<u32>,
    overrides: Vec<(&'static str, u64)>,
}

/// A pipeline, and the buffer, offset and bytes of each of its bindings.
type GroupKey = (usize, Vec<(u64, u64, u64)>);

pub(super) struct Pipelines {
    device: wgpu::Device,
    tally: Arc<Tally>,
    dump: Option<PathBuf>,
    /// `None` for a kernel that was refused, so that its log is written once.
    made: HashMap<Key, Option<Arc<Pipeline>>>,
    groups: LruCache<GroupKey, wgpu::BindGroup>,
}

impl Pipelines {
    pub(super) fn new(device: &wgpu::Device, tally: &Arc<Tally>) -> Self {
        Self {
            device: device.clone(),
            tally: tally.clone(),
            dump: env::var_os("DUMP_WGSL").map(PathBuf::from),
            made: HashMap::new(),
            groups: LruCache::new(MAX_GROUPS),
        }
    }

    /// The pipeline of a kernel, compiled at its first use. `None` where it was refused before.
    pub(super) fn get(
        &mut self,
        kernel: &Kernel,
        overrides: &[(&'static str, f64)],
    ) -> Result<Option<Arc<Pipeline>>> {
        let mut sorted: Vec<_> = overrides.iter().map(|&(name, v)| (name, v.to_bits())).collect();
        sorted.sort_unstable();
        let (name, subgroup) = (kernel.name.clone(), kernel.subgroup);
        let key = Key { kernel: name, subgroup, overrides: sorted };
        if let Some(known) = self.made.get(&key) {
            return Ok(known.clone());
        }
        let made = self.make(kernel, overrides).map_err(|error| self.keep(kernel, error));
        let kept = made.as_ref().ok().cloned();
        self.made.insert(key, kept);
        made.map(Some)
    }

    fn make(&self, kernel: &Kernel, overrides: &[(&'static str, f64)]) -> Result<Arc<Pipeline>> {
        let text = compose(kernel)?;
        if let Some(folder) = &self.dump {
            dump(folder, kernel, &text)?;
        }
        let (module, _) = validate(kernel, &text)?;
        let interface = reflect(kernel, &module)?;
        Tally::count(&self.tally.pipelines);
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let layout = self.layout(kernel, &interface);
        let raw = self.compile(kernel, module, &layout, overrides);
        // Native drivers have answered by now: this does not wait.
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(Error::Shader { kernel: kernel.name.to_string(), log: error.to_string() });
        }
        let (id, name) = (self.made.len(), kernel.name.clone());
        Ok(Arc::new(Pipeline { id, name, raw, interface, layout }))
    }

    /// Keeps the text of a refused kernel for a report, and says where.
    fn keep(&self, kernel: &Kernel, error: Error) -> Error {
        let Error::Shader { kernel: name, log } = error else { return error };
        let folder = self.dump.clone().unwrap_or_else(|| env::temp_dir().join("semgan-refused"));
        let text = compose(kernel).unwrap_or_else(|_| kernel.source.to_string());
        let kept = match dump(&folder, kernel, &text) {
            Ok(path) => format!("its text is in {}", path.display()),
            Err(error) => error.to_string(),
        };
        Error::Shader { kernel: name, log: format!("{log}; {kept}") }
    }

    fn layout(&self, kernel: &Kernel, interface: &Interface) -> wgpu::BindGroupLayout {
        let entry = |binding, ty, has_dynamic_offset, min| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: min },
            count: None,
        };
        let params = NonZero::new(u64::from(interface.params_bytes))
            .map(|bytes| entry(0, wgpu::BufferBindingType::Uniform, true, Some(bytes)));
        let buffers = interface.buffers.iter().map(|b| {
            let ty = wgpu::BufferBindingType::Storage { read_only: !b.is_written };
            entry(b.number, ty, false, None)
        });
        let entries: Vec<_> = params.into_iter().chain(buffers).collect();
        self.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some(&kernel.name),
            entries: &entries,
        })
    }

    fn compile(
        &self,
        kernel: &Kernel,
        module: naga::Module,
        layout: &wgpu::BindGroupLayout,
        overrides: &[(&'static str, f64)],
    ) -> wgpu::ComputePipeline {
        let label = Some(&*kernel.name);
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            // Parsed already: for large kernels that takes as long as all the rest.
            source: wgpu::ShaderSource::Naga(Cow::Owned(module)),
        });
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(layout)],
            immediate_size: 0,
        });
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: overrides,
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        })
    }

    /// Lets go of every buffer that a bind group holds.
    pub(super) fn forget_groups(&mut self) {
        self.groups.clear();
    }

    /// The bind group of a pipeline over these ranges, in the order of the kernel's bindings.
    pub(super) fn group(
        &mut self,
        pipeline: &Pipeline,
        params: &wgpu::Buffer,
        bound: &[Bound],
    ) -> wgpu::BindGroup {
        let key = (pipeline.id, bound.iter().map(|b| (b.buffer.id, b.offset, b.bytes)).collect());
        if let Some(group) = self.groups.get(&key) {
            return group.clone();
        }
        Tally::count(&self.tally.bind_groups);
        let entry = |binding, buffer, offset, bytes| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer,
                offset,
                size: NonZero::new(bytes),
            }),
        };
        let params_bytes = u64::from(pipeline.interface.params_bytes);
        let params = (params_bytes > 0).then(|| entry(0, params, 0, params_bytes));
        let buffers = (pipeline.interface.buffers.iter().zip(bound))
            .map(|(b, bound)| entry(b.number, &bound.buffer.raw, bound.offset, bound.bytes));
        let entries: Vec<_> = params.into_iter().chain(buffers).collect();
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&pipeline.name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        self.groups.put(key, group.clone());
        self.tally.hold_groups(self.groups.len());
        group
    }
}

impl Pipeline {
    /// The ranges in the order of the kernel's bindings.
    ///
    /// # Panics
    /// When names, types or count differ from the kernel's, or one buffer is both read and written:
    /// mistakes in an operation's `launch`.
    pub(super) fn arrange<'a>(&self, bound: &[Bound<'a>]) -> Vec<Bound<'a>> {
        let wanted = &self.interface.buffers;
        let find = |name: &str| {
            let found = bound.iter().find(|b| b.name == name).copied();
            found.unwrap_or_else(|| panic!("{}: nothing is bound to `{name}`", self.name))
        };
        let arranged: Vec<Bound> = wanted.iter().map(|b| find(&b.name)).collect();
        if bound.len() != wanted.len() {
            let given: Vec<_> = bound.iter().map(|b| b.name).collect();
            panic!("{}: {given:?} are bound, the kernel has {wanted:?}", self.name);
        }
        for (b, have) in wanted.iter().zip(&arranged) {
            let (name, ours, theirs) = (&b.name, have.dtype, b.dtype);
            assert_eq!(ours, theirs, "{}: `{name}` has another type in the kernel", self.name);
            let clash = |(other, o): (&super::kernel::Binding, &Bound)| {
                o.buffer.id == have.buffer.id && other.is_written != b.is_written
            };
            let clashes = wanted.iter().zip(&arranged).any(clash);
            assert!(!clashes, "{}: `{name}` shares a buffer that is read and written", self.name);
        }
        arranged
    }

    /// The bytes of `Params`.
    ///
    /// # Panics
    /// When names, types or count differ from the kernel's.
    pub(super) fn encode(&self, values: &[(Cow<'static, str>, Param)], out: &mut Vec<u8>) {
        let fields = &self.interface.params;
        if values.len() != fields.len() {
            let given: Vec<_> = values.iter().map(|(name, _)| name).collect();
            let wanted: Vec<_> = fields.iter().map(|f| &f.name).collect();
            panic!("{}: params {given:?} are given, the kernel has {wanted:?}", self.name);
        }
        let start = out.len();
        out.resize(start + self.interface.params_bytes as usize, 0);
        for (k, field) in fields.iter().enumerate() {
            // Mostly given in the kernel's order.
            let in_order = (values[k].0 == field.name).then(|| &values[k]);
            let found = in_order.or_else(|| values.iter().find(|(name, _)| *name == field.name));
            let bytes = found.and_then(|(_, value)| field.encode(*value));
            let Some(bytes) = bytes else {
                panic!("{}: param `{}` is {found:?}: missing or mistyped", self.name, field.name);
            };
            let at = start + field.offset as usize;
            out[at..at + 4].copy_from_slice(&bytes);
        }
    }
}

/// Writes a final text to `<folder>/<name>.wgsl` for other validators to read.
fn dump(folder: &Path, kernel: &Kernel, text: &str) -> Result<PathBuf> {
    let path = folder.join(format!("{}.wgsl", kernel.name));
    let parent = path.parent().unwrap_or(folder);
    std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    std::fs::write(&path, text).map_err(Error::io("write", &path))?;
    Ok(path)
}
