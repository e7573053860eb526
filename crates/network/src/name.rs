//! The names and aliases that the kernel accepts for an interface.

/// Longest name in bytes: `IFNAMSIZ` less its terminator.
const NAME_MAX: usize = 15;

/// Longest alias in bytes: `IFALIASZ` less its terminator.
const ALIAS_MAX: usize = 255;

/// Says what is wrong with the name of an interface.
///
/// Stricter than the kernel in one thing: `%` would make it choose a name of its own.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let refused = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | ':' | '%');
    match name {
        "" | "." | ".." => Err(format!("{name:?} is no name for an interface")),
        _ if name.len() > NAME_MAX => Err(format!("the name {name:?} is longer than {NAME_MAX} bytes")),
        _ if name.contains(refused) => Err(format!("the name {name:?} holds a character the kernel refuses")),
        _ => Ok(()),
    }
}

/// Says what is wrong with an alias that is to serve as our mark.
pub(crate) fn check_mark(mark: &str) -> Result<(), String> {
    match mark.len() {
        0 => Err("its mark is empty, so nobody could find it again".into()),
        1..=ALIAS_MAX => Ok(()),
        _ => Err(format!("its mark is longer than {ALIAS_MAX} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_kernel_takes() {
        for name in ["br0", "eth1", "o-0123456789abc", "a.b_c-d@e"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_the_kernel_refuses() {
        for name in ["", ".", "..", "0123456789abcdef", "a b", "a/b", "a:b", "veth%d", "a\nb"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_mark_has_bounds() {
        assert!(check_mark("").is_err());
        assert!(check_mark(&"m".repeat(255)).is_ok());
        assert!(check_mark(&"m".repeat(256)).is_err());
    }
}
