"""table - what was wanted and what was found: lines on standard output, build/bench.txt and bench.json."""
import json
import os
import statistics
import sys

median = statistics.median
QUICK = bool(os.environ.get("BENCH_QUICK"))
FORM = "%-36s %13s %13s %6s %-11s %-13s %-3s  %s"


def few(count):
    """How often to measure; once where only the program itself is tried."""
    return 1 if QUICK else count


def note(text):
    print("# " + text, file=sys.stderr, flush=True)


class Ratio:
    """Of values measured in pairs: the median of the pairs' ratios, and how far they lie apart."""

    def __init__(self, pairs):
        ratios = [ours / peer for ours, peer in pairs]
        self.ours, self.peer = (median(side) for side in zip(*pairs))
        self.ratio, self.spread = median(ratios), (min(ratios), max(ratios))


def in_turn(count, ours, peer):
    """[(ours(), peer()), ...]: who begins alternates, so that a machine that slows down harms both."""
    pairs = []
    for i in range(count):
        if i % 2:
            theirs = peer()
            pairs.append((ours(), theirs))
        else:
            pairs.append((ours(), peer()))
    return pairs


class Table:
    def __init__(self):
        self.lines, self.texts, self.raw, self.group = [], [], {}, ""
        if QUICK:
            self._say("BENCH_QUICK: each thing once and small; the figures mean nothing.")
        self._say(FORM % ("row", "ours", "peer", "ratio", "spread", "wanted", "", ""))

    def bad(self):
        return sum(line["verdict"] == "NOT" for line in self.lines)

    def _say(self, text):
        self.texts.append(text.rstrip())
        print(self.texts[-1], flush=True)

    def line(self, row, ours="", peer="", ratio=None, spread=None, wanted="", limit=None, good=None, more=""):
        """good None: for information. limit: what wanted means as a ratio, for the picture."""
        verdict = "" if good is None else "ok" if good else "NOT"
        if not self.lines or self.lines[-1]["group"] != self.group:
            self._say(self.group)
        self.lines.append(dict(group=self.group, row=row, ours=ours, peer=peer, ratio=ratio, spread=spread,
                               wanted=wanted, limit=limit, verdict=verdict, more=more))
        self._say(FORM % ("  " + row, ours, peer, "" if ratio is None else "%.2f" % ratio,
                          "%.2f-%.2f" % spread if spread else "", wanted, verdict, more))

    def ratio(self, row, pairs, form, least=None, most=None, more=""):
        """Ours against a peer's, with the smallest or the largest ratio that is wanted."""
        r = Ratio(pairs)
        limit = most if least is None else least
        wanted = "" if limit is None else "%s %.2f" % ("<=" if least is None else ">=", limit)
        good = None if limit is None else r.ratio <= limit if least is None else r.ratio >= limit
        self.line(row, form % r.ours, form % r.peer, r.ratio, r.spread, wanted, limit, good, more)

    def most(self, row, value, limit, form, peer="", spread=None, more=""):
        """Our value against a limit that it must not exceed; form holds the unit."""
        self.line(row, form % value, peer, value / limit, spread, "<= " + form % limit, 1.0, value <= limit, more)

    def none(self, row, count):
        self.line(row, "%d" % count, wanted="0", good=count == 0)

    def write(self, build):
        replace(build + "/bench.json", json.dumps({"lines": self.lines, "raw": self.raw}, indent=1) + "\n")
        replace(build + "/bench.txt", "\n".join(self.texts) + "\n")


def replace(path, text):
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.rename(path + ".new", path)


table = Table()
