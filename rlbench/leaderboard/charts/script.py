"""The script that draws charts in a page, and data that can stand in one."""

import json
from functools import cache

from rlbench.errors import InvalidScores
from rlbench.leaderboard.charts.look import library, version


@cache
def bundle() -> bytes:
    """Return the classic script that sets ``vegaEmbed``, the one global it has, for our charts.

    It is of the Vega-Lite that Altair writes specifications for, and bears the notices of all that
    is in it.

    Raises:
        MissingExtra: Altair or vl-convert is not installed.
    """
    code = library("vl_convert").javascript_bundle(
        "window.vegaEmbed = vegaEmbed;", vl_version=version()
    )
    # A function around it, since names at the top of a classic script are all scripts' names.
    return f'{NOTICES}(() => {{\n"use strict";\n{code}\n}})();\n'.encode()


def escape_json(value: object) -> str:
    r"""Return JSON that can stand in a page's ``<script>``: ASCII, no ``<``, ``>`` or ``&``.

    Raises:
        InvalidScores: There is a number in it that is not finite.

    >>> escape_json({"b": "</script>", "a": [1, None]})
    '{"a":[1,null],"b":"\\u003c/script\\u003e"}'
    """
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise InvalidScores(f"this cannot stand in a page: {error}") from None
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


# What `bundle` holds besides our own line, with the notices that its licences ask for.
NOTICES = """\
/*
Vega, Vega-Lite, Vega-Embed and their parts; licence: BSD-3-Clause
Copyright (c) 2015-2023, University of Washington Interactive Data Lab
Copyright (c) 2016, Interactive Data Lab and contributors
Copyright (c) 2017, Vega
All rights reserved.
d3-ease; licence: BSD-3-Clause
Copyright 2010-2026 Mike Bostock
Copyright 2001 Robert Penner
All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this
   list of conditions and the following disclaimer.

2. Redistributions in binary form must reproduce the above copyright notice,
   this list of conditions and the following disclaimer in the documentation
   and/or other materials provided with the distribution.

3. Neither the name of the copyright holder nor the names of its contributors
  may be used to endorse or promote products derived from this software
  without specific prior written permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT OWNER OR CONTRIBUTORS BE LIABLE
FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR
SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER
CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY,
OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE
OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

The other parts of d3, internmap and topojson-client; licence: ISC
Copyright 2010-2026 Mike Bostock
d3-delaunay and delaunator; licence: ISC
Copyright 2018-2026 Observable, Inc.
Copyright 2021-2026 Mapbox
semver; licence: ISC
Copyright (c) Isaac Z. Schlueter and Contributors

Permission to use, copy, modify, and/or distribute this software for any purpose
with or without fee is hereby granted, provided that the above copyright notice
and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS
OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER
TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.

fast-json-patch; licence: MIT
Copyright (c) 2013, 2014, 2020 Joachim Wester
json-stringify-pretty-compact; licence: MIT
Copyright (c) 2014, 2016, 2017, 2019, 2021, 2022 Simon Lydell
lodash.debounce; licence: MIT
Copyright jQuery Foundation and other contributors <https://jquery.org/>
Based on Underscore.js, copyright Jeremy Ashkenas,
DocumentCloud and Investigative Reporters & Editors <http://underscorejs.org/>
process; licence: MIT
Copyright (c) 2013 Roman Shtylman <shtylman@gmail.com>
GeographicLib, in d3-geo; licence: MIT
Copyright 2008-2012 Charles Karney
integrate-adaptive-simpson, in d3-geo-projection; licence: MIT
Copyright 2015 Ricky Reusser

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in
all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN
THE SOFTWARE.

ColorBrewer colour schemes; licence: Apache-2.0
Copyright 2002 Cynthia Brewer, Mark Harrower, and The Pennsylvania State University

Licensed under the Apache License, Version 2.0 (the "License"); you may not use
this file except in compliance with the License. You may obtain a copy of the
License at

http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software distributed
under the License is distributed on an "AS IS" BASIS, WITHOUT WARRANTIES OR
CONDITIONS OF ANY KIND, either express or implied. See the License for the
specific language governing permissions and limitations under the License.

tslib (0BSD, Copyright (c) Microsoft Corporation) and robust-predicates (Unlicense) ask for none.
*/
"""
