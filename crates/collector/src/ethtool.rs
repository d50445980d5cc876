//! What a network interface's driver says of itself, through the one system call that has it all.

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

/// Asks the host's kernel; `None` if there is no such interface or its driver does not answer such questions.
pub(crate) fn driver_info(interface: &str) -> Option<DriverInfo> {
    let name = interface.as_bytes();
    if name.is_empty() || name.len() >= NAME_BYTES {
        return None;
    }
    let mut request = Request { name: [0; NAME_BYTES], data: std::ptr::null_mut(), rest: [0; 16] };
    request.name[..name.len()].copy_from_slice(name);
    let answer = Answer { command: GET_DRIVER_INFO, ..Answer::EMPTY };
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).ok()?;
    let got = call(&socket, Question { request, answer }).ok()?;
    Some(DriverInfo { driver: text(&got.driver), version: text(&got.version), firmware: text(&got.firmware) })
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let text = String::from_utf8_lossy(&bytes[..end]).trim().to_string();
    if text == "N/A" { String::new() } else { text }
}

const NAME_BYTES: usize = 16;
const ETHTOOL: Opcode = 0x8946;
const GET_DRIVER_INFO: u32 = 3;

/// The kernel's `struct ifreq` with a pointer in its union, which has 24 bytes.
#[repr(C)]
struct Request {
    name: [u8; NAME_BYTES],
    data: *mut Answer,
    rest: [u8; 16],
}

/// The kernel's `struct ethtool_drvinfo`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Answer {
    command: u32,
    driver: [u8; 32],
    version: [u8; 32],
    firmware: [u8; 32],
    bus: [u8; 32],
    expansion_rom: [u8; 32],
    reserved: [u8; 12],
    counts: [u32; 5],
}

impl Answer {
    const EMPTY: Answer = Answer {
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

/// The request with the place for its answer.
struct Question {
    request: Request,
    answer: Answer,
}

// SAFETY: SIOCETHTOOL reads a `struct ifreq` whose data points to a structure that begins with the command. With
// ETHTOOL_GDRVINFO the kernel reads and writes `sizeof(struct ethtool_drvinfo)` = 196 bytes there, which is `Answer`'s size
// (asserted below). `as_ptr` points the request to the answer beside it; rustix calls it right before the system call and
// moves neither in between. Any bytes are a valid `Answer`.
#[allow(unsafe_code)]
unsafe impl Ioctl for Question {
    type Output = Answer;
    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        ETHTOOL
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.request.data = &raw mut self.answer;
        (&raw mut self.request).cast()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, request: *mut c_void) -> rustix::io::Result<Answer> {
        // SAFETY: rustix passes what `as_ptr` gave, so it points to a `Request` whose data still points to its `Answer`.
        Ok(unsafe { *(*request.cast::<Request>()).data })
    }
}

const _: () = assert!(size_of::<Answer>() == 196 && size_of::<Request>() >= 32);

#[allow(unsafe_code)]
fn call(socket: &impl std::os::fd::AsFd, question: Question) -> rustix::io::Result<Answer> {
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
        }
    }

    #[test]
    fn texts_end_at_their_zero() {
        assert_eq!(text(b"e1000e\0\0junk"), "e1000e");
        assert_eq!(text(b"N/A\0"), "");
        assert_eq!(text(b"full"), "full");
    }
}
