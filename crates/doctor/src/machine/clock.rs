//! Whether something keeps the kernel's clock right.

use std::io;

use nix::libc::{TIME_ERROR, adjtimex, timex};

use crate::Fact;

/// Asks the kernel whether a time service has set its clock lately (adjtimex(2)). Nothing is changed.
pub(super) fn is_synchronised() -> Fact<bool> {
    match state() {
        Ok(state) => Ok(state != TIME_ERROR),
        Err(fault) => Err(format!(
            "whether the clock is kept right ({fault}); timedatectl shows it"
        )),
    }
}

#[allow(unsafe_code, reason = "no library that we have has a safe call to adjtimex")]
fn state() -> io::Result<i32> {
    // SAFETY: `timex` is plain numbers, for which zero is a value. With no modes set, the kernel only writes to it.
    let state = unsafe {
        let mut question: timex = std::mem::zeroed();
        adjtimex(&mut question)
    };
    match state {
        -1 => Err(io::Error::last_os_error()),
        state => Ok(state),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers() {
        assert!(is_synchronised().is_ok(), "{:?}", is_synchronised());
    }
}
