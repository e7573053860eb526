#!/bin/sh
# Prints a page that welcomes the client of the instance. It reads the metadata (docs/metadata.md) at each visit, so that the
# time left is the present one. It needs busybox, or any wget and sed.
metadata=${METADATA:-http://[fd00:6d65:7461::1]}/v1

# What the metadata have at a path, as HTML; nothing if they have nothing there. A client chooses its name itself, so that
# it may be anything.
ask() {
    wget -q -O - "$metadata/$1" 2>/dev/null |
        sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g'
}

name=$(ask client/name)
greeting=$(ask values/greeting)
seconds=$(ask time/left_seconds)
left=
if [ -n "$seconds" ]; then
    left="<dt>Time left</dt><dd>$((seconds / 3600)) h $((seconds / 60 % 60)) min ($(ask time/reason))</dd>"
fi

cat <<PAGE
Content-Type: text/html; charset=utf-8
Cache-Control: no-store

<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Welcome</title>
<style>
:root { color-scheme: light dark }
body { max-width: 34rem; margin: 3rem auto; padding: 0 1rem; font: 1.0625rem/1.5 system-ui, sans-serif }
dl { display: grid; grid-template-columns: auto 1fr; gap: .375rem 1.25rem }
dd { margin: 0; overflow-wrap: anywhere }
</style>
<h1>${greeting:-Welcome}, ${name:-whoever you are}!</h1>
<p>This machine is yours, and nobody else's.</p>
<dl>
<dt>Its address</dt><dd>$(ask instance/address)</dd>
<dt>Your address</dt><dd>$(ask client/addresses)</dd>
$left
</dl>
</html>
PAGE
