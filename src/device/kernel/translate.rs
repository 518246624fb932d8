//! A kernel in the languages that the backends compile: SPIR-V for Vulkan, MSL for Metal, HLSL for
//! DX12, and GLSL, which is there for its validators.

use naga::back::{PipelineConstants, glsl, hlsl, msl, pipeline_constants, spv};
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy, IndexableLength, Layouter};
use naga::valid::ModuleInfo;
use naga::{AddressSpace, ArraySize, TypeInner};

use super::{compose, refused, validate};
use crate::Result;
use crate::device::Kernel;

/// Indices stay inside their arrays, as wgpu has it.
const POLICIES: BoundsCheckPolicies = BoundsCheckPolicies {
    index: BoundsCheckPolicy::Restrict,
    buffer: BoundsCheckPolicy::Restrict,
    image_load: BoundsCheckPolicy::Unchecked,
    binding_array: BoundsCheckPolicy::Unchecked,
};

/// A validated kernel whose `override` constants have their values.
#[derive(Debug)]
pub struct Specialised {
    /// The composed text, to which the module's places refer.
    pub text: String,
    /// What `main` reaches.
    pub module: naga::Module,
    /// Its types.
    pub info: ModuleInfo,
    kernel: Kernel,
}

/// Elements of an array; 0 where only a launch knows.
pub(super) fn length(module: &naga::Module, size: ArraySize) -> usize {
    match size.resolve(module.to_ctx()) {
        Ok(IndexableLength::Known(length)) => length as usize,
        _ => 0,
    }
}

impl Specialised {
    /// A kernel with these values; constants without one keep their default.
    ///
    /// # Errors
    /// When the text is refused, or has no constant of such a name.
    pub fn new(kernel: &Kernel, overrides: &[(&str, f64)]) -> Result<Self> {
        Self::composed(kernel, compose(kernel)?, overrides)
    }

    /// As [`Specialised::new`], of a text that [`compose`] gave.
    pub(super) fn composed(
        kernel: &Kernel,
        text: String,
        overrides: &[(&str, f64)],
    ) -> Result<Self> {
        let (module, info) = validate(kernel, &text)?;
        let values: PipelineConstants =
            overrides.iter().map(|&(name, value)| (name.to_string(), value)).collect();
        let (module, info) = pipeline_constants::process_overrides(&module, &info, None, &values)
            .map(|(module, info)| (module.into_owned(), info.into_owned()))
            .map_err(|e| refused(kernel, e.to_string()))?;
        Ok(Self { text, module, info, kernel: kernel.clone() })
    }

    /// Bytes of workgroup memory, to be held against the portable 16 KiB.
    pub fn workgroup_bytes(&self) -> u32 {
        let module = &self.module;
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).expect("a valid module");
        let bytes = |ty| match module.types[ty].inner {
            // To naga an array whose length is an `override` has one element.
            TypeInner::Array { size, stride, .. } => length(module, size) as u32 * stride,
            _ => layouter[ty].size,
        };
        let globals = module.global_variables.iter().map(|(_, variable)| variable);
        globals.filter(|v| v.space == AddressSpace::WorkGroup).map(|v| bytes(v.ty)).sum()
    }

    /// For Vulkan 1.1.
    ///
    /// # Errors
    /// When the language cannot say it.
    pub fn spirv(&self) -> Result<Vec<u32>> {
        let options = spv::Options {
            lang_version: (1, 3),
            bounds_check_policies: POLICIES,
            zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
            ..spv::Options::default()
        };
        spv::write_vec(&self.module, &self.info, &options, None)
            .map_err(|e| refused(&self.kernel, format!("SPIR-V: {e}")))
    }

    /// For Metal.
    ///
    /// # Errors
    /// When the language cannot say it.
    pub fn msl(&self) -> Result<String> {
        let options = msl::Options {
            fake_missing_bindings: true,
            bounds_check_policies: POLICIES,
            zero_initialize_workgroup_memory: false,
            ..msl::Options::default()
        };
        msl::write_string(&self.module, &self.info, &options, &msl::PipelineOptions::default())
            .map(|(text, _)| text)
            .map_err(|e| refused(&self.kernel, format!("MSL: {e}")))
    }

    /// For DX12, shader model 6.0.
    ///
    /// # Errors
    /// When the language cannot say it.
    pub fn hlsl(&self) -> Result<String> {
        let options = hlsl::Options {
            shader_model: hlsl::ShaderModel::V6_0,
            zero_initialize_workgroup_memory: false,
            ..hlsl::Options::default()
        };
        let pipeline = hlsl::PipelineOptions::default();
        let mut out = String::new();
        hlsl::Writer::new(&mut out, &options, &pipeline)
            .write(&self.module, &self.info, None)
            .map_err(|e| refused(&self.kernel, format!("HLSL: {e}")))?;
        Ok(out)
    }

    /// For OpenGL ES 3.1.
    ///
    /// # Errors
    /// When the language cannot say it.
    pub fn glsl(&self) -> Result<String> {
        let options = glsl::Options {
            version: glsl::Version::new_gles(310),
            zero_initialize_workgroup_memory: false,
            ..glsl::Options::default()
        };
        let pipeline = glsl::PipelineOptions {
            shader_stage: naga::ShaderStage::Compute,
            entry_point: "main".into(),
            multiview: None,
        };
        let mut out = String::new();
        glsl::Writer::new(&mut out, &self.module, &self.info, &options, &pipeline, POLICIES)
            .and_then(|mut writer| writer.write())
            .map_err(|e| refused(&self.kernel, format!("GLSL: {e}")))?;
        Ok(out)
    }
}
