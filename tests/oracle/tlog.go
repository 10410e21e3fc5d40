package main

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// A log whose record i is "record i\n", with all its hashes.
type madeLog []tlog.Hash

func (l madeLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, x := range indexes {
		hashes = append(hashes, l[x])
	}
	return hashes, nil
}

func makeLog(n int64) madeLog {
	var l madeLog
	for i := range n {
		hashes, err := tlog.StoredHashes(i, fmt.Appendf(nil, "record %d\n", i), l)
		must(err)
		l = append(l, hashes...)
	}
	return l
}

func (l madeLog) tree(n int64) tlog.Tree {
	hash, err := tlog.TreeHash(n, l)
	must(err)
	return tlog.Tree{N: n, Hash: hash}
}

func (l madeLog) tile(t tlog.Tile) []byte {
	data, err := tlog.ReadTileData(t, l)
	must(err)
	return data
}

// A log of any size whose records are all the same: hash (level, n) is the level's.
type sameLog struct{}

func (sameLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, x := range indexes {
		level, _ := tlog.SplitStoredHashIndex(x)
		h := tlog.RecordHash([]byte("same\n"))
		for range level {
			h = tlog.NodeHash(h, h)
		}
		hashes = append(hashes, h)
	}
	return hashes, nil
}

func joinHashes[L ~[]tlog.Hash](list L) string {
	var words []string
	for _, h := range list {
		words = append(words, h.String())
	}
	return strings.Join(words, " ")
}

func hashTexts(o output) {
	h := tlog.RecordHash([]byte("x"))
	good := h.String()
	one := func(text string) {
		h, err := tlog.ParseHash(text)
		o.line("hash", text, verdict(err), hex.EncodeToString(h[:]))
	}
	for _, text := range []string{good, "", "=", good[:43], good + "=", good[:42] + "=", good + "\n", "\n" + good, good[:10] + "\r\n" + good[10:],
		good[:10] + " " + good[10:], good + " ", good[:40], good[:40] + good, "AAAA" + good, good[:10] + "-" + good[11:], good[:43] + "\n=",
		good[:10] + "=" + good[11:], good + "A", good[:42] + "B=", strings.Repeat("/", 43) + "=", strings.Repeat("+", 43) + "=", good[:43] + "A",
		good[:43] + "==", good + "\x00"} {
		one(text)
	}
}

func trees(o output) {
	good := tlog.RecordHash([]byte("x")).String()
	one := func(text string) {
		tree, err := tlog.ParseTree([]byte(text))
		o.line("tree", text, verdict(err), tree.N, tree.Hash)
		if err == nil {
			o.line("treetext", tree.N, tree.Hash, string(tlog.FormatTree(tree)))
		}
	}
	for _, n := range []string{"0", "1", "42", "9223372036854775807", "9223372036854775808", "18446744073709551616", "-1", "-0", "+1", "01", "00", "",
		" 1", "1 ", "1_0", "0x1", "1\r", "1e3", "\u0661"} {
		one("go.sum database tree\n" + n + "\n" + good + "\n")
	}
	for _, text := range []string{"", "\n", "\n\n\n", "go.sum database tree", "go.sum database tree\n", "go.sum database tree\n1\n",
		"go.sum database tree\n1\n" + good, "go.sum database tree\n1\n" + good + "\nmore\n", "go.sum database tree\n1\n" + good + "\nmore",
		"go.sum database tree\n1\n" + good + "\n\n\n", "go.sum database tree v2\n1\n" + good + "\n", "Go.sum database tree\n1\n" + good + "\n",
		" go.sum database tree\n1\n" + good + "\n", "go.sum database tree\r\n1\r\n" + good + "\r\n", "go.sum database tree\n\n1\n" + good + "\n",
		"go.sum database tree\n1\n\n" + good + "\n", "go.sum database tree\n1\n" + good + "\r\n", "go.sum database tree\n1\n" + good + " \n",
		"go.sum database tree\n1\n" + good[:43] + "\n", "go.sum database tree\n1\n" + good[:40] + "\n", "go.sum database tree\n1\nx\n",
		"go.sum database tree\n" + good + "\n1\n", "go.sum database tree\n1\n" + good + good + "\n", "go.sum database tree\n1\n\n"} {
		one(text)
	}
}

func records(o output) {
	one := func(message string) {
		id, text, rest, err := tlog.ParseRecord([]byte(message))
		o.line("record", message, verdict(err), id, string(text), string(rest))
	}
	for _, id := range []string{"0", "1", "35000000", "9223372036854775807", "9223372036854775808", "-1", "-0", "+7", "007", "", " 1", "1 ", "1\r", "0x1",
		"1_0", "x"} {
		one(id + "\na.b/c v1.0.0 h1:x=\na.b/c v1.0.0/go.mod h1:y=\n\nrest\nmore\n\n")
	}
	for _, text := range []string{"", "\n", "x", "x\n", "x\ny\n", "\nx\n", "\n\nx\n", "x\n\ny\n", "\u4e2d\n", "\xff\n", "a\tb\n", "a\rb\n", "a\x00b\n", "\x1f\n",
		"\x7f\n", "\u0080\n", "\xed\xa0\x80\n", "\xc0\x80\n", "\ufffd\n", "\U0010ffff\n", "\xf4\x90\x80\x80\n", "\u2028\n", "x\r\n"} {
		one("5\n" + text)
		one("5\n" + text + "\n")
		one("5\n" + text + "\nrest")
		one("5\n" + text + "\n\xff\x00rest")
		message, err := tlog.FormatRecord(5, []byte(text))
		o.line("recordtext", 5, text, verdict(err), string(message))
	}
	for _, message := range []string{"", "\n", "\n\n", "\n\n\n", "5", "5\n\n", "5\n\n\n", "5\nx\n\n", "5\nx\n\n\n", "a\n5\nx\n\n", "5\r\nx\r\n\r\n"} {
		one(message)
	}
	for _, text := range []string{"", "\n", "x", "record 0\n", strings.Repeat("long ", 200), "\x00\xff"} {
		o.line("recordhash", text, tlog.RecordHash([]byte(text)))
	}
	a, b := tlog.RecordHash([]byte("a")), tlog.RecordHash([]byte("b"))
	for _, pair := range [][2]tlog.Hash{{a, b}, {b, a}, {a, a}, {{}, {}}} {
		o.line("node", pair[0], pair[1], tlog.NodeHash(pair[0], pair[1]))
	}
}

// The place of hash (level, n) for any size, by the closed formula.
func bigIndex(level int, n int64) string {
	last := new(big.Int).Lsh(big.NewInt(n+1), uint(level))
	last.Sub(last, big.NewInt(1))
	ones := 0
	for _, w := range last.Bits() {
		ones += bits.OnesCount(uint(w))
	}
	index := new(big.Int).Lsh(last, 1)
	return index.Add(index, big.NewInt(int64(level-ones))).String()
}

func indexes(o output) {
	for level := range 64 {
		for _, n := range []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 100, 255, 256, 65535, 35000000, 1<<40 - 1, 1 << 40, 1<<61 - 2} {
			if level < 62 && n+1 <= int64(1)<<(61-level) {
				index := tlog.StoredHashIndex(level, n)
				if fmt.Sprint(index) != bigIndex(level, n) {
					panic("formula")
				}
				o.line("index", level, n, index)
			} else if n < 1<<(63-level) {
				o.line("index", level, n, bigIndex(level, n))
			}
		}
	}
	for _, n := range []int64{0, 1, 2, 3, 4, 5, 7, 8, 9, 255, 256, 257, 65536, 35000000, 1 << 40, 1<<61 - 1, 1 << 61} {
		o.line("count", n, tlog.StoredHashCount(n))
	}
	// Indexes in a row.
	for x := range int64(70) {
		level, n := tlog.SplitStoredHashIndex(x)
		o.line("index", level, n, x)
	}
}

func proofs(o output, l madeLog) {
	for n := range int64(70) {
		o.line("treehash", n, l.tree(n).Hash)
	}
	o.line("treehash", 300, l.tree(300).Hash)
	check := func(p []tlog.Hash, t int64, th tlog.Hash, n int64, h tlog.Hash) {
		o.line("checkrecord", joinHashes(p), t, th, n, h, verdict(tlog.CheckRecord(p, t, th, n, h)))
	}
	checkTree := func(p []tlog.Hash, t int64, th tlog.Hash, n int64, h tlog.Hash) {
		o.line("checktree", joinHashes(p), t, th, n, h, verdict(tlog.CheckTree(p, t, th, n, h)))
	}
	for _, t := range []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 21} {
		for n := range t {
			p, err := tlog.ProveRecord(t, n, l)
			must(err)
			o.line("prove", t, n, joinHashes(p))
			q, err := tlog.ProveTree(t, n+1, l)
			must(err)
			o.line("provetree", t, n+1, joinHashes(q))
		}
	}
	for _, pair := range [][2]int64{{1, 0}, {2, 1}, {3, 2}, {7, 3}, {8, 5}, {13, 12}, {13, 4}, {300, 299}, {300, 5}} {
		t, n := pair[0], pair[1]
		tree, h := l.tree(t), l[tlog.StoredHashIndex(0, n)]
		p, err := tlog.ProveRecord(t, n, l)
		must(err)
		check(p, t, tree.Hash, n, h)
		check(p, t, tree.Hash, n, tlog.RecordHash(nil))
		check(p, t, l.tree(t-1).Hash, n, h)
		for _, other := range [][2]int64{{t, n + 1}, {t, n - 1}, {t + 1, n}, {t - 1, n}, {t, t}, {t, -1}, {0, 0}, {-1, -2}, {2 * t, n}, {2 * t, 2 * n}} {
			check(p, other[0], tree.Hash, other[1], h)
		}
		check(append(slices.Clone(p), tree.Hash), t, tree.Hash, n, h)
		check(append(slices.Clone(p), tlog.Hash{}), t, tree.Hash, n, h)
		check(append([]tlog.Hash{h}, p...), t, tree.Hash, n, h)
		for i := range p {
			bad := slices.Clone(p)
			bad[i][i] ^= 1
			check(bad, t, tree.Hash, n, h)
			check(slices.Delete(slices.Clone(p), i, i+1), t, tree.Hash, n, h)
			if i > 0 {
				bad = slices.Clone(p)
				bad[i], bad[i-1] = bad[i-1], bad[i]
				check(bad, t, tree.Hash, n, h)
			}
		}
	}
	for _, pair := range [][2]int64{{1, 1}, {2, 1}, {3, 2}, {7, 3}, {8, 4}, {8, 5}, {13, 12}, {13, 13}, {13, 4}, {300, 299}, {300, 256}} {
		t, n := pair[0], pair[1]
		tree, old := l.tree(t), l.tree(n)
		p, err := tlog.ProveTree(t, n, l)
		must(err)
		checkTree(p, t, tree.Hash, n, old.Hash)
		checkTree(p, t, tree.Hash, n, tree.Hash)
		checkTree(p, t, old.Hash, n, old.Hash)
		checkTree(p, t, old.Hash, n, tree.Hash)
		checkTree(p, t, tree.Hash, n, tlog.Hash{})
		checkTree(p, t, tlog.Hash{}, n, old.Hash)
		for _, other := range [][2]int64{{t, n + 1}, {t, n - 1}, {t + 1, n}, {t - 1, n}, {n, t}, {t, 0}, {0, 0}, {t, -1}, {-1, -1}, {2 * t, 2 * n}, {n, n}, {t, t}} {
			checkTree(p, other[0], tree.Hash, other[1], old.Hash)
		}
		checkTree(append(slices.Clone(p), tree.Hash), t, tree.Hash, n, old.Hash)
		checkTree(append([]tlog.Hash{old.Hash}, p...), t, tree.Hash, n, old.Hash)
		for i := range p {
			bad := slices.Clone(p)
			bad[i][i] ^= 1
			checkTree(bad, t, tree.Hash, n, old.Hash)
			checkTree(slices.Delete(slices.Clone(p), i, i+1), t, tree.Hash, n, old.Hash)
		}
	}
	// Huge ones, as far as Go's arithmetic goes.
	for _, t := range []int64{1 << 61, 1<<61 - 1, 35000000} {
		th, err := tlog.TreeHash(t, sameLog{})
		must(err)
		o.line("hugetree", t, th)
		for _, n := range []int64{0, t / 2, t/3 + 1, t - 1} {
			p, err := tlog.ProveRecord(t, n, sameLog{})
			must(err)
			o.line("huge", t, n, th, joinHashes(p))
			q, err := tlog.ProveTree(t, n+1, sameLog{})
			must(err)
			o.line("hugeprefix", t, n+1, th, joinHashes(q))
		}
	}
}

func tilePaths(o output) {
	one := func(path string) {
		t, err := tlog.ParseTilePath(path)
		o.line("tilepath", path, verdict(err), t.H, t.L, t.N, t.W)
	}
	for _, h := range []int{1, 2, 3, 8, 10, 30} {
		for _, n := range []int64{0, 9, 999, 1000, 1234067, 1000000, 1<<63 - 1} {
			for _, w := range []int{1, 1<<h - 1, 1 << h} {
				for _, l := range []int{-1, 0, 4, 63} {
					one(tlog.Tile{H: h, L: l, N: n, W: w}.Path())
				}
			}
		}
	}
	for _, path := range []string{"", "/", "tile", "tile/", "tile/8", "tile/8/0", "tile/8/0/", "/tile/8/0/000", "tile/8/0/000/", "tile/8/0//000", "tile//0/000",
		"tile/8//000", "tile/0/0/000", "tile/31/0/000", "tile/30/0/000", "tile/08/0/000", "tile/+8/0/000", "tile/-8/0/000", "tile/8/-1/000",
		"tile/8/00/000", "tile/8/+0/000", "tile/8/64/000", "tile/8/99/000", "tile/8/9999999999/000", "tile/8/Data/000", "tile/8/data/000",
		"tile/8/data/000.p/7", "tile/8/0/0", "tile/8/0/00", "tile/8/0/0000", "tile/8/0/1000", "tile/8/0/x000", "tile/8/0/x000/000", "tile/8/0/x001/000",
		"tile/8/0/001/000", "tile/8/0/X001/000", "tile/8/0/x001/x000", "tile/8/0/xx01/000", "tile/8/0/x01/000", "tile/8/0/x0001/000",
		"tile/8/0/x001/00", "tile/8/0/-01", "tile/8/0/+01", "tile/8/0/ 01", "tile/8/0/00a", "tile/8/0/000.p", "tile/8/0/000.p/", "tile/8/0/000.p/0",
		"tile/8/0/000.p/1", "tile/8/0/000.p/255", "tile/8/0/000.p/256", "tile/8/0/000.p/257", "tile/8/0/000.p/01", "tile/8/0/000.p/-1",
		"tile/8/0/000.p/+1", "tile/8/0/000.p/1/", "tile/8/0/000.p/1/2", "tile/8/0/000.p/1.p/2", "tile/8/0/000.P/1", "tile/8/0/.p/1", "tile/8/0.p/1",
		"tile/8/0/000p/1", "tile/8/0/x001.p/000.p/1", "tile/8/0/000.p/x", "tile/8/0/000\x00", "tile/8/0/000\n", "tile/8/0/000?x", "Tile/8/0/000",
		"tile/8/0/x009/x223/x372/x036/x854/x775/807", "tile/8/0/x009/x223/x372/x036/x854/x775/808", "tile/8/0/x018/x446/x744/x073/x709/x551/616",
		"tile/8/0/x001/x000/x000/x000/x000/x000/x000/000", "tile/8/0/..", "tile/8/0/../0/000", "tile/8/0/x001/../000",
		"tile/8/0/000.p/18446744073709551617", "tile/18446744073709551624/0/000", "tile/1/0/000.p/1", "tile/1/0/000.p/2", "latest", "lookup/a.b/c@v1.0.0"} {
		one(path)
	}
	for _, h := range []int{1, 2, 3, 8, 10, 30} {
		for x := range int64(40) {
			o.line("tileindex", h, x, tlog.TileForIndex(h, x).Path())
		}
		for _, x := range []int64{255, 510, 511, 512, 131070, 131071, 70000000, 1 << 40, 1<<62 - 1, 1<<62 - 2} {
			o.line("tileindex", h, x, tlog.TileForIndex(h, x).Path())
		}
	}
}

func fromTiles(o output, l madeLog) {
	one := func(t tlog.Tile, hashes int, index int64) {
		var data []byte
		if t.H > 0 && t.H < 9 && t.L >= 0 && t.L < 9 && t.W > 0 && t.N >= 0 {
			wide := t
			wide.W = min(t.W, 1<<t.H)
			data = l.tile(wide)
		}
		if len(data) > hashes*tlog.HashSize {
			data = data[:hashes*tlog.HashSize]
		}
		h, err := tlog.HashFromTile(t, data, index)
		o.line("fromtile", t.H, t.L, t.N, t.W, hashes, index, verdict(err), h)
	}
	for _, t := range []tlog.Tile{{H: 2, L: 0, N: 0, W: 4}, {H: 2, L: 0, N: 1, W: 3}, {H: 2, L: 1, N: 0, W: 4}, {H: 3, L: 0, N: 2, W: 5}, {H: 3, L: 1, N: 0, W: 4},
		{H: 1, L: 2, N: 1, W: 2}} {
		for x := range int64(64) {
			one(t, t.W, x)
		}
		for x := range int64(8) {
			one(t, t.W-1, x)
		}
	}
	for _, t := range []tlog.Tile{{H: 0, L: 0, N: 0, W: 1}, {H: -1, L: 0, N: 0, W: 1}, {H: 31, L: 0, N: 0, W: 1}, {H: 2, L: -1, N: 0, W: 1}, {H: 2, L: 64, N: 0, W: 1},
		{H: 2, L: 0, N: 0, W: 0}, {H: 2, L: 0, N: 0, W: 5}, {H: 2, L: 0, N: 0, W: -1}} {
		one(t, 8, 0)
	}
}

// A server of tiles that lies as it is told: see tamper().
type liar struct {
	l      madeLog
	height int
	lies   string
	tiles  []tlog.Tile
	saved  bool
}

func (r *liar) Height() int { return r.height }

func (r *liar) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	r.tiles = tiles
	var data [][]byte
	for _, t := range tiles {
		data = append(data, r.l.tile(t))
	}
	for lie := range strings.SplitSeq(r.lies, ";") {
		r.tamper(tiles, data, lie)
	}
	return data, nil
}

func (r *liar) SaveTiles([]tlog.Tile, [][]byte) { r.saved = true }

func topHash(data []byte) (h tlog.Hash) {
	if len(data) == tlog.HashSize {
		copy(h[:], data)
		return h
	}
	return tlog.NodeHash(topHash(data[:len(data)/2]), topHash(data[len(data)/2:]))
}

// A lie is "WHAT PATH [ARGUMENT]".
//
//	flip PATH BYTE   one bit is wrong
//	take PATH OTHER  it is another tile of the log
//	cut PATH BYTES   its end is missing
//	pad PATH BYTES   there are zeros behind it
//	agree PATH BYTE  flip, and its parent agrees with it
func (r *liar) tamper(tiles []tlog.Tile, data [][]byte, lie string) {
	words := strings.Fields(lie)
	if len(words) < 3 {
		return
	}
	var n int
	fmt.Sscan(words[2], &n)
	for i, t := range tiles {
		if t.Path() != words[1] {
			continue
		}
		switch words[0] {
		case "flip":
			data[i][n] ^= 1
		case "take":
			other, err := tlog.ParseTilePath(words[2])
			must(err)
			data[i] = r.l.tile(other)
		case "cut":
			data[i] = data[i][:len(data[i])-n]
		case "pad":
			data[i] = append(data[i], make([]byte, n)...)
		case "agree":
			data[i][n] ^= 1
			for j, parent := range tiles {
				if t.W == 1<<t.H && parent.L == t.L+1 && parent.N == t.N>>t.H {
					h := topHash(data[i])
					copy(data[j][(t.N&(1<<t.H-1))*tlog.HashSize:], h[:])
				}
			}
		}
	}
}

func reads(o output, l madeLog) {
	one := func(h int, tree tlog.Tree, lies string, indexes ...int64) []tlog.Tile {
		r := &liar{l: l, height: h, lies: lies}
		hashes, err := tlog.TileHashReader(tree, r).ReadHashes(indexes)
		if (err == nil) != r.saved {
			panic("saved and refused")
		}
		var paths, words []string
		for _, t := range r.tiles {
			paths = append(paths, t.Path())
		}
		for _, x := range indexes {
			words = append(words, fmt.Sprint(x))
		}
		o.line("read", h, tree.N, tree.Hash, strings.Join(words, " "), lies, verdict(err), strings.Join(paths, " "), joinHashes(hashes))
		return r.tiles
	}
	first := func(n int64) int64 { return tlog.StoredHashIndex(0, n) }
	for _, h := range []int{1, 2, 3, 8} {
		for _, n := range []int64{1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 64, 65, 299, 300} {
			tree := l.tree(n)
			one(h, tree, "")
			one(h, tree, "", first(0))
			one(h, tree, "", first(n-1))
			one(h, tree, "", first(n/2), first(n/3), first(n/2), first(0))
			one(h, tree, "", first(n))
			one(h, tree, "", first(0), tlog.StoredHashCount(n), first(0))
			one(h, tree, "", tlog.StoredHashCount(n)-1)
		}
	}
	var all []int64
	for x := range tlog.StoredHashCount(27) {
		all = append(all, x)
	}
	one(2, l.tree(27), "", all...)
	slices.Reverse(all)
	one(3, l.tree(27), "", all...)
	// Each lie about each tile that is asked for.
	for _, c := range []struct {
		h    int
		n, i int64
	}{{1, 5, 0}, {1, 8, 3}, {2, 15, 1}, {2, 16, 15}, {2, 17, 5}, {2, 70, 3}, {2, 85, 21}, {3, 64, 20}, {3, 300, 7}, {8, 300, 7}, {8, 256, 255}, {8, 257, 0}} {
		tree := l.tree(c.n)
		for _, t := range one(c.h, tree, "", first(c.i)) {
			path, size := t.Path(), t.W*tlog.HashSize
			lies := []string{fmt.Sprintf("flip %s 0", path), fmt.Sprintf("flip %s %d", path, size-1), fmt.Sprintf("flip %s %d", path, size/2),
				fmt.Sprintf("cut %s 1", path), fmt.Sprintf("cut %s 32", path), fmt.Sprintf("cut %s %d", path, size), fmt.Sprintf("pad %s 1", path),
				fmt.Sprintf("pad %s 32", path), fmt.Sprintf("agree %s 0", path), fmt.Sprintf("agree %s %d", path, size-1)}
			if other := (tlog.Tile{H: t.H, L: t.L, N: t.N + 1, W: t.W}); (other.N<<t.H+int64(t.W))<<(t.L*t.H) <= 300 {
				lies = append(lies, fmt.Sprintf("take %s %s", path, other.Path()))
			}
			if t.W != 1<<t.H && (t.N<<t.H+int64(t.W)+1)<<(t.L*t.H) <= 300 {
				lies = append(lies, fmt.Sprintf("take %s %s", path, tlog.Tile{H: t.H, L: t.L, N: t.N, W: t.W + 1}.Path()))
			}
			if t.W > 1 {
				lies = append(lies, fmt.Sprintf("take %s %s", path, tlog.Tile{H: t.H, L: t.L, N: t.N, W: t.W - 1}.Path()))
			}
			for _, lie := range lies {
				one(c.h, tree, lie, first(c.i))
			}
		}
	}
	// Two that agree with each other, and with nobody else; and three.
	one(2, l.tree(80), "agree tile/2/0/001 5", first(5))
	one(2, l.tree(80), "agree tile/2/0/001 5;agree tile/2/1/000 64", first(5))
	one(2, l.tree(80), "agree tile/2/0/001 5;flip tile/2/0/001 5", first(5))
	// Twice the same is the truth again.
	one(2, l.tree(80), "flip tile/2/0/001 5;flip tile/2/0/001 5", first(5))
	// The right tiles, another tree.
	for _, n := range []int64{1, 13, 300} {
		wrong := l.tree(n)
		wrong.Hash[31] ^= 1
		one(2, wrong, "", first(0))
		one(8, tlog.Tree{N: n, Hash: l.tree(n + 1).Hash}, "", first(0))
		one(8, tlog.Tree{N: n + 1, Hash: l.tree(n).Hash}, "", first(0))
	}
}

func tlogs(o output) {
	l := makeLog(400)
	hashTexts(o)
	trees(o)
	records(o)
	indexes(o)
	proofs(o, l)
	tilePaths(o)
	fromTiles(o, l)
	reads(o, l)
}
