//! How pages are drawn: for phones first, light or dark as the device is.

/// The style of all pages.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1e24;--soft:#545d69;--paper:#f3f5f8;--card:#ffffff;--line:#d5dbe3;--accent:#0b57d0;\
--on:#ffffff;--good:#116329;--warn:#8a4600;--danger:#b3261e}\
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a9b1bd;--paper:#12151a;--card:#1c2128;--line:#39414c;\
--accent:#8ab4f8;--on:#10141a;--good:#7ee2a0;--warn:#ffb870;--danger:#ff9d94}}\
*{box-sizing:border-box}\
html{-webkit-text-size-adjust:100%}\
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\
\"Noto Sans\",sans-serif;padding:clamp(1.25rem,6vh,4rem) 1rem 3rem}\
main{max-width:34rem;margin:0 auto}\
h1{font-size:1.75rem;line-height:1.2;letter-spacing:-.01em;margin:0 0 1.25rem}\
h2{font-size:1.125rem;line-height:1.3;margin:0 0 .375rem}\
.card{background:var(--card);border:1px solid var(--line);border-radius:1rem;padding:1.25rem;margin:0 0 1rem;\
box-shadow:0 1px 2px rgb(0 0 0/.05)}\
.card>:first-child{margin-top:0}.card>:last-child{margin-bottom:0}\
.state{font-weight:600;margin:0}.good{color:var(--good)}.warn{color:var(--warn)}\
.good,.busy,.warn{display:flex;gap:.625rem;align-items:baseline}\
.good::before,.warn::before{content:\"\";flex:none;width:.625rem;height:.625rem;border-radius:50%;background:currentColor}\
.busy::before{content:\"\";flex:none;width:1rem;height:1rem;border-radius:50%;align-self:flex-start;margin-top:.25rem;\
border:2px solid var(--line);border-top-color:currentColor;animation:turn 1s linear infinite}\
@keyframes turn{to{transform:rotate(1turn)}}\
@media(prefers-reduced-motion:reduce){.busy::before{animation:none}}\
dl{display:grid;grid-template-columns:auto minmax(0,1fr);gap:.375rem 1.25rem;margin:.875rem 0 0}\
dl:empty{display:none}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\
ul{margin:.375rem 0 0;padding-left:1.25rem}p{margin:.5rem 0}.soft{color:var(--soft);font-size:.9375rem}\
code,textarea{font:.875rem/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}\
textarea{display:block;width:100%;min-height:7.5rem;padding:.75rem;border:1px solid var(--soft);border-radius:.625rem;\
background:var(--paper);color:inherit;resize:vertical}\
form{margin:.75rem 0 0}form .soft{margin:.375rem 0 0}\
button,.button{display:inline-block;font:inherit;font-weight:600;min-height:2.75rem;padding:.5625rem 1.25rem;\
border:1px solid var(--accent);border-radius:.625rem;background:var(--accent);color:var(--on);text-decoration:none;\
cursor:pointer;margin:.5rem 0 0}\
.quiet{background:none;color:var(--accent);border-color:var(--line)}\
.danger{background:none;color:var(--danger);border-color:var(--danger)}\
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
details{margin-top:.75rem;border-top:1px solid var(--line);padding-top:.375rem}\
summary{cursor:pointer;padding:.625rem 0;color:var(--accent);font-weight:600}\
a{color:var(--accent)}a.button{color:var(--on)}a.quiet{color:var(--accent)}\
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}\
@media(max-width:26rem){button,.button{width:100%;text-align:center}}";

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::STYLE;

    /// The colours of one of the two blocks of the style: 0 is light, 1 is dark.
    fn colours(block: usize) -> BTreeMap<&'static str, [f64; 3]> {
        let text = STYLE.split(":root{").nth(block + 1).unwrap().split('}').next().unwrap();
        let named = text
            .split(';')
            .filter_map(|one| one.strip_prefix("--")?.split_once(":#"));
        let parts =
            |code: &str| [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&code[at..at + 2], 16).unwrap()) / 255.0);
        named.map(|(name, code)| (name, parts(code))).collect()
    }

    /// The contrast of two colours (WCAG 2.2, "contrast ratio").
    fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
        let linear = |part: f64| match part <= 0.04045 {
            true => part / 12.92,
            false => ((part + 0.055) / 1.055).powf(2.4),
        };
        let luminance =
            |[red, green, blue]: [f64; 3]| 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn texts_stand_out_from_what_they_are_on() {
        for block in [0, 1] {
            let colours = colours(block);
            let texts = ["ink", "soft", "accent", "good", "warn", "danger"];
            let pairs = texts.iter().flat_map(|text| [(*text, "paper"), (*text, "card")]);
            for (text, ground) in pairs.chain([("on", "accent")]) {
                let found = contrast(colours[text], colours[ground]);
                assert!(found >= 4.5, "{text} on {ground} in block {block}: {found:.2}");
            }
        }
    }
}
