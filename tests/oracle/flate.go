package main

import (
	"math/rand"
	"strings"
)

// Deflate streams bit by bit (RFC 1951): what a reader may take by mistake.

// The n bits of a number, the lowest first, as they come in a stream.
func number(v, n int) string {
	s := ""
	for ; n > 0; n-- {
		s += string(rune('0' + v&1))
		v >>= 1
	}
	return s
}

// Bytes of bits, filled up with zeros.
func packBits(bits string) string {
	out := make([]byte, (len(bits)+7)/8)
	for i := range bits {
		out[i/8] |= (bits[i] - '0') << (i % 8)
	}
	return string(out)
}

// The precode of codes(): its symbols, and their codewords of three bits.
var precodewords = map[int]string{0: "000", 1: "001", 2: "010", 3: "011", 15: "100", 16: "101", 17: "110", 18: "111"}

// The lengths of codewords by symbol, and how many symbols are told of.
type code struct {
	lengths map[int]int
	n       int
}

// A last block with codes of its own, up to its first codeword. The last over
// lengths are told by one repetition that goes further.
func dynamic(literals, distances code, over int) string {
	order := []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	bits := "1" + number(2, 2) + number(literals.n-257, 5) + number(distances.n-1, 5) + number(len(order)-4, 4)
	for _, symbol := range order {
		bits += number(len(precodewords[symbol]), 3)
	}
	lengths := []int{}
	for _, c := range []code{literals, distances} {
		for i := 0; i < c.n; i++ {
			lengths = append(lengths, c.lengths[i])
		}
	}
	for _, length := range lengths[:len(lengths)-over] {
		bits += precodewords[length]
	}
	if over > 0 {
		bits += precodewords[17] + number(7, 3)
	}
	return bits
}

// Bytes of which each is half as frequent as the one before: the longest
// codewords.
func skewed(n int) string {
	r := rand.New(rand.NewSource(1))
	b := make([]byte, n)
	for i := range b {
		for r.Intn(2) == 0 && b[i] < 40 {
			b[i]++
		}
	}
	return string(b)
}

func flateCases() []zipCase {
	// Codewords: 'a' 0, end 10, a match of 3 bytes 11; distance 1: 0.
	literals := code{map[int]int{'a': 1, 256: 2, 257: 2}, 258}
	one := code{map[int]int{0: 1}, 1}
	none := code{map[int]int{}, 1}
	fixed := "1" + number(1, 2)
	packed := func(data, bits string) archive {
		return with(file(func(e *entry) { e.data, e.packed = data, packBits(bits) }))
	}
	coded := func(distances code, data, bits string) archive {
		return packed(data, dynamic(literals, distances, 0)+bits)
	}
	told := func(n int) archive {
		return packed("aa", dynamic(code{literals.lengths, n}, one, 0)+"00"+"10")
	}
	stored := func(complement int) string {
		return "0" + number(0, 2) + strings.Repeat("0", 5) + number(2, 16) + number(complement, 16) + number('h', 8) + number('i', 8)
	}
	only := func(bits string) archive {
		return packed("", dynamic(code{map[int]int{256: 1}, 257}, none, 0)+bits)
	}
	return []zipCase{
		{"flate-distance-one", coded(one, "aaaa", "0"+"110"+"10")},
		{"flate-distance-one-unused", coded(one, "aaaa", "0"+"111"+"10")},
		{"flate-distance-none", coded(none, "aa", "00"+"10")},
		{"flate-distance-none-used", coded(none, "aaaa", "0"+"110"+"10")},
		{"flate-distance-of-two-bits", coded(code{map[int]int{0: 2}, 1}, "aa", "00"+"10")},
		{"flate-distances-incomplete", coded(code{map[int]int{0: 2, 1: 2}, 2}, "aaaa", "0"+"1100"+"10")},
		{"flate-distances-too-many", coded(code{map[int]int{0: 1, 1: 1, 2: 1}, 3}, "aaaa", "0"+"110"+"10")},
		{"flate-distances-30", coded(code{map[int]int{0: 1}, 30}, "aaaa", "0"+"110"+"10")},
		{"flate-distances-31", coded(code{map[int]int{0: 1}, 31}, "aaaa", "0"+"110"+"10")},
		{"flate-distance-before", coded(code{map[int]int{0: 1, 1: 1}, 2}, "aaaa", "0"+"111"+"10")},
		{"flate-symbols-286", told(286)},
		{"flate-symbols-287", told(287)},
		{"flate-symbols-288", told(288)},
		{"flate-repeat-over", packed("aa", dynamic(literals, code{one.lengths, 5}, 4)+"00"+"10")},
		{"flate-repeat-first", packed("aa", "1"+number(2, 2)+number(0, 14)+number(1, 3)+number(0, 6)+number(1, 3)+"00000000")},
		{"flate-incomplete", packed("aa", dynamic(code{map[int]int{'a': 2, 256: 2, 257: 2}, 258}, one, 0)+"0000"+"01")},
		{"flate-no-end", packed("aa", dynamic(code{map[int]int{'a': 1, 'b': 1}, 257}, one, 0)+"00")},
		{"flate-end-alone", only("0")},
		{"flate-end-alone-unused", only("1")},
		{"flate-fixed", packed("aaaa", fixed+"10010001"+"0000001"+"00000"+"0000000")},
		{"flate-fixed-symbol-285", packed(strings.Repeat("a", 259), fixed+"10010001"+"11000101"+"00000"+"0000000")},
		{"flate-fixed-symbol-286", packed(strings.Repeat("a", 259), fixed+"10010001"+"11000110"+"00000"+"0000000")},
		{"flate-fixed-distance-30", packed("aaaa", fixed+"10010001"+"0000001"+"11110"+"0000000")},
		{"flate-stored", packed("hihiaa", stored(0xfffd)+stored(0xfffd)+fixed+strings.Repeat("10010001", 2)+"0000000")},
		{"flate-stored-contradicts", packed("hihiaa", stored(0xfffd)+stored(0xfffc)+fixed+strings.Repeat("10010001", 2)+"0000000")},
		{"flate-stored-cut", packed("hi", stored(0xfffd)[:48])},
		{"flate-no-last", packed("hi", stored(0xfffd))},
		{"flate-type-3", packed("hi", "1"+number(3, 2)+"0000000")},
		{"flate-cut", packed("aaaa", (fixed + "10010001" + "0000001" + "00000" + "0000000")[:16])},
		{"flate-long-codewords", with(file(func(e *entry) { e.data = skewed(1 << 16) }))},
		{"flate-far", with(file(func(e *entry) { e.data = strings.Repeat(skewed(32768), 12) }))},
	}
}
