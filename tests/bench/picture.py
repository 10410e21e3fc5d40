"""picture - the table's ratios as bars, an SVG written by hand.

A bar is the median of the paired ratios, the thin line on it their spread, the dashed line 1.0 (no
difference, or exactly the limit of a row that has no peer), the black tick what is wanted. What is
longer than the scale ends at its edge; the figures stand beside it.
"""
from xml.sax.saxutils import escape

WIDTH, ROW, HEAD, SCALE_MAX = 1240, 20, 92, 2.0
LABEL_X, BAR_X, BAR_WIDTH = 20, 350, 400
RATIO_X, SPREAD_X, WANTED_X, VALUES_X = 765, 815, 910, 1060
LABEL_CHARS, VALUES_CHARS = 44, 26
COLOURS = {"ok": "#3a8a4d", "NOT": "#c8372d", "": "#8a97a3"}
STYLE = ("text { font: 13px 'DejaVu Sans', Verdana, sans-serif; fill: #222 } .t { font-size: 19px; font-weight: bold }"
         " .g { font-weight: bold } .s { font-size: 12px; fill: #555 } .NOT { fill: #c8372d; font-weight: bold }"
         " .m { text-anchor: middle }")


def x_of(ratio):
    return BAR_X + BAR_WIDTH * min(max(ratio, 0), SCALE_MAX) / SCALE_MAX


def text(x, y, content, style="", most=200):
    content = content if len(content) <= most else content[:most - 1] + "\u2026"
    return '<text x="%d" y="%d"%s>%s</text>' % (x, y, ' class="%s"' % style if style else "", escape(content))


def stroke(x1, y1, x2, y2, colour, width=1, dash=""):
    return ('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"%s/>'
            % (x1, y1, x2, y2, colour, width, ' stroke-dasharray="%s"' % dash if dash else ""))


def bar(line, y):
    ratio, middle = line["ratio"], y + ROW / 2
    parts = ['<rect x="%d" y="%.1f" width="%.1f" height="%d" fill="%s"/>'
             % (BAR_X, y + 3, x_of(ratio) - BAR_X, ROW - 6, COLOURS[line["verdict"]])]
    if line["spread"]:
        low, high = map(x_of, line["spread"])
        parts += [stroke(low, middle, high, middle, "#1a1a1a"), stroke(low, middle - 3, low, middle + 3, "#1a1a1a"),
                  stroke(high, middle - 3, high, middle + 3, "#1a1a1a")]
    if line["limit"] is not None:
        parts.append(stroke(x_of(line["limit"]), y + 1, x_of(line["limit"]), y + ROW - 1, "#000", 2.5))
    parts.append(text(RATIO_X, y + 15, "%.2f" % ratio))
    return parts


def row(line, y):
    parts = [text(LABEL_X, y + 15, line["row"], most=LABEL_CHARS)]
    if line["ratio"] is not None:
        parts += bar(line, y)
    if line["spread"]:
        parts.append(text(SPREAD_X, y + 15, "%.2f\u2013%.2f" % tuple(line["spread"]), "s"))
    style = "NOT" if line["verdict"] == "NOT" else ""
    wanted = line["wanted"].replace("<=", "\u2264").replace(">=", "\u2265")
    values = line["ours"] + (" : " + line["peer"] if line["peer"] else "")
    return parts + [text(WANTED_X, y + 15, (wanted + " " + line["verdict"]).strip(), style),
                    text(VALUES_X, y + 15, values, "s", VALUES_CHARS)]


def scale(top, bottom):
    parts = []
    for tick in (0, 0.5, 1, 1.5, 2):
        x = x_of(tick)
        parts.append(text(x, top - 6, "%g" % tick, "s m"))
        parts.append(stroke(x, top, x, bottom, "#ddd"))
    return parts


def draw(lines):
    """The whole picture of a table's lines."""
    rows, y, group = [], HEAD, None
    for line in lines:
        if line["group"] != group:
            group = line["group"]
            rows.append(text(LABEL_X, y + 22, group, "g"))
            y += ROW + 10
        rows += row(line, y)
        y += ROW
    height = y + 20
    heads = [text(LABEL_X, 34, "goproxy.fcgi, as ratios to what was measured beside it", "t"),
             text(LABEL_X, 56, "Bar: median of paired ratios. Thin line: their spread. Black tick: what is wanted. "
                  "Green: met, red: not, grey: for information.", "s")]
    heads += [text(x, HEAD - 6, what, "s") for x, what in
              ((RATIO_X, "ratio"), (SPREAD_X, "spread"), (WANTED_X, "wanted"), (VALUES_X, "ours : peer"))]
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>',
                      '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">'
                      % (WIDTH, height, WIDTH, height), "<style>%s</style>" % STYLE,
                      '<rect width="%d" height="%d" fill="#fff"/>' % (WIDTH, height),
                      *heads, *scale(HEAD, height - 14), *rows,
                      stroke(x_of(1), HEAD, x_of(1), height - 14, "#555", 1, "4 3"), "</svg>", ""])
