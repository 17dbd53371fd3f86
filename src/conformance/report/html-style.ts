/** The style sheet of the HTML report. System fonts; colours by custom properties, which the dark scheme and paper set anew. */
export const PAGE_STYLE = `
:root{--bg:#f7f7f5;--card:#fff;--ink:#1c1e21;--soft:#5f6670;--line:#dcdedf;--faint:#eceded;
--good:#1a7f4b;--bad:#c2302e;--warn:#9a6700;--note:#6b7280;--blue:#2563a8;--code:#f0f1f2;
--mono:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media(prefers-color-scheme:dark){:root{--bg:#15171a;--card:#1d2024;--ink:#e6e8ea;--soft:#9aa3ad;--line:#33383e;--faint:#272b30;
--good:#4cc38a;--bad:#ff7b72;--warn:#e3b341;--note:#8b949e;--blue:#79b8ff;--code:#2a2e33}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
header,main,footer{max-width:1120px;margin:0 auto;padding:0 24px}
header{padding-top:32px}
.kicker{margin:0;color:var(--soft);font-size:13px;letter-spacing:.04em;text-transform:uppercase}
h1{margin:2px 0 4px;font-size:28px;line-height:1.25;font-weight:650}
h1 .runtime{font-weight:400}
.good .verdict{color:var(--good)}.bad .verdict{color:var(--bad)}
.meta{margin:0;color:var(--soft)}
h2{font-size:19px;margin:34px 0 12px;font-weight:650}
.tiles{display:flex;flex-wrap:wrap;gap:8px;list-style:none;padding:0;margin:16px 0 0}
.tile{background:var(--card);border:1px solid var(--line);border-left:4px solid var(--c,var(--note));border-radius:6px;padding:6px 14px}
.tile b{font-size:20px;font-weight:650;margin-right:4px}
.s-passed{--c:var(--good)}.s-failed,.s-error{--c:var(--bad)}.s-unexpected-pass{--c:var(--warn)}.s-expected-failure,.s-unsupported{--c:var(--note)}
.first{background:var(--card);border:1px solid var(--line);border-top:4px solid var(--bad);border-radius:8px;padding:2px 22px 16px;margin-top:26px}
section.first h2{margin-top:14px}
.where{font-size:17px;margin:0 0 8px}
.where a,.id{font-family:var(--mono);font-size:.93em}
a{color:var(--blue)}
.title{color:var(--soft)}
.facts{margin:8px 0;padding-left:18px}
.facts li{margin:3px 0;overflow-wrap:anywhere}
.causes{list-style:none;margin:12px 0 0;padding:0;display:grid;gap:10px}
.causes li{background:var(--faint);border-radius:6px;padding:10px 14px}
.causes li.likely{box-shadow:inset 4px 0 0 var(--blue)}
.causes p{margin:0 0 4px;overflow-wrap:anywhere}
.causes .name{display:flex;align-items:center;gap:12px;font-weight:600}
.causes .mend{color:var(--soft);margin-bottom:0}
.causes .mend::before{content:"Mend: ";font-weight:600}
code{font-family:var(--mono);font-size:.9em;background:var(--code);border-radius:4px;padding:1px 6px}
.meter{display:inline-block;width:120px;height:8px;border-radius:4px;background:var(--line);overflow:hidden}
.meter i{display:block;height:100%;background:var(--blue)}
.more{color:var(--soft);margin:10px 0 0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{padding:5px 10px;text-align:left;vertical-align:top;border-bottom:1px solid var(--line)}
thead th{color:var(--soft);font-weight:500;font-size:13px;white-space:nowrap}
tbody th{font-weight:500}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.off{color:var(--bad);font-weight:650}
.levels{background:var(--card);border:1px solid var(--line);border-radius:8px}
.barcell{min-width:160px;width:30%;vertical-align:middle}
.bar{display:flex;height:10px;border-radius:5px;overflow:hidden;background:var(--faint)}
.bar i{background:var(--c);height:100%;min-width:3px}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.filters{display:flex;flex-wrap:wrap;gap:10px 22px;align-items:center;margin:0 0 14px;font-size:14px}
.filters[hidden]{display:none}
.filters fieldset{border:0;margin:0;padding:0;display:flex;gap:12px;flex-wrap:wrap}
.filters legend{float:left;margin-right:12px;color:var(--soft)}
.filters label{white-space:nowrap}
.filters input[type=search]{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:5px 10px;width:260px;max-width:60vw}
.filters output{color:var(--soft)}
.case{background:var(--card);border:1px solid var(--line);border-radius:6px;margin:0 0 6px}
.case>summary{cursor:pointer;padding:7px 14px;display:flex;gap:10px;align-items:baseline;list-style:none}
.case>summary::-webkit-details-marker{display:none}
.case>summary::after{content:"";width:7px;height:7px;border:solid var(--soft);border-width:0 1.5px 1.5px 0;transform:rotate(45deg);align-self:center;flex:none;margin-left:4px}
.case[open]>summary::after{transform:rotate(-135deg)}
.case>summary .title{flex:1;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.dot{width:9px;height:9px;border-radius:50%;background:var(--c);flex:none;align-self:center}
.status{color:var(--c);font-size:13px;min-width:66px;white-space:nowrap}
.err{font-variant-numeric:tabular-nums;color:var(--soft);font-size:13px;min-width:84px;text-align:right;white-space:nowrap}
.body{padding:4px 16px 14px;border-top:1px solid var(--line)}
.tensors{margin-top:8px}
.tensors th[scope=row]{font-family:var(--mono);font-size:12.5px;overflow-wrap:anywhere;min-width:220px}
.tensors .noted>*{border-bottom:0;padding-bottom:0}
.tensors .noterow td{padding-top:0;color:var(--soft);font-size:12.5px;white-space:normal;overflow-wrap:anywhere}
.tensors td{white-space:nowrap}
.tensors td:nth-child(3){min-width:150px}
.t-outside .result,.t-missing .result,.t-shape .result{color:var(--bad);font-weight:600}
.t-equal .result,.t-within .result{color:var(--good)}
.tensors tr.diverges,.tensors tr.diverges+.noterow{background:var(--faint);box-shadow:inset 3px 0 0 var(--bad)}
.rule{color:var(--soft);font-size:12.5px}
.mode{font:11px system-ui,sans-serif;border:1px solid var(--line);border-radius:9px;padding:0 7px;color:var(--soft)}
.logbar{display:inline-block;width:74px;height:7px;border-radius:4px;background:var(--faint);overflow:hidden;margin-right:8px;vertical-align:middle}
.logbar i{display:block;height:100%;background:var(--blue)}
.t-outside .logbar i{background:var(--bad)}
.val{font-variant-numeric:tabular-nums}
.chart{margin:10px 0 4px}
.chart svg{display:block;width:100%;height:auto}
.chart text{font-size:11px;fill:var(--soft)}
.grid line{stroke:var(--faint)}
.path{fill:none;stroke:var(--line);stroke-width:1}
circle.chained{fill:var(--blue)}circle.chained.out{fill:var(--bad)}
circle.forced{fill:none;stroke:var(--warn);stroke-width:1.6}circle.forced.out{stroke:var(--bad)}
path.out,path.chained{stroke:var(--bad);stroke-width:1.5;fill:none}
.mark{stroke:var(--bad);stroke-dasharray:4 3}
.chart .marktext{fill:var(--bad)}
figcaption{color:var(--soft);font-size:13px}
.key::before{content:"";display:inline-block;width:9px;height:9px;border-radius:50%;margin:0 5px 0 10px;background:var(--blue)}
.key.forced::before{background:none;border:1.6px solid var(--warn)}
.key.out::before{background:var(--bad)}
footer{color:var(--soft);font-size:13px;padding-top:26px;padding-bottom:40px}
.skip{position:absolute;left:-999px}.skip:focus{left:12px;top:12px;background:var(--card);padding:8px 12px;z-index:1}
:focus-visible{outline:2px solid var(--blue);outline-offset:2px;border-radius:3px}
@media(max-width:720px){header,main,footer{padding-left:14px;padding-right:14px}h1{font-size:23px}
.first{padding:2px 14px 14px}.body{padding:4px 10px 12px}th,td{padding:5px 7px}
.barcell,.levels thead th:nth-child(2),.levels tr>:last-child{display:none}.levels .title{display:block}
.case>summary{flex-wrap:wrap;column-gap:8px;row-gap:2px;padding:8px 30px 8px 10px;position:relative}
.case>summary .id{overflow-wrap:anywhere}.status,.err{min-width:0}
.case>summary::after{position:absolute;right:12px;top:16px}
.case>summary .title{flex-basis:100%;white-space:normal}
.chart{overflow-x:auto}.chart svg{min-width:680px}
.tensors th[scope=row]{min-width:120px}.tensors td:nth-child(3){min-width:0}.logbar{display:none}
.noterow span{position:sticky;left:7px;display:inline-block;max-width:calc(100vw - 64px)}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#bbb;--faint:#eee;--good:#0a5c33;--bad:#a11;--warn:#7a5200;--note:#555;--blue:#1d4f8a;--code:#eee}
@page{margin:14mm 12mm}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{font-size:10.5px}header,main,footer{max-width:none;padding-left:0;padding-right:0}header{padding-top:0}footer{padding-top:8px;padding-bottom:0;break-inside:avoid}
h1{font-size:20px}h2{font-size:14px;margin:18px 0 8px;break-after:avoid}.tile b{font-size:14px}.where{font-size:12px}
table,figcaption,footer,.status,.err{font-size:9.5px}thead th,.rule,.tensors .noterow td{font-size:9px}.tensors th[scope=row]{font-size:9px;min-width:0}
th,td{padding:2px 5px}.tensors td:nth-child(3){min-width:0}.logbar{width:40px;margin-right:4px}
.scroll,.chart{overflow:visible}.mode{font-size:7.5px;padding:0 4px}.filters,.skip,.case>summary::after{display:none}
.first,.facts,.causes li,.chart,tr,.case:not([open]){break-inside:avoid}
.case>summary,.facts,.causes,thead,.noted{break-after:avoid}
.case{border-radius:0;margin:0 0 4px}.case>summary{padding:3px 8px}.body{padding:2px 8px 6px}.case>summary .title{white-space:normal}
.case:is(.s-failed,.s-error,.s-unexpected-pass)::details-content{content-visibility:visible;display:block;block-size:auto}
.case:not(.s-failed,.s-error,.s-unexpected-pass){border-width:0 0 1px}.case:not([open])>summary{padding:1px 8px}}
`;
