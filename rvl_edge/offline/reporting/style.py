# SPDX-License-Identifier: Apache-2.0
"""How the page looks: one style sheet, for light and dark screens and for paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --ink: #1b1f24; --quiet: #57606a; --rule: #d0d7de; --shade: #f3f5f7; --link: #0550ae;
  --good: #116329; --bad: #a40e26;
  --s0: #8a5a00; --s1: #0550ae; --s2: #8250df; --s3: #1a7f37; --s4: #bf3989; --s5: #57606a;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #0f1216; --ink: #e6e9ed; --quiet: #9aa4af; --rule: #333b45; --shade: #181d23; --link: #7cb7ff;
    --good: #5fd07a; --bad: #ff8a8a;
    --s0: #e3b341; --s1: #6cb6ff; --s2: #c297ff; --s3: #57c26f; --s4: #f28cc0; --s5: #a9b3bd;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 70rem; padding: 1.5rem 1rem 4rem;
  background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 3rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p, li { max-width: 46rem; }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.quiet { color: var(--quiet); }
.scroll { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { white-space: nowrap; text-align: left; color: var(--quiet); padding: .25rem 0; }
th, td { padding: .3rem .7rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); }
thead th { background: var(--shade); }
tbody th { font-weight: 500; }
td { overflow-wrap: anywhere; min-width: 5rem; }
.heat td { text-align: right; border: 1px solid var(--paper); print-color-adjust: exact; }
.heat tr:last-child { font-weight: 600; }
.good { color: var(--good); font-weight: 600; }
.bad { color: var(--bad); font-weight: 700; }
.plots, .examples { display: flex; flex-wrap: wrap; gap: 1.5rem; }
figure { margin: 0 0 1rem; }
.plots figure { flex: 1 1 22rem; max-width: 32rem; }
figcaption { color: var(--quiet); font-size: .875rem; max-width: 32rem; }
.chart { width: 100%; height: auto; }
.chart text { fill: var(--quiet); font-size: 12px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.tick, .diagonal { stroke: var(--quiet); }
.diagonal { stroke-dasharray: 2 4; }
.line { fill: none; stroke: currentColor; stroke-width: 2; }
.band { fill: currentColor; opacity: .16; stroke: none; }
.s0 { color: var(--s0); } .s1 { color: var(--s1); } .s2 { color: var(--s2); }
.s3 { color: var(--s3); } .s4 { color: var(--s4); } .s5 { color: var(--s5); }
g[class^="s"] circle { fill: currentColor; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; margin: 0; }
.legend li { font-size: .875rem; }
.key { width: 34px; height: 12px; margin-right: .4rem; }
.examples figure { flex: 1 1 26rem; max-width: 34rem; }
.triple { display: grid; grid-template-columns: repeat(3, 1fr); gap: .5rem; }
.stack { display: grid; gap: .5rem; }
.triple p, .stack p { margin: 0; font-size: .875rem; overflow-wrap: anywhere; }
.examples img { width: 100%; height: auto; image-rendering: pixelated; border: 1px solid var(--rule); }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .scroll { overflow: visible; }
  nav { display: none; }
  figure, tr, h2, h3 { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
"""
