# Puts the environment variable ORCHESTRATOR_NAME wherever a page says @NAME@; with html=1 it escapes for HTML.
#
# The values are claims of strangers. Each line is read once, from left to right, so that a value which looks like
# a placeholder stays what it is.

function value(name,    text) {
    text = ENVIRON["ORCHESTRATOR_" name]
    gsub(/[[:cntrl:]]/, "?", text)
    if (text == "") return html ? "&mdash;" : "-"
    if (!html) return text
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    gsub(/>/, "\\&gt;", text)
    gsub(/"/, "\\&quot;", text)
    gsub(/'/, "\\&#39;", text)
    return text
}

{
    rest = $0
    filled = ""
    while (match(rest, /@[A-Z_]+@/)) {
        name = substr(rest, RSTART + 1, RLENGTH - 2)
        filled = filled substr(rest, 1, RSTART - 1) value(name)
        rest = substr(rest, RSTART + RLENGTH)
    }
    print filled rest
}
