//! `upgradeStrategy`: shares of the instances, as a number that is replaced at once.

use serde_json::Value as Json;

use super::Converted;

/// The largest number that is replaced at once.
const MOST: f64 = 100.0;

pub(super) fn convert(strategy: &Json, instances: Option<&Json>, out: &mut Converted) {
    let path = "upgradeStrategy";
    out.unknown_in(path, strategy, &["minimumHealthCapacity", "maximumOverCapacity"]);
    let mut share = |key: &str| {
        let Some(value) = strategy.get(key) else { return 1.0 };
        let number = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
        if number.is_none() {
            out.warn(&format!("{path}.{key}"), "is no number from 0 to 1; 1 is taken");
        }
        number.unwrap_or(1.0)
    };
    let (healthy, over) = (share("minimumHealthCapacity"), share("maximumOverCapacity"));
    let count = instances.and_then(Json::as_f64).unwrap_or(1.0);
    // Nothing may be over: then the old ones have to stop first, as many as may be missing.
    let (order, at_once) = match over == 0.0 && healthy < 1.0 {
        true => ("stop-first", (count * (1.0 - healthy)).floor()),
        false => ("start-first", (count * over).floor()),
    };
    let at_once = at_once.clamp(1.0, MOST);
    out.put_in("strategy", "order", order);
    let whole: Result<u32, _> = format!("{at_once:.0}").parse();
    out.put_in("strategy", "surge", whole.unwrap_or(1));
}
