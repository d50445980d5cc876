//! NVIDIA's GPUs, through the driver's own library (NVML), which is loaded when there is a driver.

use super::{Driver, Gpu, Holder};
use crate::limits::{GPU_PROCESSES_MAX, GPUS_MAX};
use crate::root::Root;
use nvml_wrapper::enum_wrappers::device::TemperatureSensor;
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};
use std::ffi::OsStr;

/// The name that comes with the driver; the one without a number comes with the compiler only.
const LIBRARY: &str = "libnvidia-ml.so.1";
/// What shows that there is a driver; the last is Windows' way of lending a GPU to Linux.
const MARKS: [&str; 3] = ["proc/driver/nvidia/version", "dev/nvidiactl", "dev/dxg"];

pub(super) struct Nvidia {
    root: Root,
    nvml: Option<Nvml>,
}

impl Nvidia {
    pub(super) fn new(root: Root) -> Self {
        Nvidia { root, nvml: None }
    }
}

impl Driver for Nvidia {
    fn is_there(&self) -> bool {
        self.root.is_host() && MARKS.iter().any(|m| self.root.path(m).exists())
    }

    fn read(&mut self) -> Result<Vec<Gpu>, String> {
        let library = match &self.nvml {
            Some(l) => l,
            None => {
                let opened = Nvml::builder().lib_path(OsStr::new(LIBRARY)).init();
                // A container may have the driver's files without its library: there is nothing to tell.
                match opened {
                    Err(NvmlError::LibloadingError(_) | NvmlError::DriverNotLoaded | NvmlError::LibraryNotFound) => {
                        return Ok(Vec::new());
                    }
                    opened => self.nvml.insert(opened.map_err(|e| format!("{LIBRARY}: {e}"))?),
                }
            }
        };
        let told = read_all(library);
        // After a driver's update or a lost GPU the library must be begun anew.
        if told.is_err() {
            self.nvml = None;
        }
        told.map_err(|e| format!("{LIBRARY}: {e}"))
    }
}

fn read_all(library: &Nvml) -> Result<Vec<Gpu>, NvmlError> {
    let count = library.device_count()?.min(GPUS_MAX as u32);
    // One GPU that fell off its bus hides no other.
    Ok((0..count).map(|i| library.device_by_index(i).map(|d| gpu(&d)).unwrap_or_default()).collect())
}

/// What one GPU tells. Parts of one (MIG) and older ones do not tell everything.
fn gpu(device: &Device<'_>) -> Gpu {
    let memory = device.memory_info().ok();
    let processes = [device.running_compute_processes(), device.running_graphics_processes()];
    let known = processes.iter().any(Result::is_ok);
    let holders = processes.into_iter().flatten().flatten().take(GPU_PROCESSES_MAX).map(|p| holder(&p)).collect();
    Gpu {
        model: device.name().ok(),
        busy: device.utilization_rates().ok().map(|u| (f64::from(u.gpu) / 100.0).min(1.0)),
        memory_used: memory.as_ref().map(|m| m.used),
        memory_total: memory.as_ref().map(|m| m.total),
        celsius: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        watts: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
        processes: known.then_some(holders),
    }
}

fn holder(p: &ProcessInfo) -> Holder {
    let memory = match p.used_gpu_memory {
        UsedGpuMemory::Used(bytes) => Some(bytes),
        UsedGpuMemory::Unavailable => None,
    };
    Holder { pid: p.pid, memory }
}
