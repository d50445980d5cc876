//! What a network interface's driver says of itself and its rings, through the one system call that has it all.

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};
use rustix::net::{AddressFamily, SocketType, socket};
use std::ffi::c_void;

/// A driver, its version and its device's firmware; empty where the driver tells nothing.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct DriverInfo {
    pub(crate) driver: String,
    pub(crate) version: String,
    pub(crate) firmware: String,
}

/// Places for packets between a driver and its device, now and at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rings {
    pub(crate) rx: u32,
    pub(crate) rx_max: u32,
    pub(crate) tx: u32,
    pub(crate) tx_max: u32,
}

/// Asks the host's kernel; `None` if there is no such interface or its driver does not answer such questions.
pub(crate) fn driver_info(interface: &str) -> Option<DriverInfo> {
    let got = ask(interface, DriverAnswer { command: GET_DRIVER_INFO, ..DriverAnswer::EMPTY })?;
    Some(DriverInfo { driver: text(&got.driver), version: text(&got.version), firmware: text(&got.firmware) })
}

/// Asks the host's kernel; `None` if there is no such interface or it has no rings.
pub(crate) fn rings(interface: &str) -> Option<Rings> {
    let got = ask(interface, RingAnswer { command: GET_RINGS, ..RingAnswer::default() })?;
    Some(Rings { rx: got.rx, rx_max: got.rx_max, tx: got.tx, tx_max: got.tx_max })
}

fn ask<A: Answer>(interface: &str, answer: A) -> Option<A> {
    let name = interface.as_bytes();
    if name.is_empty() || name.len() >= NAME_BYTES {
        return None;
    }
    let mut request = Request { name: [0; NAME_BYTES], data: std::ptr::null_mut(), rest: [0; 16] };
    request.name[..name.len()].copy_from_slice(name);
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).ok()?;
    call(&socket, Question { request, answer }).ok()
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]).trim().to_string();
    if text == "N/A" { String::new() } else { text }
}

const NAME_BYTES: usize = 16;
const ETHTOOL: Opcode = 0x8946;
const GET_DRIVER_INFO: u32 = 3;
const GET_RINGS: u32 = 0x10;

/// The kernel's `struct ifreq` with a pointer in its union, which has 24 bytes.
#[repr(C)]
struct Request {
    name: [u8; NAME_BYTES],
    data: *mut c_void,
    rest: [u8; 16],
}

/// The kernel's `struct ethtool_drvinfo`.
#[repr(C)]
#[derive(Clone, Copy)]
struct DriverAnswer {
    command: u32,
    driver: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    bus: [u8; 32],
    expansion_rom: [u8; 32],
    reserved: [u8; 12],
    counts: [u32; 5],
}

impl DriverAnswer {
    const EMPTY: DriverAnswer = DriverAnswer {
        command: 0,
        driver: [0; 32],
        version: [0; 32],
        firmware: [0; 32],
        bus: [0; 32],
        expansion_rom: [0; 32],
        reserved: [0; 12],
        counts: [0; 5],
    };
}

/// The kernel's `struct ethtool_ringparam`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct RingAnswer {
    command: u32,
    rx_max: u32,
    rx_mini_max: u32,
    rx_jumbo_max: u32,
    tx_max: u32,
    rx: u32,
    rx_mini: u32,
    rx_jumbo: u32,
    tx: u32,
}

/// What the kernel reads the command from and writes its answer to.
///
/// # Safety
/// It begins with the command, is as large as the kernel's structure of that command, and any bytes are a valid one.
#[allow(unsafe_code)]
unsafe trait Answer: Copy {}

// SAFETY: the layouts are the kernel's, their sizes are asserted below, and they consist of whole numbers.
#[allow(unsafe_code)]
unsafe impl Answer for DriverAnswer {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Answer for RingAnswer {}

const _: () = assert!(size_of::<DriverAnswer>() == 196 && size_of::<RingAnswer>() == 36 && size_of::<Request>() >= 32);

/// The request with the place for its answer.
struct Question<A> {
    request: Request,
    answer: A,
}

// SAFETY: SIOCETHTOOL reads a `struct ifreq` whose data points to a structure that begins with the command, and writes at most
// that command's structure there, which `A` is. `as_ptr` points the request to the answer beside it; rustix calls it right
// before the system call and moves neither in between.
#[allow(unsafe_code)]
unsafe impl<A: Answer> Ioctl for Question<A> {
    type Output = A;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        ETHTOOL
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.request.data = (&raw mut self.answer).cast();
        (&raw mut self.request).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, request: *mut c_void) -> rustix::io::Result<A> {
        // SAFETY: rustix passes what `as_ptr` gave, so it points to a `Request` whose data still points to its `A`.
        Ok(unsafe { *(*request.cast::<Request>()).data.cast::<A>() })
    }
}

#[allow(unsafe_code)]
fn call<A: Answer>(socket: &impl std::os::fd::AsFd, question: Question<A>) -> rustix::io::Result<A> {
    // SAFETY: `Question` is a correct description of this call, see above.
    unsafe { ioctl(socket, question) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_names_have_no_driver() {
        for name in ["", "no-such-nic", "a-name-far-too-long-for-linux"] {
            assert_eq!(driver_info(name), None, "{name}");
            assert_eq!(rings(name), None, "{name}");
        }
    }

    #[test]
    fn texts_end_at_their_zero() {
        assert_eq!(text(b"e1000e\0\0junk"), "e1000e");
        assert_eq!(text(b"N/A\0"), "");
        assert_eq!(text(b"full"), "full");
    }
}
