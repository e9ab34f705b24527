"""How an exported page looks: the stage's own paper, ink and hues (`web/src/tokens.css`), in the system's fonts."""

# Degrees, as in `web/src/palette.ts`: the first few lie far apart for any colour vision.
_DEGREES = (255, 150, 50, 330, 200, 100, 290, 20, 175, 75, 230, 305)
HUES = len(_DEGREES)

_RULES = """
:root{color-scheme:light dark;--paper:oklch(.985 .005 85);--wash:oklch(.962 .007 82);--ink:oklch(.24 .012 60);
--soft:oklch(.48 .012 65);--rule:oklch(.9 .008 80);--pl:.51;--pc:.13;
--speech:"Iowan Old Style",Charter,"Palatino Linotype",Georgia,serif;--ui:system-ui,sans-serif;
--code:ui-monospace,"SF Mono",Menlo,Consolas,monospace}
@media(prefers-color-scheme:dark){:root{--paper:oklch(.185 .008 65);--wash:oklch(.225 .009 65);
--ink:oklch(.93 .008 85);--soft:oklch(.74 .01 80);--rule:oklch(.3 .01 70);--pl:.76;--pc:.12}}
*{box-sizing:border-box;margin:0}
body{background:var(--paper);color:var(--ink);font:15px/1.5 var(--ui);font-variant-numeric:tabular-nums;
padding:48px 24px 64px}
header,section,main,footer{max-width:710px;margin:0 auto}
header,footer,section,main>h2{padding-inline-start:130px}
h1{font:500 30px/1.25 var(--speech);text-wrap:balance;overflow-wrap:anywhere}
header>p,header ul,footer,.who span,.note,header li p,li span,.dissent span{color:var(--soft)}
section{border-top:2px solid var(--ink);border-bottom:2px solid var(--ink);margin-block:8px 20px;padding-bottom:20px}
section .head{font-weight:650;padding-bottom:10px}
.dissent{border-inline-start:3px solid var(--ink);padding-inline-start:14px;margin-bottom:14px;break-inside:avoid}
header>p{padding:12px 0 20px}
ul{list-style:none;padding:0 0 12px}
li{border-top:1px solid var(--rule);padding:8px 0}
b{font-weight:650;color:var(--hue,inherit)}
h2{font:600 13px/1.5 var(--ui);color:var(--soft);padding-block:28px 20px;break-after:avoid}
article{display:grid;grid-template:auto 1fr/104px minmax(0,580px);column-gap:26px;padding-bottom:30px}
.who{grid-row:span 2;text-align:end;padding-top:4px;break-after:avoid}
.who b,.who span{display:block;overflow-wrap:anywhere}
.who span{font-size:12.5px}
.said{font:400 19px/1.56 var(--speech);overflow-wrap:anywhere}
.said p{white-space:pre-wrap;orphans:3;widows:3}
.said p+p,.said pre,.said pre+p{margin-top:.7em}
.said:empty{display:none}
.person .said,.topic{font:500 16px/1.55 var(--ui)}
.topic{padding-top:12px}
pre{background:var(--wash);padding:12px 14px;overflow-x:auto;font:14px/1.5 var(--code)}
details{padding-bottom:10px;color:var(--soft);font-size:15.5px;font-style:italic}
summary{font:500 13px/1.5 var(--ui);cursor:pointer}
.note{grid-column:2;border-inline-start:2px solid var(--rule);padding-inline-start:12px;margin-top:10px;
align-self:start;font-size:14px}
footer{border-top:1px solid var(--rule);padding-top:16px;font-size:13px}
@media(max-width:720px){body{padding:24px 18px}header,footer,section,main>h2{padding-inline-start:0}
article{grid-template:auto/minmax(0,1fr)}.who{grid-row:auto;text-align:start;display:flex;flex-wrap:wrap;gap:0 8px;
align-items:baseline}.note{grid-column:1}h1{font-size:25px}.said{font-size:18px}}
@media print{:root{color-scheme:light;--paper:#fff;--wash:#f4f4f4;--ink:#000;--soft:#444;--rule:#ccc;--pl:.42;--pc:.13}
body{padding:0;font-size:10pt}.said{font-size:11.5pt}.person .said{font-size:10.5pt}pre{white-space:pre-wrap}
details:not([open]){display:none}}
"""
STYLE = _RULES + "".join(
    f"[data-seat='{seat}']{{--hue:oklch(var(--pl) var(--pc) {degrees})}}\n"
    for seat, degrees in enumerate(_DEGREES)
)
