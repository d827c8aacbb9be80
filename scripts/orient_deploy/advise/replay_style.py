"""How the page of a replay looks, in light and in dark. Text only."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --ground: #ffffff; --raised: #f6f8fa; --line: #d1d9e0; --text: #1f2328; --quiet: #59636e;
  --link: #0969da; --built: #2f6fd0; --missed: #cf222e; --stale: #f5b8bc; --hatch: #cf222e66;
  --needless: #b26a00; --reused: #1a7f6e; --column: #0969da1f; --target: #fff8c5; }
@media (prefers-color-scheme: dark) { :root {
  --ground: #0d1117; --raised: #151b23; --line: #3d444d; --text: #f0f6fc; --quiet: #9198a1;
  --link: #4493f8; --built: #5a9cf5; --missed: #ff6a69; --stale: #5d2528; --hatch: #ff6a6980;
  --needless: #e3a13b; --reused: #3fb8a0; --column: #4493f833; --target: #3a3210; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 28px clamp(14px, 3vw, 36px) 60px; }
h1 { font-size: clamp(20px, 3.4vw, 28px); line-height: 1.25; margin: 0 0 6px;
  overflow-wrap: anywhere; }
h2 { font-size: 18px; margin: 40px 0 8px; }
p { margin: 0 0 10px; overflow-wrap: anywhere; }
a { color: var(--link); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code { font: 0.87em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
ul, ol { margin: 0; padding: 0; list-style: none; }
.quiet { color: var(--quiet); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.verdict { margin: 16px 0 0; padding: 12px 16px; border-left: 4px solid; border-radius: 6px;
  background: var(--raised); font-size: 17px; }
.verdict.bad { border-color: var(--missed); }
.verdict.good { border-color: var(--reused); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(210px, 1fr)); gap: 12px;
  margin-top: 16px; }
.tile { padding: 14px 16px; border: 1px solid var(--line); border-radius: 8px; }
.tile b { font-size: 30px; line-height: 1.1; font-variant-numeric: tabular-nums; }
.tile .label { font-weight: 600; }
.tile .quiet { display: block; font-size: 13px; }
.tile.missed b, .tile.stale b { color: var(--missed); }
.tile.needless b { color: var(--needless); }
.tile.built b { color: var(--built); }
.tile.reused b { color: var(--reused); }
.meter { display: block; margin: 8px 0 6px; border-radius: 3px; overflow: hidden; }
.meter .needless { fill: var(--needless); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 20px; margin: 0 0 8px; font-size: 13px;
  color: var(--quiet); }
.legend li { display: flex; align-items: center; gap: 8px; }
.legend svg { flex: none; overflow: visible; }
.chart { display: flex; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.names { flex: none; max-width: min(32%, 240px); padding-top: 10px; background: var(--raised);
  border-right: 1px solid var(--line); }
.names li { height: 44px; padding: 2px 14px; display: flex; flex-direction: column;
  justify-content: center; line-height: 1.25; white-space: nowrap; }
.names span { font-weight: 600; overflow: hidden; text-overflow: ellipsis; }
.names small { color: var(--quiet); font-size: 12px; overflow: hidden; text-overflow: ellipsis; }
.scroll { flex: 1; min-width: 0; overflow-x: auto; direction: rtl; padding-top: 10px; }
.scroll:focus-visible { outline-offset: -2px; }
.inner { direction: ltr; width: max-content; min-width: 100%; padding: 0 12px; }
.inner svg { display: block; overflow: visible; }
svg .built { fill: var(--built); }
svg .missed { fill: var(--missed); }
svg .stale { fill: var(--stale); }
svg .hatch { fill: var(--hatch); }
svg .needless { fill: var(--ground); stroke: var(--needless); stroke-width: 2; }
.meter .needless { stroke: none; }
svg .needless-narrow { fill: var(--needless); }
svg .reused { fill: var(--reused); }
svg .lane { stroke: var(--line); stroke-width: 2; fill: none; }
svg .tick { stroke: var(--line); stroke-dasharray: 2 3; }
svg text { fill: var(--quiet); font-size: 12px; }
svg .column { fill: transparent; }
svg a:hover .column { fill: var(--column); }
.table { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 7px 14px; text-align: left; vertical-align: top;
  border-top: 1px solid var(--line); }
thead th { border-top: 0; background: var(--raised); font-size: 13px; white-space: nowrap; }
th.number, td.number { text-align: right; white-space: nowrap; }
tbody th { font-weight: 600; white-space: nowrap; }
tr.sum > * { border-top-width: 2px; font-weight: 600; }
tr:target { background: var(--target); }
.date { white-space: nowrap; }
.place { min-width: 220px; }
.place .quiet { font-size: 13px; }
.subject { overflow-wrap: anywhere; }
.files li { overflow-wrap: anywhere; }
td > ul, .subject { display: block; min-width: 240px; }
td > .chips { display: flex; }
.stretches { counter-reset: none; display: grid; gap: 12px; }
.stretches > li { padding: 12px 16px; border: 1px solid var(--line); border-radius: 8px; }
.stretches > li > p { margin: 0 0 6px; }
.stretches > li > ul { display: grid; gap: 8px; font-size: 14px; }
.stretches .files { margin: 2px 0 0; padding-left: 14px; border-left: 2px solid var(--line); }
.stretches li p { margin: 0; }
.image { color: var(--missed); }
.chips { display: flex; flex-wrap: wrap; gap: 4px 6px; }
.chip { padding: 0 8px; border: 1px solid; border-radius: 10px; font-size: 12.5px; }
.chip.built { color: var(--built); }
.chip.missed { color: var(--ground); background: var(--missed); border-color: var(--missed); }
.chip.stale { color: var(--missed); border-style: dashed; }
.chip.needless { color: var(--needless); }
.chip.reused { color: var(--reused); }
details { margin-top: 8px; }
summary { cursor: pointer; margin-bottom: 8px; color: var(--link); }
footer { margin-top: 40px; font-size: 14px; color: var(--quiet); }
footer h2 { font-size: 15px; margin: 0 0 6px; }
footer li { margin-left: 18px; list-style: disc; overflow-wrap: anywhere; }
@media (max-width: 620px) {
  .names { max-width: 38%; } .names li { padding: 2px 10px; }
  th, td { padding: 6px 10px; } .verdict { font-size: 16px; } }
@media print { .scroll { overflow: visible; } details { display: block; } }
"""
