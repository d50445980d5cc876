//! AMD's GPUs, as the amdgpu driver shows them under `/sys`.

use super::{Driver, Gpu};
use crate::hot_file::read_word;
use crate::limits::GPUS_MAX;
use crate::root::Root;
use crate::sysfs::{entries, numbered};
use std::path::Path;

/// AMD's number among the makers of PCI devices.
const VENDOR: &str = "0x1002";

pub(super) struct Amd(pub(super) Root);

impl Driver for Amd {
    fn is_there(&self) -> bool {
        numbered(&self.0.path("sys/class/drm"), "card", GPUS_MAX).iter().any(|(_, card)| is_amd(card))
    }

    fn read(&mut self) -> Result<Vec<Gpu>, String> {
        let cards = numbered(&self.0.path("sys/class/drm"), "card", GPUS_MAX);
        Ok(cards.iter().filter(|(_, card)| is_amd(card)).map(|(_, card)| gpu(&card.join("device"))).collect())
    }
}

fn is_amd(card: &Path) -> bool {
    read_word(&card.join("device/vendor")).is_some_and(|v| v == VENDOR)
}

/// What one card tells; what it does not, or not in numbers, is not known.
fn gpu(device: &Path) -> Gpu {
    let word = |file: &str| read_word(&device.join(file));
    let number = |file: &str| word(file)?.parse::<u64>().ok();
    let sensors = entries(&device.join("hwmon"));
    let sensor = |files: &[&str]| {
        let word = sensors.iter().find_map(|s| files.iter().find_map(|f| read_word(&s.join(f))))?;
        word.parse::<f64>().ok().filter(|n| n.is_finite())
    };
    let model = word("product_name").or_else(|| Some(format!("AMD {}", word("device")?)));
    Gpu {
        model,
        busy: number("gpu_busy_percent").map(|p| (p as f64 / 100.0).min(1.0)),
        memory_used: number("mem_info_vram_used"),
        memory_total: number("mem_info_vram_total"),
        celsius: sensor(&["temp1_input"]).map(|t| t / 1e3),
        watts: sensor(&["power1_average", "power1_input"]).map(|p| p / 1e6),
        processes: None,
    }
}
