"""Hostile texts, to be put wherever a page shows text from outside."""

# Each sets window.__hit or opens a dialog if a page runs it.
BODIES = (
    "<script>__hit=1</script>",
    "<img src=x onerror=__hit=1>",
    "<svg onload=__hit=1>",
    "<svg/onload=alert`1`>",
    "<body onload=__hit=1>",
    "<iframe srcdoc='<script>top.__hit=1</script>'>",
    "<a href=javascript:__hit=1>a</a>",
    "<math><mi xlink:href=javascript:__hit=1>",
    "<details open ontoggle=__hit=1>",
    "<style>*{background:url(//x.test)}</style>",
    " onmouseover=__hit=1 x=",
    " autofocus onfocus=__hit=1 ",
)
BREAKOUTS = ("", '">', "'>", "</script>", "</title>", "-->", "]]>", "</td></table>", '\\">', "</a>")
SINGLE = (
    # Addresses, and what comes of them.
    "javascript:__hit=1", "JaVaScRiPt:__hit=1", "java\tscript:__hit=1", "data:text/html,<b>x",
    "//x.test/a.js", "../../../index.html", "?a=1#b", "%3Cscript%3E__hit=1%3C/script%3E",
    # Templates and expressions.
    "{{7*7}}", "{% for x in y %}", "${__hit=1}", "#{__hit=1}", "<%= 7*7 %>", "{{constructor}}",
    "{{ self.__init__ }}", "`${__hit=1}`", "[[__hit=1]]", "{#", "%s %(x)s {0}", "\\u003cscript>",
    "datum.agent", "datum['a']", "data('rows')", "warn('x')", "'+__hit+'", '"+__hit+"',
    "';__hit=1//",
    "{\"signal\":\"warn(1)\"}", "{\"expr\":\"__hit=1\"}", "toString.constructor('__hit=1')()",
    # Words that mean something to some program.
    "null", "undefined", "NaN", "Infinity", "-0", "1e309", "0x10", "true", "None",
    "[object Object]",
    "__proto__", "constructor", "hasOwnProperty", "=1+1", "+1", "@SUM(A1)", "-2+3", "CON",
    "aux.html",
    # Text that is hard to set.
    "a\u2028__hit=1", "a\u2029b", "\u202eesrever a", "\u2066a\u2069", "a\u200bb", "\ufeffbom",
    "e\u0301\u0301\u0301",
    "שלום a", "مرحبا 1", "𝕬𝖌𝖊𝖓𝖙", "👩‍🔬 a", "ﷺa", "line\nbreak", "carriage\rreturn", "tab\tstop",
    "nul\x00a",
    "\x1b[31mred", "a\x7fb", "a" * 100, "a " * 50, "<" * 99 + "a", "&" * 99 + "a", "x" * 900,
    "W" * 60,
    # Entities and half-written tags.
    "&lt;script&gt;__hit=1&lt;/script&gt;", "&#60;img src=x onerror=__hit=1&#62;", "&amp;lt;b",
    "&notit;",
    "<scr<script>ipt>__hit=1</script>", "<!-- a", "<!--><svg onload=__hit=1>", "<![CDATA[a]]>",
    "<?php a ?>",
)  # fmt: skip
PAYLOADS = [*(start + body for start in BREAKOUTS for body in BODIES), *SINGLE]
