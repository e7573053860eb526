//! Which columns of a row are written.

/// Which columns of a row are written. The fewer they are, the less a renewal costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Touched {
    /// None.
    Nothing,
    /// The times of a lease, but not when it is due: it was extended, and is otherwise the same.
    Renewed,
    /// The same, and where its client is.
    Moved,
    /// The state of a lease, its times and when it is due: it ended.
    Ended,
    /// All of these, and what else a client says about its lease.
    Cut,
    /// All columns of an existing row.
    Everything,
    /// A new row.
    New,
}

impl Touched {
    /// What is written if both are to be.
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Ended, Self::Moved) | (Self::Moved, Self::Ended) => Self::Cut,
            (one, other) if one.rank() < other.rank() => other,
            (one, _) => one,
        }
    }

    /// A greater rank writes what the lower ones write, except that `Ended` says nothing of the place.
    const fn rank(self) -> u8 {
        match self {
            Self::Nothing => 0,
            Self::Renewed => 1,
            Self::Moved => 2,
            Self::Ended => 3,
            Self::Cut => 4,
            Self::Everything => 5,
            Self::New => 6,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Touched::{self, Cut, Ended, Everything, Moved, New, Nothing, Renewed};

    const ALL: [Touched; 7] = [Nothing, Renewed, Moved, Ended, Cut, Everything, New];

    /// The groups of columns that are written: times, place, end, the rest, the row.
    fn columns(touched: Touched) -> [bool; 5] {
        match touched {
            Nothing => [false; 5],
            Renewed => [true, false, false, false, false],
            Moved => [true, true, false, false, false],
            Ended => [true, false, true, false, false],
            Cut => [true, true, true, false, false],
            Everything => [true, true, true, true, false],
            New => [true; 5],
        }
    }

    #[test]
    fn both_are_written_and_nothing_else_whatever_comes_first() {
        for one in ALL {
            for other in ALL {
                let both = columns(one)
                    .into_iter()
                    .zip(columns(other))
                    .map(|(one, other)| one || other);
                let written = columns(one.and(other));
                assert!(both.eq(written), "{one:?} and {other:?}");
            }
        }
    }
}
