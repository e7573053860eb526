//! By how much the number of instances of a service changes.

/// The number that an expression makes of another one: `@5` is 5, `+1` and `-2` add, `x0.75` multiplies and rounds up.
///
/// # Errors
///
/// What is wrong with the expression, and how it is written.
pub(super) fn scaled(count: u32, expression: &str) -> Result<u32, String> {
    let wrong = || format!("{expression:?} is no number of instances; write @5, +1, -2 or x0.75");
    let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
    if let Some(text) = expression.strip_prefix('@') {
        return number(text);
    }
    if let Some(text) = expression.strip_prefix('+') {
        return Ok(count.saturating_add(number(text)?));
    }
    if let Some(text) = expression.strip_prefix('-') {
        return Ok(count.saturating_sub(number(text)?));
    }
    let Some(text) = expression.strip_prefix('x') else {
        return number(expression);
    };
    let factor: f64 = text.parse().map_err(|_| wrong())?;
    let most = f64::from(orchestrator_service::MOST_INSTANCES);
    match (f64::from(count) * factor).ceil() {
        scaled if (0.0..=most).contains(&scaled) => format!("{scaled:.0}").parse().map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_expression_has_its_number() {
        for (expression, expected) in [
            ("@5", 5),
            ("+1", 5),
            ("-1", 3),
            ("-9", 0),
            ("x0.75", 3),
            ("x0.3", 2),
            ("7", 7),
        ] {
            assert_eq!(scaled(4, expression), Ok(expected), "{expression}");
        }
        for expression in ["", "@", "x", "x-1", "xNaN", "+-1", "five", "x1e9"] {
            assert!(scaled(4, expression).is_err(), "{expression}");
        }
    }
}
